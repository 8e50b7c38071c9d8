"""The prototxts that SOPHON's BM1684 quantization tools write beside an int8 model.

``*_deploy_*``: an Input layer; ``*_test_*``: a Data layer. In all of them every layer has its own top. The
int8 ones tell the input's ``int8_scale``: preprocessing * int8_scale, rounded, is what the int8 net is fed.

Source: tool-formats section 3.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from google.protobuf import text_format

from nvdla_sim.caffe.caffe_pb2 import (
    DataParameter,
    InputParameter,
    Layer,
    ResizeParameter,
    Shape,
    TransformationParameter,
    TransformOp,
)
from nvdla_sim.caffe.data_layers import PARAMS as DATA_LAYERS
from nvdla_sim.caffe.importer import SCORING, load_caffe
from nvdla_sim.caffe.net_state import layers_at_test
from nvdla_sim.caffe.prototxt import LAYER_FIELDS, read_prototxt
from nvdla_sim.caffe.unique_top import scan, unique_top
from nvdla_sim.calib.calibrate import single_input
from nvdla_sim.calib.preprocess import Preprocess
from nvdla_sim.calib.preprocess_steps import CentreCrop, Resize, ResizeSide, Standardise, Step
from nvdla_sim.calib.table_io import load_table
from nvdla_sim.errors import UnsupportedError
from nvdla_sim.graph.operator import Shape as Sizes

INPUT_FIELDS = ("input", "input_dim", "input_shape")
LOSS = "SoftmaxWithLoss"


def export(
    prototxt: str | os.PathLike[str], table: str | os.PathLike[str], preprocess: Preprocess, source: str
) -> dict[str, str]:
    """File name -> text of the four prototxts.

    ``preprocess`` and ``source`` (an lmdb) make the Data layer of a net that has none. ``CalibrationError``
    when the table does not fit the net, ``UnsupportedError`` for preprocessing that a Data layer cannot say.
    """
    graph = load_caffe(prototxt, None)
    name = single_input(graph)
    shape = graph.tensors[name].shape
    int8_scale = float(np.float32(1) / np.float32(load_table(table, graph).scales[name]))
    net = _Net(prototxt)
    stem = Path(prototxt).stem
    texts = {}
    for word, scale in (("fp32", None), ("int8", int8_scale)):
        deploy = Layer(name=name, type="Input", top=[name], int8_scale=scale)
        deploy.input_param.CopyFrom(InputParameter(shape=[Shape(dim=(1, *shape))]))
        texts[f"{stem}_deploy_{word}_unique_top.prototxt"] = net.deploy(deploy)
        data = Layer(name=name, type="Data", top=[name, "label"], int8_scale=scale)
        data.transform_param.CopyFrom(_transform(preprocess, shape))
        data.data_param.CopyFrom(DataParameter(source=source, batch_size=1, backend=DataParameter.LMDB))
        texts[f"{stem}_test_{word}_unique_top.prototxt"] = net.test(data, scale)
    return texts


class _Net:
    """The unique-top text in pieces: its layers at test time, and what stands between them."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        source = read_prototxt(path)
        at_test = {id(entry) for entry in layers_at_test(source)}
        text = unique_top(path)
        self._pieces: list[tuple[str, Layer | None]] = []
        entries = iter(source.layers)
        done = 0
        for field in scan(text)[1]:
            self._pieces.append((text[done : field.start], None))
            done = field.end
            if field.name in LAYER_FIELDS:
                entry = next(entries)
                if id(entry) in at_test:
                    self._pieces.append((text[field.start : field.end], entry.layer))
            elif field.name not in INPUT_FIELDS:
                self._pieces.append((text[field.start : field.end], None))
        self._pieces.append((text[done:], None))

    def deploy(self, given: Layer) -> str:
        """With ``given`` as the input, and without what scores the net."""
        return self._assembled(given, keep_data=False)

    def test(self, given: Layer, int8_scale: float | None) -> str:
        """With the net's own data layer, ``given`` where it has none."""
        return self._assembled(given, keep_data=True, int8_scale=int8_scale)

    def _assembled(self, given: Layer, keep_data: bool, int8_scale: float | None = None) -> str:
        own = keep_data and any(layer is not None and layer.type in DATA_LAYERS for _, layer in self._pieces)
        parts = []
        waiting = not own
        for text, layer in self._pieces:
            if layer is None:
                parts.append(text)
                continue
            if waiting:
                parts.append(_layer_text(given) + "\n")
                waiting = False
            if layer.type in DATA_LAYERS:
                if own:
                    tail = f"  int8_scale: {int8_scale!r}\n}}" if int8_scale is not None else "}"
                    parts.append(text.rstrip()[:-1] + tail)
            elif layer.type == LOSS and not keep_data:
                parts.append(_layer_text(_softmax(text)))
            elif layer.type != "Input" and (keep_data or layer.type not in SCORING):
                parts.append(text)
        return "".join(parts)


def _layer_text(layer: Layer) -> str:
    return f"layer {{\n{text_format.MessageToString(layer, indent=2)}}}"


def _softmax(text: str) -> Layer:
    """A loss layer's text -> the Softmax in it, without labels."""
    loss = Layer()
    text_format.Parse(text[text.index("{") + 1 : text.rindex("}")], loss, allow_unknown_field=True)
    return Layer(name=loss.name, type="Softmax", bottom=loss.bottom[:1], top=loss.top[:1])


def _transform(preprocess: Preprocess, shape: Sizes) -> TransformationParameter:
    """Steps as a ``transform_op`` list; as plain fields for a grey net, which has to say that it is."""
    steps = preprocess.steps
    if not any(isinstance(step, Resize | ResizeSide | CentreCrop) for step in steps):
        steps = (Resize(*shape[1:]), *steps)
    return _plain(steps) if shape[0] == 1 else TransformationParameter(transform_op=map(_operation, steps))


def _operation(step: Step) -> TransformOp:
    match step:
        case Resize():
            return TransformOp(op=TransformOp.RESIZE, resize_h=step.height, resize_w=step.width)
        case ResizeSide():
            return TransformOp(op=TransformOp.RESIZE, resize_side=step.side)
        case CentreCrop():
            return TransformOp(op=TransformOp.CROP, crop_h=step.height, crop_w=step.width)
        case Standardise() if step.mean.ndim == 1:
            return TransformOp(
                op=TransformOp.STAND, mean_value=step.mean, scale=step.scale, div=step.div, bgr2rgb=step.rgb
            )
    raise UnsupportedError(f"a Data layer cannot say: {step}")


def _plain(steps: tuple[Step, ...]) -> TransformationParameter:
    param = TransformationParameter(force_gray=True)
    for step in steps:
        match step:
            case Resize():
                param.resize_param.CopyFrom(ResizeParameter(height=step.height, width=step.width))
            case ResizeSide():
                cover = ResizeParameter.FIT_SMALL_SIZE
                param.resize_param.CopyFrom(
                    ResizeParameter(resize_mode=cover, height=step.side, width=step.side)
                )
            case CentreCrop():
                param.crop_h, param.crop_w = step.height, step.width
            case Standardise() if step.mean.ndim == 1 and len(step.scale) == 1 and not step.rgb:
                param.mean_value.extend(step.mean)
                param.scale = step.scale[0] / step.div
            case _:
                raise UnsupportedError(f"a Data layer cannot say: {step}")
    return param
