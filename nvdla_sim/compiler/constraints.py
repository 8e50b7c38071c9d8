"""What the chip can do with a layer. A rule's docstring is the rule and the error message, and what works.

A rule takes a node and its graph and returns what breaks it, "" if nothing does. The graph is the one after
the passes: a layer that is taken out breaks no rule.

Source: compiler-facts sections 3 and 4.4, recipes section 3 (limits that nothing else checks).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from nvdla_sim.compiler.lower.interp import steps_between
from nvdla_sim.compiler.lower.lowering import MAX_SIZE
from nvdla_sim.compiler.lower.pooling import keeps_scale, real_stride
from nvdla_sim.graph.graph import Graph, Node
from nvdla_sim.graph.operator import Operator, shape_text
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

Rule = Callable[[Node, Graph], str]


@dataclass(frozen=True)
class Refusal:
    """A layer that cannot be compiled: ``problem``, and in ``nearest`` what works instead, "" if unknown.

    ``by_scales``: it can with other weights or another table.
    """

    node: Node
    problem: str
    nearest: str = ""
    by_scales: bool = False


def refusals(graph: Graph) -> Iterator[Refusal]:
    """Every layer of the graph that breaks a rule."""
    for node in graph.nodes:
        if type(node.op) not in RULES:
            supported = ", ".join(sorted(operator.kind for operator in RULES))
            yield Refusal(node, f"this kind cannot run on the chip yet; those that can: {supported}")
            continue
        for rule in (*COMMON_RULES, *RULES[type(node.op)]):
            if found := rule(node, graph):
                text, nearest = told(rule)
                yield Refusal(node, f"{text} Here: {found}.", nearest)


def told(rule: Rule) -> tuple[str, str]:
    """The rule, and the nearest thing that works."""
    text, _, nearest = inspect.cleandoc(rule.__doc__ or "").partition("\n\n")
    return " ".join(text.split()), " ".join(nearest.removeprefix("Nearest:").split())


def tensor_sizes(node: Node, graph: Graph) -> str:
    """Channels, height and width are at most 8192.

    Nearest: fewer channels or a smaller picture; for Flatten and Concat, their bottoms as outputs.
    """
    shapes = [graph.tensors[name].chw for name in (*node.inputs, *node.outputs)]
    return ", ".join(shape_text(shape) for shape in shapes if max(shape) > MAX_SIZE)


def convolution_kernel(node: Node, graph: Graph) -> str:
    """A convolution's kernel is at most 32 high and wide.

    Nearest: two convolutions one after the other; kernels of k and l reach over k + l - 1.
    """
    return _beyond(node, "kernel", 32)


def convolution_stride(node: Node, graph: Graph) -> str:
    """A convolution's stride is at most 8.

    Nearest: a part of the stride, and the rest in a MAX Pooling behind it: kernel 1, round_mode FLOOR.
    """
    return _beyond(node, "stride", 8)


def convolution_pad(node: Node, graph: Graph) -> str:
    """A convolution's pad is at most 31.

    Nearest: a part of the pad in a 1x1 convolution in front, with the identity as its weights.
    """
    return _beyond(node, "pad", 31)


def convolution_dilation(node: Node, graph: Graph) -> str:
    """A convolution's dilation is at most 32.

    Nearest: dilation 32, or a Pooling in front and a smaller dilation.
    """
    return _beyond(node, "dilation", 32)


def deconvolution_kernel(node: Node, graph: Graph) -> str:
    """A deconvolution's kernel reaches over at most 32 source rows and columns.

    Nearest: two deconvolutions one after the other; their strides multiply.
    """
    kernel, stride, dilation = (_attribute(node, name) for name in ("kernel", "stride", "dilation"))
    reach = [-(-((k - 1) * d + 1) // s) for k, s, d in zip(kernel, stride, dilation, strict=True)]
    return f"kernel {kernel[0]}x{kernel[1]}, {reach[0]}x{reach[1]}" if max(reach) > 32 else ""


def deconvolution_pad(node: Node, graph: Graph) -> str:
    """A deconvolution's pad is smaller than its kernel.

    Nearest: a smaller pad, and a Crop behind.
    """
    kernel, pad, dilation = (_attribute(node, name) for name in ("kernel", "pad", "dilation"))
    large = any(p > (k - 1) * d for k, p, d in zip(kernel, pad, dilation, strict=True))
    return f"pad {pad[0]}x{pad[1]}, kernel {kernel[0]}x{kernel[1]}" if large else ""


def interp_factor(node: Node, graph: Graph) -> str:
    """An Interp takes whole steps from pixel to pixel, whose product over both axes is at most 127.

    Nearest: an Upsample, or a Deconvolution with the weights of the interpolation.
    """
    sizes, outputs = (graph.tensors[name].chw[1:] for name in (node.inputs[0], node.outputs[0]))
    steps = [steps_between(size, output) for size, output in zip(sizes, outputs, strict=True)]
    whole = None not in steps and (steps[0] or 0) * (steps[1] or 0) <= 127
    return "" if whole else f"{shape_text(sizes)} to {shape_text(outputs)}"


def eltwise_coefficients(node: Node, graph: Graph) -> str:
    """An Eltwise SUM has a coefficient other than 0.

    Nearest: without the layer; its result is 0.
    """
    coeff = _attribute(node, "coeff")
    return f"coeff {coeff}" if coeff and not any(coeff) else ""


def concat_axis(node: Node, graph: Graph) -> str:
    """A Concat joins channels: axis 1.

    Nearest: the parts side by side as channels.
    """
    axis = _attribute(node, "axis")
    return f"axis {axis}" if axis != 1 else ""


def reshape_vector(node: Node, graph: Graph) -> str:
    """A Reshape gives a vector.

    Nearest: the tensor as it is; Flatten or InnerProduct where a vector is needed.
    """
    shape = graph.tensors[node.outputs[0]].chw
    return shape_text(shape) if shape[1:] != (1, 1) else ""


def permute_readers(node: Node, graph: Graph) -> str:
    """A Permute of three axes is read by Flatten, Reshape and InnerProduct only.

    Nearest: the tensor as it is, and the layers behind it trained for that order.
    """
    readers = graph.consumers(node.outputs[0])
    wrong = [
        reader.op.kind for reader in readers if not isinstance(reader.op, Flatten | Reshape | InnerProduct)
    ]
    if node.outputs[0] in graph.outputs:
        wrong.append("a network output")
    axes = len(_attribute(node, "order"))
    return ", ".join(wrong) if axes == 4 else f"{axes - 1} axes"


def inner_product_axis(node: Node, graph: Graph) -> str:
    """An InnerProduct takes all axes but the batch: axis 1.

    Nearest: a Flatten in front, and axis 1.
    """
    axis = _attribute(node, "axis")
    return f"axis {axis}" if axis != 1 else ""


def inner_product_input(node: Node, graph: Graph) -> str:
    """An InnerProduct's input is at most 32 high and wide.

    Nearest: a Pooling or a Convolution with a stride in front.
    """
    shape = graph.tensors[node.inputs[0]].chw
    return shape_text(shape) if max(shape[1:]) > 32 else ""


def average_kernel(node: Node, graph: Graph) -> str:
    """An average is taken over at most 32 rows and columns, unless both are products of two numbers up to 8.

    Nearest: two AVE poolings one after the other, each with its kernel as its stride; kernels multiply.
    """
    return "" if keeps_scale(node, graph) else _beyond(node, "kernel", 32)


def pooling_stride(node: Node, graph: Graph) -> str:
    """A pooling stride is at most 8, where there is more than one window.

    Nearest: a part of the stride, and the rest in a MAX Pooling behind it: kernel 1, round_mode FLOOR.
    """
    assert isinstance(node.op, Pooling)
    stride = real_stride(node.op, graph.tensors[node.outputs[0]].chw)
    return f"stride {stride[0]}x{stride[1]}" if max(stride) > 8 else ""


def scale_shape(node: Node, graph: Graph) -> str:
    """A Scale or Bias has one number, or one for each channel or element; a bottom gives each channel's.

    Nearest: axis 1 and num_axes 1.
    """
    if len(node.inputs) == 2:
        shape, factor = (graph.tensors[name].chw for name in node.inputs)
        return f"{shape_text(factor)} for {shape_text(shape)}" if factor != (shape[0], 1, 1) else ""
    axis, axes = _attribute(node, "axis"), _attribute(node, "num_axes")
    rank = len(graph.tensors[node.inputs[0]].shape)
    return "" if axes == 0 or (axis == 1 and axes in (1, rank)) else f"axis {axis}, num_axes {axes}"


def lrn_window(node: Node, graph: Graph) -> str:
    """An LRN sums the squares of 1, 3, 5, 7 or 9 channels.

    Nearest: local_size 9.
    """
    size = _attribute(node, "local_size")
    return f"local_size {size}" if size > 9 else ""


def lrn_base(node: Node, graph: Graph) -> str:
    """An LRN's k is above 0, its alpha not below.

    Nearest: k 1, as Caffe has it.
    """
    k, alpha = _attribute(node, "k"), _attribute(node, "alpha")
    return f"k {k:g}, alpha {alpha:g}" if k <= 0 or alpha < 0 else ""


def softmax_shape(node: Node, graph: Graph) -> str:
    """Softmax runs over the channels, axis 1, of at most 8192 pixels.

    Nearest: the net without it, and Softmax on the host; the largest channel is the same.
    """
    shape = graph.tensors[node.inputs[0]].chw
    axis = _attribute(node, "axis")
    return f"axis {axis} of {shape_text(shape)}" if axis != 1 or shape[1] * shape[2] > 8192 else ""


def _beyond(node: Node, attribute: str, limit: int) -> str:
    pair: tuple[int, int] = _attribute(node, attribute)
    return f"{attribute} {pair[0]}x{pair[1]}" if max(pair) > limit else ""


def _attribute(node: Node, name: str) -> Any:
    return getattr(node.op, name)


COMMON_RULES: tuple[Rule, ...] = (tensor_sizes,)
RULES: dict[type[Operator], tuple[Rule, ...]] = {
    AbsVal: (),
    BNLL: (),
    BatchNorm: (),
    Bias: (scale_shape,),
    Clip: (),
    Concat: (concat_axis,),
    Convolution: (
        convolution_kernel,
        convolution_stride,
        convolution_pad,
        convolution_dilation,
    ),
    Crop: (),
    Deconvolution: (deconvolution_kernel, deconvolution_pad),
    Dropout: (),
    ELU: (),
    Eltwise: (eltwise_coefficients,),
    Exp: (),
    Flatten: (),
    InnerProduct: (inner_product_axis, inner_product_input),
    Pooling: (average_kernel, pooling_stride),
    Interp: (interp_factor,),
    LRN: (lrn_window, lrn_base),
    Log: (),
    Permute: (permute_readers,),
    PReLU: (),
    Power: (),
    ReLU: (),
    ReLU6: (),
    Reshape: (reshape_vector,),
    Scale: (scale_shape,),
    ShuffleChannel: (),
    Sigmoid: (),
    Slice: (),
    Softmax: (softmax_shape,),
    Split: (),
    Swish: (),
    TanH: (),
    Threshold: (),
    Upsample: (),
}
