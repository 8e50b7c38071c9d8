"""Golden recipes of elementwise layers, tables and pooling as nets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nvdla_sim.graph.operator import Operator
from nvdla_sim.graph.ops.bias import Bias
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.crop import Crop
from nvdla_sim.graph.ops.eltwise import Eltwise
from nvdla_sim.graph.ops.flatten import Flatten
from nvdla_sim.graph.ops.lrn import LRN
from nvdla_sim.graph.ops.pooling import Pooling
from nvdla_sim.graph.ops.power import Power
from nvdla_sim.graph.ops.prelu import PReLU
from nvdla_sim.graph.ops.relu import ReLU
from nvdla_sim.graph.ops.scale import Scale
from nvdla_sim.graph.ops.slice import Slice
from nvdla_sim.hw.config import config_named
from tests.compiler.recipe_net import RecipeNet
from tests.compiler.recipes import Affine

Build = Callable[[RecipeNet], None]


def layer(op: Operator) -> Build:
    """One layer without parameters."""

    def build(net: RecipeNet) -> None:
        net.outputs(net.add(op, net.only_input(), scale=net.recipe.scale("S_o")))

    return build


def rescale(factor: float = 1.0, shift: float = 0.0) -> Build:
    return layer(Power(1.0, factor, shift))


def power(net: RecipeNet) -> None:
    rescale(net.recipe.scale("a"), net.recipe.scale("b"))(net)


def lrn(net: RecipeNet) -> None:
    size, alpha, beta, k = (net.recipe.scale(name) for name in ("local_size", "alpha", "beta", "k"))
    layer(LRN(int(size), alpha, beta, k))(net)


def average(kernel: int, stride: int = 1, pad: int = 0) -> Build:
    return layer(Pooling("AVE", (kernel, kernel), (stride, stride), (pad, pad)))


def maximum(kernel: int, stride: int = 1, pad: int = 0) -> Build:
    return layer(Pooling("MAX", (kernel, kernel), (stride, stride), (pad, pad), ceil=False))


def pool(net: RecipeNet) -> None:
    """As PDP has it; in front of it a convolution or a change of scale on the fly."""
    x = net.only_input()
    if net.recipe.of_kind("CONV"):
        x = net.add_convolution(x, 0, 1.0)
    elif net.recipe.of_kind("SDP"):
        x = net.add(Power(1.0, net.recipe.scale("ratio")), x)
    net.outputs(net.add_pool(x))


def eltwise(net: RecipeNet) -> None:
    recipe, names = net.recipe, net.operands("S_a", "S_b")
    operation = {"prod": "PROD", "max": "MAX"}.get(recipe.variant, "SUM")
    coeff = (recipe.scale("c_a"), recipe.scale("c_b")) if operation == "SUM" else ()
    x = net.add(Eltwise(operation, coeff), *names, scale=recipe.scale("S_o"))
    net.outputs(net.add(ReLU(), x) if recipe.has_relu else x)


def sum_of_three(net: RecipeNet) -> None:
    equal = net.recipe.variant == "sum3_equal"
    names = net.operands(*(("S_a",) * 3 if equal else ("S_a", "S_b", "S_c")))
    net.outputs(net.add(Eltwise(), *names, scale=net.recipe.scale("S_o")))


def sum_behind_convolution(net: RecipeNet) -> None:
    """The SDP brings the sums of products to the steps of the other operand first."""
    recipe, (a, b) = net.recipe, net.operands("S_i", "S_b")
    scale = recipe.scale("S_o")
    x = net.add(Eltwise(), net.add_convolution(a, 0, scale), b, scale=scale)
    net.outputs(net.add(ReLU(), x))


def sum_with_own_source(net: RecipeNet) -> None:
    """A convolution's source is added to its result."""
    x = net.only_input()
    if net.recipe.of_kind("PDP"):
        x = net.add_pool(x)
    else:
        size = net.input(np.zeros(net.recipe.case["output_dims"][0], np.int8), 1.0, "size")
        x = net.add(Crop(2, (0, 0)), x, size)
    net.outputs(net.add(Eltwise(), net.add_convolution(x, 0, 2.0), x, scale=2.0))


