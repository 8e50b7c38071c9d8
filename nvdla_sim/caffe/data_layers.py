"""Layers that read images: where the images are, what is done to them, which shape they give the net."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from nvdla_sim.caffe.caffe_pb2 import (
    DataParameter,
    ImageDataParameter,
    Layer,
    ResizeParameter,
    TransformationParameter,
)
from nvdla_sim.caffe.caffe_pb2 import TransformOp as TransformOpMessage
from nvdla_sim.caffe.net_state import layers_at_test
from nvdla_sim.caffe.prototxt import read_prototxt
from nvdla_sim.errors import ModelError
from nvdla_sim.graph.operator import Shape

# Layer type -> the field with its parameters. All tops but the first hold labels.
PARAMS = {
    "AnnotatedData": "data_param",
    "Data": "data_param",
    "DummyData": "dummy_data_param",
    "HDF5Data": "hdf5_data_param",
    "ImageData": "image_data_param",
    "MemoryData": "memory_data_param",
}


# How pictures are decoded is no transformation.
BESIDE_OPS = ("transform_op", "force_color", "force_gray")


@dataclass(frozen=True)
class TransformOp:
    """One step of a BM1684 ``transform_op`` list. ``kind`` is RESIZE, CROP, STAND or NONE; sizes are (h, w).

    STAND is x = (x - mean_value[c]) * scale[c] / div, in RGB order if ``bgr2rgb``; ``mean_value`` and
    ``scale`` have one number, one for each channel, or none. Sizes, ``resize_side`` and ``crop_fraction``
    are 0 where they are not given.
    """

    kind: str
    resize: tuple[int, int]
    resize_side: int
    crop: tuple[int, int]
    crop_fraction: float
    padding: float
    mean_value: tuple[float, ...]
    mean_file: str
    scale: tuple[float, ...]
    div: float
    bgr2rgb: bool


@dataclass(frozen=True)
class Transform:
    """A data layer's preprocessing: ``ops`` in their order, or the plain fields in Caffe's fixed order.

    ``force_color`` and ``force_gray`` tell how pictures are decoded, and may stand beside both.

    Plain fields: resize (``resize_mode`` WARP, FIT_SMALL_SIZE or FIT_LARGE_SIZE_AND_PAD), crop in the middle,
    minus ``mean_value`` (one, or one per channel) or the image in ``mean_file``, times ``scale``.
    FIT_LARGE_SIZE_AND_PAD fills up with ``pad_value`` where ``pad_mode`` is CONSTANT. ``interpolation`` are
    Caffe's words for how to resize, none meaning LINEAR. Mirroring is for training only.
    """

    ops: tuple[TransformOp, ...] = ()
    resize: tuple[int, int] | None = None
    resize_mode: str = "WARP"
    crop: tuple[int, int] | None = None
    mean_value: tuple[float, ...] = ()
    mean_file: str = ""
    scale: float = 1.0
    force_color: bool = False
    force_gray: bool = False
    pad_mode: str = "CONSTANT"
    pad_value: tuple[float, ...] = ()
    interpolation: tuple[str, ...] = ()


@dataclass(frozen=True)
class DataSource:
    """A data layer at test time, feeding the network input ``input``. Paths are as the prototxt has them."""

    layer: str
    kind: str
    input: str
    line: int
    source: str
    root_folder: str
    backend: str
    batch_size: int
    transform: Transform


def data_sources(path: str | os.PathLike[str]) -> list[DataSource]:
    """The data layers of a prototxt in their order; empty when its inputs are fed from outside.

    ``ModelError``: unreadable prototxt, or a layer that gives both kinds of transform.
    """
    prototxt = read_prototxt(path)
    sources = []
    for entry in layers_at_test(prototxt):
        layer = entry.layer
        if layer.type in PARAMS and layer.top:
            try:
                sources.append(_source(layer, entry.line))
            except ModelError as problem:
                raise ModelError(
                    f'prototxt {prototxt.path}: line {entry.line}, layer "{layer.name}": {problem}'
                ) from None
    return sources


def batch_size(layer: Layer) -> int:
    """Images per batch of a data layer; 1 where it does not tell."""
    return getattr(getattr(layer, PARAMS[layer.type]), "batch_size", 0) or 1


def image_shape(layer: Layer) -> Shape | None:
    """(C, H, W) of a data layer's first top as far as the prototxt tells it, else None."""
    param = getattr(layer, PARAMS[layer.type])
    if layer.type == "MemoryData":
        return (param.channels, param.height, param.width)
    if layer.type == "DummyData":
        if param.shape:
            return tuple(param.shape[0].dim)[1:]
        sizes = (param.channels, param.height, param.width)
        return tuple(values[0] for values in sizes) if all(sizes) else None
    transform = _transform(layer)
    size = _output_size(transform, param)
    if size is None:
        return None
    gray = transform.force_gray or (layer.type == "ImageData" and not param.is_color)
    return (1 if gray else 3, *size)


