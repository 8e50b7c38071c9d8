"""The prototxts that SOPHON's BM1684 quantization tools write beside an int8 model.

``*_deploy_*``: an Input layer; ``*_test_*``: a Data layer. In all of them every layer has its own top. The
int8 ones tell the input's ``int8_scale``: preprocessing * int8_scale, rounded, is what the int8 net is fed.

Source: tool-formats section 3.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
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
    when the table does not fit the net, ``UnsupportedError`` for preprocessing that a Data layer cannot say
    and for the old syntax.
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
        data = None
        if not net.has_data:
            data = Layer(name=name, type="Data", top=[name, "label"], int8_scale=scale)
            data.transform_param.CopyFrom(_transform(preprocess, shape))
            data.data_param.CopyFrom(DataParameter(source=source, batch_size=1, backend=DataParameter.LMDB))
        texts[f"{stem}_test_{word}_unique_top.prototxt"] = net.test(data, scale)
    return texts


class _Net:
    """The unique-top text in pieces: its layers at test time, and what stands between them."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        source = read_prototxt(path)
        if source.net.layers:
            raise UnsupportedError(
                f"prototxt {source.path}: layers {{ ... }} is the old syntax: convert it with Caffe's "
                "upgrade_net_proto_text"
            )
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

    @property
    def has_data(self) -> bool:
        """Whether it reads images itself."""
        return any(layer is not None and layer.type in DATA_LAYERS for _, layer in self._pieces)

    def deploy(self, given: Layer) -> str:
        """With ``given`` as the input, and without what reads images or scores the net."""
        parts: list[str] = []
        for text, layer in self._with(given):
            if layer is not None and layer.type == LOSS:
                parts.append(_layer_text(_softmax(text)))
            elif layer is None or layer.type not in (*DATA_LAYERS, *SCORING):
                parts.append(text)
        return "".join(parts)

    def test(self, given: Layer | None, int8_scale: float | None) -> str:
        """With ``given`` as the input; None keeps the net's own data layer, with ``int8_scale`` added."""
        parts: list[str] = []
        for text, layer in self._with(given):
            if given is None and int8_scale is not None and layer is not None and layer.type in DATA_LAYERS:
                text = f"{text[:-1]}  int8_scale: {int8_scale!r}\n{text[-1]}"
            parts.append(text)
        return "".join(parts)

    def _with(self, given: Layer | None) -> Iterator[tuple[str, Layer | None]]:
        """The pieces without Input layers, and with ``given`` before the first layer."""
        for text, layer in self._pieces:
            if layer is not None and given is not None:
                yield _layer_text(given) + "\n", None
                given = None
            if layer is None or layer.type != "Input":
                yield text, layer


def _layer_text(layer: Layer) -> str:
    return f"layer {{\n{text_format.MessageToString(layer, indent=2)}}}"


def _softmax(text: str) -> Layer:
    """A loss layer's text -> the Softmax in it, without labels."""
    loss = Layer()
    opening = min(at for at in (text.find("{"), text.find("<")) if at >= 0)
    text_format.Parse(text[opening + 1 : -1], loss, allow_unknown_field=True)
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
