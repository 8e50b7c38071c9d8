"""Graph -> prototxt and caffemodel that Caffe, NVIDIA's compiler and our importer read.

The tops are the graph's tensor names, so no layer works in place ("unique top").
"""

from __future__ import annotations

import os
from itertools import accumulate
from typing import Any

import numpy as np
from google.protobuf import text_format
from google.protobuf.message import Message

from nvdla_sim.caffe.caffe_pb2 import (
    Blob,
    EltwiseParameter,
    InputParameter,
    Layer,
    Net,
    PoolingParameter,
    Shape,
    TrainedLayer,
    TrainedNet,
)
from nvdla_sim.errors import UnsupportedError
from nvdla_sim.files import write_atomically
from nvdla_sim.graph.graph import Graph, Node
from nvdla_sim.graph.operator import Array
from nvdla_sim.graph.ops.absval import AbsVal
from nvdla_sim.graph.ops.batch_norm import BatchNorm
from nvdla_sim.graph.ops.bias import Bias
from nvdla_sim.graph.ops.bnll import BNLL
from nvdla_sim.graph.ops.clip import Clip
from nvdla_sim.graph.ops.concat import Concat
from nvdla_sim.graph.ops.convolution import Convolution, Pair
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


def save_caffe(graph: Graph, prototxt: str | os.PathLike[str], caffemodel: str | os.PathLike[str]) -> None:
    """Write both files; ``NvdlaError`` when a parameter is missing or a file cannot be written."""
    text, weights = prototxt_text(graph), caffemodel_bytes(graph)
    write_atomically(prototxt, text.encode())
    write_atomically(caffemodel, weights)


def prototxt_text(graph: Graph) -> str:
    """The net in the new syntax, batch 1, an Input layer for every input; without fields at their default."""
    net = Net(name=graph.name)
    for name in graph.inputs:
        shape = Shape(dim=[1, *graph.tensors[name].shape])
        net.layer.append(
            Layer(name=name, type="Input", top=[name], input_param=InputParameter(shape=[shape]))
        )
    for node in graph.nodes:
        layer = Layer(name=node.name, type=node.op.kind, bottom=node.inputs, top=node.outputs)
        param, fields = _fields(node)
        for field, value in fields.items():
            _set(getattr(layer, param), field, value)
        net.layer.append(layer)
    return text_format.MessageToString(net)


def caffemodel_bytes(graph: Graph) -> bytes:
    """Every layer with its parameters; ``ModelError`` when the graph was loaded without them."""
    net = TrainedNet(name=graph.name)
    for node in graph.nodes:
        arrays = list(graph.weights(node).values())
        if isinstance(node.op, BatchNorm):
            arrays.append(np.ones(1, np.float32))  # the moving-average factor
        blobs = [_blob(array) for array in arrays]
        net.layer.append(TrainedLayer(name=node.name, type=node.op.kind, blobs=blobs))
    return net.SerializeToString()


def _blob(array: Array) -> Blob:
    return Blob(shape=Shape(dim=array.shape), data=[array.astype("<f4").tobytes()])


def _set(message: Any, field: str, value: Any) -> None:
    known = message.DESCRIPTOR.fields_by_name[field]
    if isinstance(value, (list, tuple)):
        getattr(message, field).extend(value)
    elif isinstance(value, Message):
        getattr(message, field).CopyFrom(value)
    elif not known.has_default_value or value != known.default_value:
        setattr(message, field, value)


