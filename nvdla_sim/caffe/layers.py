"""From a Caffe layer's parameters to our operator: one small function per layer type.

Each takes the layer and its bottoms' shapes with the batch axis; ``ModelError`` tells what is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

from nvdla_sim.caffe.caffe_pb2 import Layer
from nvdla_sim.caffe.fields import batch_free_axis, image_size, pair, required
from nvdla_sim.errors import ModelError, UnsupportedError
from nvdla_sim.graph.operator import Operator, Shape
from nvdla_sim.graph.ops.absval import AbsVal
from nvdla_sim.graph.ops.batch_norm import BatchNorm
from nvdla_sim.graph.ops.bias import Bias
from nvdla_sim.graph.ops.bnll import BNLL
from nvdla_sim.graph.ops.clip import Clip
from nvdla_sim.graph.ops.concat import Concat
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.crop import Crop
from nvdla_sim.graph.ops.deconvolution import Deconvolution
from nvdla_sim.graph.ops.dropout import Dropout
from nvdla_sim.graph.ops.eltwise import Eltwise
from nvdla_sim.graph.ops.elu import ELU
from nvdla_sim.graph.ops.exp import Exp
from nvdla_sim.graph.ops.flatten import Flatten
from nvdla_sim.graph.ops.inner_product import InnerProduct
from nvdla_sim.graph.ops.interp import Interp
from nvdla_sim.graph.ops.log import Log
from nvdla_sim.graph.ops.lrn import LRN
from nvdla_sim.graph.ops.permute import Permute
from nvdla_sim.graph.ops.pooling import Pooling
from nvdla_sim.graph.ops.power import Power
from nvdla_sim.graph.ops.prelu import PReLU
from nvdla_sim.graph.ops.relu import ReLU
from nvdla_sim.graph.ops.relu6 import ReLU6
from nvdla_sim.graph.ops.reshape import Reshape
from nvdla_sim.graph.ops.scale import Scale
from nvdla_sim.graph.ops.shuffle_channel import ShuffleChannel
from nvdla_sim.graph.ops.sigmoid import Sigmoid
from nvdla_sim.graph.ops.slice import Slice
from nvdla_sim.graph.ops.softmax import Softmax
from nvdla_sim.graph.ops.split import Split
from nvdla_sim.graph.ops.swish import Swish
from nvdla_sim.graph.ops.tanh import TanH
from nvdla_sim.graph.ops.threshold import Threshold
from nvdla_sim.graph.ops.upsample import Upsample

Builder = Callable[[Layer, list[Shape]], Operator]


def convolution(layer: Layer, shapes: list[Shape]) -> Convolution:
    return Convolution(**_sliding(layer, shapes))


def deconvolution(layer: Layer, shapes: list[Shape]) -> Deconvolution:
    return Deconvolution(**_sliding(layer, shapes))


def depthwise(layer: Layer, shapes: list[Shape]) -> Convolution:
    """Every channel is a group of its own, said or unsaid."""
    channels = shapes[0][1]
    param = layer.convolution_param
    if param.HasField("group") and param.group != channels:
        raise ModelError(f"group {param.group} must be the number of input channels, {channels}")
    return replace(convolution(layer, shapes), group=channels)


def inner_product(layer: Layer, shapes: list[Shape]) -> Operator:
    param = layer.inner_product_param
    return InnerProduct(required(param, "num_output"), param.bias_term, batch_free_axis(param.axis, shapes))


def pooling(layer: Layer, shapes: list[Shape]) -> Operator:
    param = layer.pooling_param
    if param.pool == param.STOCHASTIC:
        raise UnsupportedError("pool STOCHASTIC is not supported, allowed: MAX, AVE")
    method = param.Method.Name(param.pool)
    floor = param.torch_pooling or not param.ceil_mode or param.round_mode == param.FLOOR
    stride, pad = pair(param, "stride", "stride", 1), pair(param, "pad", "pad", 0)
    if not param.global_pooling:
        return Pooling(method, pair(param, "kernel_size", "kernel"), stride, pad, not floor)
    if any(param.HasField(name) for name in ("kernel_size", "kernel_h", "kernel_w")):
        raise ModelError("global_pooling and a kernel size exclude each other")
    if pad != (0, 0) or stride != (1, 1):
        raise ModelError("global_pooling allows only pad 0 and stride 1")
    return Pooling(method, image_size(shapes))


def relu(layer: Layer, shapes: list[Shape]) -> Operator:
    return ReLU(layer.relu_param.negative_slope)


def clip(layer: Layer, shapes: list[Shape]) -> Operator:
    return Clip(required(layer.clip_param, "min"), required(layer.clip_param, "max"))


def lrn(layer: Layer, shapes: list[Shape]) -> Operator:
    param = layer.lrn_param
    if param.norm_region != param.ACROSS_CHANNELS:
        raise UnsupportedError("norm_region WITHIN_CHANNEL is not supported, allowed: ACROSS_CHANNELS")
    return LRN(param.local_size, param.alpha, param.beta, param.k)


def batch_norm(layer: Layer, shapes: list[Shape]) -> Operator:
    param = layer.batch_norm_param
    if not param.use_global_stats:
        raise UnsupportedError(
            "use_global_stats: false (the batch's own statistics) is for training: set it to true"
        )
    return BatchNorm(param.eps)


def scale(layer: Layer, shapes: list[Shape]) -> Operator:
    param = layer.scale_param
    if len(shapes) == 2:
        _second_bottom(param.axis, shapes)
        return Scale(bias=param.bias_term)
    return Scale(*_spread(param.axis, param.num_axes, shapes), bias=param.bias_term)


def bias(layer: Layer, shapes: list[Shape]) -> Operator:
    param = layer.bias_param
    if len(shapes) == 2:
        _second_bottom(param.axis, shapes)
        return Bias()
    return Bias(*_spread(param.axis, param.num_axes, shapes))


def power(layer: Layer, shapes: list[Shape]) -> Operator:
    param = layer.power_param
    return Power(param.power, param.scale, param.shift)


def exp(layer: Layer, shapes: list[Shape]) -> Operator:
    param = layer.exp_param
    return Exp(None if param.base == -1 else param.base, param.scale, param.shift)


def log(layer: Layer, shapes: list[Shape]) -> Operator:
    param = layer.log_param
    return Log(None if param.base == -1 else param.base, param.scale, param.shift)


def eltwise(layer: Layer, shapes: list[Shape]) -> Operator:
    param = layer.eltwise_param
    return Eltwise(param.Operation.Name(param.operation), tuple(param.coeff))


def concat(layer: Layer, shapes: list[Shape]) -> Operator:
    param = layer.concat_param
    return Concat(batch_free_axis(param.concat_dim if param.HasField("concat_dim") else param.axis, shapes))


def slice_(layer: Layer, shapes: list[Shape]) -> Operator:
    param = layer.slice_param
    axis = batch_free_axis(param.slice_dim if param.HasField("slice_dim") else param.axis, shapes)
    size, parts = shapes[0][axis], len(layer.top)
    points = list(param.slice_point)
    if points and len(points) != parts - 1:
        raise ModelError(f"{len(points)} slice_point for {parts} tops, needed: {parts - 1}")
    if not points:
        if size % max(parts, 1):
            raise ModelError(f"{size} cannot be cut into {parts} equal parts: give slice_point")
        points = [size // parts * part for part in range(1, parts)]
    borders = [0, *points, size]
    return Slice(tuple(end - start for start, end in pairwise(borders)), axis)


def flatten(layer: Layer, shapes: list[Shape]) -> Operator:
    param = layer.flatten_param
    return Flatten(batch_free_axis(param.axis, shapes), batch_free_axis(param.end_axis, shapes, "end_axis"))


def reshape(layer: Layer, shapes: list[Shape]) -> Operator:
    """Caffe's dims: 0 copies the bottom's size, one -1 takes what is left."""
    param, old = layer.reshape_param, shapes[0]
    rank = len(old)
    start = param.axis + rank + 1 if param.axis < 0 else param.axis
    end = rank if param.num_axes == -1 else start + param.num_axes
    if not 0 <= start <= end <= rank:
        raise ModelError(
            f"axis {param.axis} and num_axes {param.num_axes} do not fit a bottom with {rank} axes"
        )
    dims = list(param.shape.dim)
    for index, size in enumerate(dims):
        if size == 0:
            if start + index >= rank:
                raise ModelError(f"dim {index} is 0 (copied), but the bottom has only {rank} axes")
            dims[index] = old[start + index]
    new = [*old[:start], *dims, *old[end:]]
    if new.count(-1) == 1:
        rest = math.prod(size for size in new if size != -1)
        new[new.index(-1)] = math.prod(old) // rest if rest else 0
    if min(new, default=0) < 1 or math.prod(new) != math.prod(old):
        raise ModelError(f"{_dims(old)} cannot take the shape {_dims([*old[:start], *dims, *old[end:]])}")
    if new[0] != old[0]:
        raise UnsupportedError(f"the shape {_dims(new)} mixes the images of a batch")
    return Reshape(tuple(new[1:]))


def permute(layer: Layer, shapes: list[Shape]) -> Operator:
    """Axes that are not named follow in their order."""
    order = list(layer.permute_param.order)
    return Permute((*order, *(axis for axis in range(len(shapes[0])) if axis not in order)))


def crop(layer: Layer, shapes: list[Shape]) -> Operator:
    param = layer.crop_param
    axis = batch_free_axis(param.axis, shapes)
    count = len(shapes[0]) - axis
    offsets = list(param.offset) or [0]
    if len(offsets) not in (1, count):
        raise ModelError(f"{len(offsets)} offsets for {count} axes, needed: 1 or {count}")
    return Crop(axis, tuple(offsets * count if len(offsets) == 1 else offsets))


def upsample(layer: Layer, shapes: list[Shape]) -> Operator:
    param = layer.upsample_param
    if len(shapes) > 1:
        raise UnsupportedError(
            "upsampling by a pooling mask (two bottoms) is not supported, allowed: one bottom"
        )
    if param.HasField("upsample_h") or param.HasField("upsample_w"):
        raise UnsupportedError("upsample_h and upsample_w are not supported, allowed: scale")
    return Upsample(pair(param, "scale", "scale"))


def interp(layer: Layer, shapes: list[Shape]) -> Operator:
    """The output's size is given, or follows from the factors."""
    param = layer.interp_param
    if param.pad_beg or param.pad_end:
        raise UnsupportedError("pad_beg and pad_end are not supported, allowed: 0")
    if min(param.zoom_factor, param.shrink_factor) < 1:
        raise ModelError("zoom_factor and shrink_factor must be at least 1")
    given = (param.height, param.width)
    sizes = [
        size or ((old - 1) // param.shrink_factor) * param.zoom_factor + 1
        for size, old in zip(given, image_size(shapes), strict=True)
    ]
    return Interp(*sizes)


BUILDERS: dict[str, Builder] = {
    "AbsVal": lambda layer, shapes: AbsVal(),
    "BNLL": lambda layer, shapes: BNLL(),
    "BatchNorm": batch_norm,
    "Bias": bias,
    "Clip": clip,
    "Concat": concat,
    "Convolution": convolution,
    "ConvolutionDepthWise": depthwise,
    "ConvolutionDepthwise": depthwise,
    "Crop": crop,
    "Deconvolution": deconvolution,
    "DepthwiseConvolution": depthwise,
    "Dropout": lambda layer, shapes: Dropout(),
    "ELU": lambda layer, shapes: ELU(layer.elu_param.alpha),
    "Eltwise": eltwise,
    "Exp": exp,
    "Flatten": flatten,
    "InnerProduct": inner_product,
    "Interp": interp,
    "LRN": lrn,
    "Log": log,
    "PReLU": lambda layer, shapes: PReLU(layer.prelu_param.channel_shared),
    "Permute": permute,
    "Pooling": pooling,
    "Power": power,
    "ReLU": relu,
    "ReLU6": lambda layer, shapes: ReLU6(),
    "Reshape": reshape,
    "Scale": scale,
    "ShuffleChannel": lambda layer, shapes: ShuffleChannel(layer.shuffle_channel_param.group),
    "Sigmoid": lambda layer, shapes: Sigmoid(),
    "Slice": slice_,
    "Softmax": lambda layer, shapes: Softmax(batch_free_axis(layer.softmax_param.axis, shapes)),
    "SoftmaxWithLoss": lambda layer, shapes: Softmax(batch_free_axis(layer.softmax_param.axis, shapes)),
    "Split": lambda layer, shapes: Split(len(layer.top)),
    "Swish": lambda layer, shapes: Swish(layer.swish_param.beta),
    "TanH": lambda layer, shapes: TanH(),
    "Threshold": lambda layer, shapes: Threshold(layer.threshold_param.threshold),
    "Upsample": upsample,
}


def _sliding(layer: Layer, shapes: list[Shape]) -> dict[str, Any]:
    """What Convolution and Deconvolution have in common."""
    param = layer.convolution_param
    if batch_free_axis(param.axis, shapes) != 1:
        raise UnsupportedError(f"axis {param.axis} is not supported, allowed: 1 (the channels)")
    return {
        "num_output": required(param, "num_output"),
        "kernel": pair(param, "kernel_size", "kernel"),
        "stride": pair(param, "stride", "stride", 1),
        "pad": pair(param, "pad", "pad", 0),
        "dilation": pair(param, "dilation", "dilation", 1),
        "group": param.group,
        "bias": param.bias_term,
    }


def _spread(axis: int, num_axes: int, shapes: list[Shape]) -> tuple[int, int]:
    """Axis and number of axes that a parameter covers; -1: all that follow."""
    first = batch_free_axis(axis, shapes)
    return first, len(shapes[0]) - first if num_axes == -1 else num_axes


def _second_bottom(axis: int, shapes: list[Shape]) -> None:
    """A second bottom has a batch axis, so it can lie on the first one from axis 0 on only."""
    if axis not in (0, -len(shapes[0])):
        raise UnsupportedError(f"axis {axis} with two bottoms is not supported, allowed: 0")


def _dims(shape: list[int] | Shape) -> str:
    return "x".join(map(str, shape))