def broadcast(net: RecipeNet) -> None:
    """A factor or a summand for each channel: the sum over its pixels / 6, in int8."""
    x = net.only_input()
    channels, *window = net.recipe.inputs[0].shape
    op = Convolution(channels, (window[0], window[1]), group=channels)
    ones = np.ones((channels, 1, *window), np.int8)
    g = net.add_weights(op, x, ones, Affine.factor(1 / 6, channels), net.recipe.scale("S_g"))
    g = net.add(Flatten(), net.add_int8(g))
    if net.recipe.variant == "broadcast_sum":
        net.outputs(net.add(Bias(axis=0), x, g, scale=2.0))
    else:
        net.outputs(net.add(Scale(axis=0), x, g, scale=net.recipe.scale("S_o")))


def behind_convolution(op: Operator) -> Build:
    """A layer without parameters behind a convolution with its scale."""

    def build(net: RecipeNet) -> None:
        net.outputs(net.add(op, net.add_convolution(net.only_input(), 0, net.recipe.scale("S_o"))))

    return build


def prelu(net: RecipeNet) -> None:
    recipe, x = net.recipe, net.only_input()
    if recipe.of_kind("CONV"):
        x = net.add_convolution(x, 0, recipe.scale("S_o"))
        stage = recipe.of_kind("SDP")[0]["x2"]
        slope = np.array(stage["operand"], np.float32) * np.float32(2.0 ** -stage["truncate"])
    else:
        slope = np.array((recipe.case["scales"] or {})["slopes"], np.float32)
    net.outputs(net.add(PReLU(), x, scale=recipe.scale("S_o"), slope=slope))


def table_behind_convolution(op: Operator) -> Build:
    """A function behind a convolution, whose sums X1 brings to steps of S_v: int8 has those up to +-8."""

    def build(net: RecipeNet) -> None:
        recipe, x = net.recipe, net.only_input()
        weights, affine = recipe.weights(0), recipe.affine(0, with_output=False)
        x = net.add_weights(net.window(0, weights), x, weights, affine, recipe.scale("S_v"))
        net.scales[x] = 8 / 127
        net.outputs(net.add(op, x, scale=recipe.scale("S_o")))

    return build


def slice_channels(net: RecipeNet) -> None:
    recipe, x = net.recipe, net.only_input()
    channels, atom = recipe.inputs[0].shape[0], config_named(recipe.config).atom
    sizes = (3, atom + 1, channels - atom - 4)
    if recipe.variant == "slice_aligned_offset":
        sizes = (atom, channels - atom)
    names = [f"part{index}" for index in range(len(sizes))]
    net.scales |= dict.fromkeys(("slice", *names), net.scales[x])
    net.graph.add("slice", Slice(sizes), [x], {}, names)
    if recipe.variant == "slice_expanded_weights":
        weights, scale = recipe.weights(0)[:, 3 : 3 + sizes[1]], recipe.scale("S_o")
        x = net.add_weights(net.window(0, weights), names[1], weights, recipe.affine(0), scale)
        net.outputs(x)
    else:
        net.outputs(names[1])


def crop(top: int, left: int, height: int, width: int) -> Build:
    """A window, and the convolution over it if there is one."""

    def build(net: RecipeNet) -> None:
        recipe, x = net.recipe, net.only_input()
        size = net.input(np.zeros((recipe.inputs[0].shape[0], height, width), np.int8), 1.0, "size")
        x = net.add(Crop(2, (top, left)), x, size)
        net.outputs(net.add_convolution(x, 0, recipe.scale("S_o")) if recipe.of_kind("CONV") else x)

    return build