def _fields(node: Node) -> tuple[str, dict[str, Any]]:
    """Name and content of the operator's parameter message; no content for operators without one."""
    match node.op:
        case Convolution() | Deconvolution() as op:
            return "convolution_param", {
                "num_output": op.num_output,
                "bias_term": op.bias,
                "group": op.group,
                "dilation": () if op.dilation == (1, 1) else op.dilation,
                **_window(op.kernel, op.stride, op.pad, repeated=True),
            }
        case Pooling() as op:
            return "pooling_param", {
                "pool": PoolingParameter.Method.Value(op.method),
                "round_mode": PoolingParameter.CEIL if op.ceil else PoolingParameter.FLOOR,
                **_window(op.kernel, op.stride, op.pad, repeated=False),
            }
        case InnerProduct() as op:
            return "inner_product_param", {"num_output": op.num_output, "bias_term": op.bias, "axis": op.axis}
        case BatchNorm() as op:
            return "batch_norm_param", {"eps": op.eps}
        case Scale() as op:
            if len(node.inputs) == 2:
                return "scale_param", {"axis": 0}
            return "scale_param", {"axis": op.axis, "num_axes": op.num_axes, "bias_term": op.bias}
        case Bias() as op:
            if len(node.inputs) == 2:
                return "bias_param", {"axis": 0}
            return "bias_param", {"axis": op.axis, "num_axes": op.num_axes}
        case ReLU() as op:
            return "relu_param", {"negative_slope": op.negative_slope}
        case PReLU() as op:
            return "prelu_param", {"channel_shared": op.channel_shared}
        case ELU() as op:
            return "elu_param", {"alpha": op.alpha}
        case Swish() as op:
            return "swish_param", {"beta": op.beta}
        case Threshold() as op:
            return "threshold_param", {"threshold": op.threshold}
        case Clip() as op:
            return "clip_param", {"min": op.low, "max": op.high}
        case LRN() as op:
            return "lrn_param", {"local_size": op.local_size, "alpha": op.alpha, "beta": op.beta, "k": op.k}
        case Power() as op:
            return "power_param", {"power": op.power, "scale": op.scale, "shift": op.shift}
        case Exp() as op:
            return "exp_param", {"base": op.base or -1.0, "scale": op.scale, "shift": op.shift}
        case Log() as op:
            return "log_param", {"base": op.base or -1.0, "scale": op.scale, "shift": op.shift}
        case Eltwise() as op:
            operation = EltwiseParameter.Operation.Value(op.operation)
            return "eltwise_param", {"operation": operation, "coeff": op.coeff}
        case Concat() as op:
            return "concat_param", {"axis": op.axis}
        case Slice() as op:
            return "slice_param", {"axis": op.axis, "slice_point": tuple(accumulate(op.sizes))[:-1]}
        case Softmax() as op:
            return "softmax_param", {"axis": op.axis}
        case Flatten() as op:
            return "flatten_param", {"axis": op.axis, "end_axis": op.end_axis}
        case Reshape() as op:
            return "reshape_param", {"shape": Shape(dim=(0, *op.shape))}
        case Permute() as op:
            return "permute_param", {"order": op.order}
        case Crop() as op:
            return "crop_param", {"axis": op.axis, "offset": op.offset}
        case Upsample() as op:
            return "upsample_param", _sides("scale", "scale", op.factor, None, repeated=False)
        case Interp() as op:
            return "interp_param", {"height": op.height, "width": op.width}
        case ShuffleChannel() as op:
            return "shuffle_channel_param", {"group": op.group}
        case AbsVal() | BNLL() | Dropout() | ReLU6() | Sigmoid() | Split() | TanH():
            return "", {}
    raise UnsupportedError(
        f'layer "{node.name}": the operator {node.op.kind} cannot be written as a Caffe layer'
    )


def _window(kernel: Pair, stride: Pair, pad: Pair, repeated: bool) -> dict[str, Any]:
    return {
        **_sides("kernel_size", "kernel", kernel, None, repeated),
        **_sides("stride", "stride", stride, 1, repeated),
        **_sides("pad", "pad", pad, 0, repeated),
    }


def _sides(name: str, stem: str, pair: Pair, default: int | None, repeated: bool) -> dict[str, Any]:
    """One number where height and width agree, else two fields; nothing where both are the default."""
    height, width = pair
    if height != width:
        return {f"{stem}_h": height, f"{stem}_w": width}
    if height == default:
        return {}
    return {name: (height,) if repeated else height}
