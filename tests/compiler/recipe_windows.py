"""Golden recipes of convolutions, deconvolutions and what they feed as nets."""

from __future__ import annotations

import re
from itertools import product

import numpy as np

from nvdla_sim.compiler.lower.deconvolution import phases
from nvdla_sim.graph.ops.concat import Concat
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.deconvolution import Deconvolution
from nvdla_sim.graph.ops.eltwise import Eltwise
from nvdla_sim.graph.ops.inner_product import InnerProduct
from nvdla_sim.graph.ops.power import Power
from nvdla_sim.graph.ops.relu import ReLU
from nvdla_sim.graph.ops.softmax import Softmax
from tests.compiler.recipe_net import Int8, RecipeNet
from tests.compiler.recipes import Affine


def convolution(net: RecipeNet) -> None:
    x = net.add_convolution(net.only_input(), 0, net.recipe.scale("S_o"))
    net.outputs(net.add(ReLU(), x) if net.recipe.has_relu else x)


def wide_spread(net: RecipeNet) -> None:
    """Small filters' multipliers have few bits: what they were meant to be is found from the ideal."""
    recipe, x = net.recipe, net.only_input()
    weights, (ideal,) = recipe.weights(0), recipe.ideals
    op = net.window(0, weights)
    floats = {"weight": weights.astype(np.float32), "bias": np.zeros(len(weights), np.float32)}
    (sums,) = op.run([recipe.inputs[0][None].astype(np.float32)], floats)
    lines = []
    for values, wanted in zip(sums[0], ideal.reshape(sums[0].shape), strict=True):
        inside = np.abs(wanted + 0.5) < 127
        lines.append(np.polyfit(values[inside], wanted[inside], 1))
    gain, offset = np.array(lines).T
    net.outputs(net.add_weights(op, x, weights, Affine(gain, offset), recipe.scale("S_o")))


def depthwise(net: RecipeNet) -> None:
    """Each operation has a surface's channels, with weights on the diagonal."""
    blocks = [net.recipe.weights(index) for index in range(len(net.recipe.of_kind("CONV")))]
    weights = np.concatenate([block[range(len(block)), range(len(block))][:, None] for block in blocks])
    _grouped(net, weights, len(weights))


def groups(net: RecipeNet) -> None:
    """An operation for each group; or one for three groups, filled up with zeros."""
    count = len(net.recipe.of_kind("CONV"))
    weights = net.recipe.joined_weights(count)
    if count == 1:
        count, channels = 3, weights.shape[1] // 3
        parts = enumerate(np.split(weights, count))
        weights = np.concatenate([part[:, i * channels : (i + 1) * channels] for i, part in parts])
    _grouped(net, weights, count)


def _grouped(net: RecipeNet, weights: Int8, group: int) -> None:
    recipe, x = net.recipe, net.only_input()
    affine = recipe.joined_affine(len(recipe.of_kind("CONV")))
    x = net.add_weights(net.window(0, weights, group), x, weights, affine, recipe.scale("S_o"))
    net.outputs(net.add(ReLU(), x) if recipe.has_relu else x)


def concat(net: RecipeNet) -> None:
    """Three convolutions side by side, and what reads them."""
    recipe, x = net.recipe, net.only_input()
    x = net.add(Concat(), *(net.add_convolution(x, index, recipe.scale("S_c")) for index in range(3)))
    if recipe.of_kind("PDP"):
        x = net.add_pool(x)
    elif recipe.variant.startswith("concat_conv"):
        weights = recipe.weights(3)[:, recipe.joined_lanes(3)]
        x = net.add_weights(net.window(3, weights), x, weights, recipe.affine(3), recipe.scale("S_o"))
    net.outputs(x)


def deconvolution(net: RecipeNet) -> None:
    """The phases' weights put together again: columns first, each phase's taps in reverse."""
    recipe, x = net.recipe, net.only_input()
    match = re.search(r"k(\d)s(\d)(?:p(\d))?", recipe.variant)
    assert match
    kernel, stride, pad = (int(number or 0) for number in match.groups())
    kernels, *size = recipe.case["output_dims"][0]
    side = max(kernel, stride)
    weights = np.zeros((kernels, recipe.inputs[0].shape[0], side, side), np.int8)
    rows, columns = (phases(side, stride, pad, length) for length in size)
    pairs = [(row, column) for column, row in product(columns, rows)]
    parts = [recipe.weights(index) for index in range(len(recipe.of_kind("CONV")))]
    if recipe.variant.endswith(("direct", "rubik")):
        pairs = list(product(rows, columns))
    if recipe.variant.endswith("rubik"):
        parts = np.split(parts[0], len(pairs))
    found = iter(parts)
    for row, column in pairs:
        first = 0
        while first < kernels:
            part = next(found)
            weights[first : first + len(part), :, row.taps, column.taps] = part[:, :, ::-1, ::-1]
            first += len(part)
    affine = Affine.factor(float(recipe.affine(0).gain[0]), kernels)
    if recipe.of_kind("SDP")[0]["x1"]:
        affine = recipe.affine(0)  # with a bias
    op = Deconvolution(kernels, (kernel, kernel), (stride, stride), (pad, pad))
    x = net.add_weights(op, x, weights[:, :, :kernel, :kernel], affine, recipe.scale("S_o"))
    net.outputs(net.add(ReLU(), x) if recipe.has_relu else x)