def _output_size(transform: Transform, param: Any) -> tuple[int, int] | None:
    """Height and width after the last step that fixes them."""
    size = transform.crop or transform.resize
    if size is None and isinstance(param, ImageDataParameter):
        size = _given(param.new_height, param.new_width)
    for step in transform.ops:
        size = _given(*step.crop) or _given(*step.resize) or size
    return size


def _source(layer: Layer, line: int) -> DataSource:
    param = getattr(layer, PARAMS[layer.type])
    return DataSource(
        layer=layer.name,
        kind=layer.type,
        input=layer.top[0],
        line=line,
        source=getattr(param, "source", ""),
        root_folder=getattr(param, "root_folder", ""),
        backend=DataParameter.DB.Name(param.backend) if isinstance(param, DataParameter) else "",
        batch_size=batch_size(layer),
        transform=_transform(layer),
    )


def _transform(layer: Layer) -> Transform:
    param = layer.transform_param
    plain = [field.name for field, _ in param.ListFields() if field.name not in BESIDE_OPS]
    if param.transform_op and plain:
        raise ModelError(f"transform_op and the plain {', '.join(plain)} exclude each other")
    if param.transform_op:
        return Transform(
            ops=tuple(_op(op) for op in param.transform_op),
            force_color=param.force_color,
            force_gray=param.force_gray,
        )
    # the oldest nets have the plain fields in the data layer's own parameters
    own = getattr(layer, PARAMS[layer.type])
    old = own if hasattr(own, "mean_file") else TransformationParameter()
    mean_file = param.mean_file or old.mean_file
    if param.mean_value and mean_file:
        raise ModelError("mean_value and mean_file exclude each other")
    resize = param.resize_param
    crop_size = param.crop_size or old.crop_size
    return Transform(
        resize=_given(resize.height, resize.width),
        resize_mode=ResizeParameter.Resize_mode.Name(resize.resize_mode),
        crop=_given(param.crop_h or crop_size, param.crop_w or crop_size),
        mean_value=tuple(param.mean_value),
        mean_file=mean_file,
        scale=param.scale if param.HasField("scale") else old.scale,
        force_color=param.force_color,
        force_gray=param.force_gray,
        pad_mode=ResizeParameter.Pad_mode.Name(resize.pad_mode),
        pad_value=tuple(resize.pad_value),
        interpolation=tuple(ResizeParameter.Interp_mode.Name(mode) for mode in resize.interp_mode),
    )


def _given(height: int, width: int) -> tuple[int, int] | None:
    return (height, width) if height and width else None


def _op(op: TransformOpMessage) -> TransformOp:
    return TransformOp(
        kind=TransformOpMessage.Op.Name(op.op),
        resize=(op.resize_h, op.resize_w),
        resize_side=op.resize_side,
        crop=(op.crop_h, op.crop_w),
        crop_fraction=op.crop_fraction,
        padding=op.padding,
        mean_value=tuple(op.mean_value),
        mean_file=op.mean_file,
        scale=tuple(op.scale),
        div=op.div,
        bgr2rgb=op.bgr2rgb,
    )
