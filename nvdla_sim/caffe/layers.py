"""From a Caffe layer's parameters to our operator: one small function per layer type.

Each takes the layer and its bottoms' shapes with the batch axis; ``ModelError`` tells what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable

from google.protobuf.message import Message

from nvdla_sim.caffe import caffe_pb2
from nvdla_sim.errors import ModelError
from nvdla_sim.graph.operator import Operator, Shape
from nvdla_sim.graph.ops.convolution import Convolution, Pair
from nvdla_sim.graph.ops.dropout import Dropout
from nvdla_sim.graph.ops.flatten import Flatten
from nvdla_sim.graph.ops.inner_product import InnerProduct
from nvdla_sim.graph.ops.pooling import Pooling
from nvdla_sim.graph.ops.relu import ReLU
from nvdla_sim.graph.ops.softmax import Softmax

Builder = Callable[[caffe_pb2.Layer, list[Shape]], Operator]


def convolution(layer: caffe_pb2.Layer, shapes: list[Shape]) -> Operator:
    param = layer.convolution_param
    _required(param, "num_output")
    _axis_is_channels(param.axis, shapes)
    return Convolution(
        num_output=param.num_output,
        kernel=_pair(param, "kernel_size", "kernel"),
        stride=_pair(param, "stride", "stride", 1),
        pad=_pair(param, "pad", "pad", 0),
        dilation=_pair(param, "dilation", "dilation", 1),
        group=param.group,
        bias=param.bias_term,
    )


def inner_product(layer: caffe_pb2.Layer, shapes: list[Shape]) -> Operator:
    param = layer.inner_product_param
    _required(param, "num_output")
    return InnerProduct(param.num_output, param.bias_term, _axis(param.axis, shapes))


def pooling(layer: caffe_pb2.Layer, shapes: list[Shape]) -> Operator:
    param = layer.pooling_param
    method = param.Method.Name(param.pool)
    floor = param.torch_pooling or not param.ceil_mode or param.round_mode == param.FLOOR
    stride, pad = _pair(param, "stride", "stride", 1), _pair(param, "pad", "pad", 0)
    if not param.global_pooling:
        return Pooling(method, _pair(param, "kernel_size", "kernel"), stride, pad, not floor)
    if any(param.HasField(name) for name in ("kernel_size", "kernel_h", "kernel_w")):
        raise ModelError("global_pooling and a kernel size exclude each other")
    if pad != (0, 0) or stride != (1, 1):
        raise ModelError("global_pooling allows only pad 0 and stride 1")
    return Pooling(method, _size(shapes))


def relu(layer: caffe_pb2.Layer, shapes: list[Shape]) -> Operator:
    return ReLU(layer.relu_param.negative_slope)


def dropout(layer: caffe_pb2.Layer, shapes: list[Shape]) -> Operator:
    return Dropout()


def flatten(layer: caffe_pb2.Layer, shapes: list[Shape]) -> Operator:
    param = layer.flatten_param
    return Flatten(_axis(param.axis, shapes), _axis(param.end_axis, shapes, "end_axis"))


def softmax(layer: caffe_pb2.Layer, shapes: list[Shape]) -> Operator:
    return Softmax(_axis(layer.softmax_param.axis, shapes))


BUILDERS: dict[str, Builder] = {
    "Convolution": convolution,
    "Dropout": dropout,
    "Flatten": flatten,
    "InnerProduct": inner_product,
    "Pooling": pooling,
    "ReLU": relu,
    "Softmax": softmax,
}


def _required(param: Message, name: str) -> None:
    if not param.HasField(name):
        raise ModelError(f"{name} is missing")


def _pair(param: Message, name: str, stem: str, default: int | None = None) -> Pair:
    """(height, width) from ``stem_h`` and ``stem_w``, or from ``name`` given once or twice (height first)."""
    sides = (f"{stem}_h", f"{stem}_w")
    given = [side for side in sides if side in param.DESCRIPTOR.fields_by_name and param.HasField(side)]
    value = getattr(param, name)
    values = [value] * param.HasField(name) if isinstance(value, int) else list(value)
    if given and values:
        raise ModelError(f"{name} and {given[0]} exclude each other")
    if given:
        values = [getattr(param, side) if side in given else default for side in sides]
    elif not values:
        values = [default]
    if None in values:
        raise ModelError(f"{' and '.join(sides) if given else name} must be given")
    if len(values) > 2:
        raise ModelError(f"{name} is given {len(values)} times, allowed: once, or twice (height, width)")
    return values[0], values[-1]


def _axis(axis: int, shapes: list[Shape], word: str = "axis") -> int:
    """The axis of the first bottom counted from the front; the batch axis is refused."""
    rank = len(shapes[0])
    index = axis + rank if axis < 0 else axis
    if not 0 <= index < rank:
        raise ModelError(f"{word} {axis} is not an axis of a bottom with {rank} axes")
    if index == 0:
        raise ModelError(
            f"{word} {axis} is the batch, whose images are independent: allowed: 1 to {rank - 1}"
        )
    return index


def _axis_is_channels(axis: int, shapes: list[Shape]) -> None:
    if _axis(axis, shapes) != 1:
        raise ModelError(f"axis {axis} is not supported, allowed: 1 (the channels)")


def _size(shapes: list[Shape]) -> Pair:
    if len(shapes[0]) != 4:
        raise ModelError(f"needs a bottom with 4 axes (NxCxHxW), got {len(shapes[0])}")
    return shapes[0][2], shapes[0][3]