def bilinear(net: RecipeNet) -> None:
    channels, line = net.recipe.inputs[0].shape[0], np.array([1, 3, 3, 1], np.int8)
    weights = np.broadcast_to(np.outer(line, line), (channels, 1, 4, 4))
    op = Deconvolution(channels, (4, 4), (2, 2), (1, 1), group=channels)
    net.outputs(net.add_weights(op, net.only_input(), weights, Affine.factor(1 / 16, channels), 1.0))


def spread_pixel(net: RecipeNet) -> None:
    """One pixel over a whole plane: a deconvolution with ones."""
    channels, *window = net.recipe.inputs[0].shape
    op = Deconvolution(channels, (window[0], window[1]), group=channels, bias=False)
    x = net.add_convolution(net.only_input(), 0, 1.0)
    net.outputs(net.add(op, x, weight=np.ones((channels, 1, *window), np.float32)))


def space_to_depth(net: RecipeNet) -> None:
    """Each output channel is one pixel of 2x2: a convolution with one weight of 1."""
    channels = net.recipe.inputs[0].shape[0]
    weights = np.zeros((4, channels, channels, 2, 2), np.int8)
    for phase, (row, column) in enumerate(np.ndindex(2, 2)):
        weights[phase, :, :, row, column] = np.eye(channels)
    op, affine = Convolution(4 * channels, (2, 2), (2, 2)), Affine.factor(1.0, 4 * channels)
    weights = weights.reshape(-1, channels, 2, 2)
    net.outputs(net.add_weights(op, net.only_input(), weights, affine, 1.0))


def cut_by_kernels(net: RecipeNet) -> None:
    """One convolution in pieces; the last one only puts channels in order."""
    pieces = len(net.recipe.of_kind("CONV")) - 1
    weights, affine = net.recipe.joined_weights(pieces), net.recipe.joined_affine(pieces)
    x, scale = net.only_input(), net.recipe.scale("S_o")
    net.outputs(net.add_weights(net.window(0, weights), x, weights, affine, scale))


def two_inner_products(net: RecipeNet) -> None:
    """The first one in pieces, with ReLU."""
    recipe, pieces = net.recipe, len(net.recipe.of_kind("CONV")) - 1
    affine, weights = recipe.joined_affine(pieces), recipe.joined_weights(pieces)
    weights = weights.reshape(len(weights), -1)
    x = net.add_weights(InnerProduct(len(weights)), net.only_input(), weights, affine, recipe.scale("S_t"))
    x = net.add_int8(net.add(ReLU(), x))
    weights = recipe.weights(pieces)[:, recipe.joined_lanes(pieces), 0, 0]
    op, affine = InnerProduct(len(weights)), recipe.affine(pieces)
    net.outputs(net.add_weights(op, x, weights, affine, recipe.scale("S_o")))


def two_convolutions(net: RecipeNet) -> None:
    x = net.add_int8(net.add_convolution(net.only_input(), 0, net.recipe.scale("S_1")))
    net.outputs(net.add_convolution(x, 1, 1.0))


def softmax(net: RecipeNet) -> None:
    """Behind a convolution, and in front of another one."""
    recipe = net.recipe
    x = net.add_int8(net.add_convolution(net.only_input(), 0, recipe.scale("S_1")))
    x = net.add(Softmax(), x, scale=recipe.scale("S_2"))
    if recipe.variant == "conv_softmax_conv":
        x = net.add_convolution(net.add_int8(x, "cut"), 1, recipe.scale("S_o"))
    net.outputs(x)


def two_in_two_out(net: RecipeNet) -> None:
    recipe, scale = net.recipe, net.recipe.scale("S_o")
    a, b = (net.input(recipe.inputs[i], recipe.scale(f"S_{name}"), name) for i, name in enumerate("ab"))
    x = net.add(Eltwise(), net.add_convolution(a, 0, scale), b, scale=scale)
    net.outputs(x, net.add_pool(x))


def one_in_three_out(net: RecipeNet) -> None:
    x = net.only_input()
    net.outputs(net.add_convolution(x, 0, 1.0), net.add(Power(scale=0.5), x), net.add_pool(x))


def stride_in_two_steps(net: RecipeNet) -> None:
    """The rest of a stride in a pool of one pixel."""
    net.outputs(net.add_pool(net.add_convolution(net.only_input(), 0, 1.0)))
