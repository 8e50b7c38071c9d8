"""A golden recipe's operation stated as a net, piece by piece, with the recipe's integers as weights."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.graph.graph import Graph
from nvdla_sim.graph.operator import Array, Operator
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.deconvolution import Deconvolution
from nvdla_sim.graph.ops.inner_product import InnerProduct
from nvdla_sim.graph.ops.pooling import Pooling
from nvdla_sim.hw.config import config_named
from tests.compiler.recipes import Affine, Float, Recipe

Int8 = NDArray[np.int8]
WithWeights = Convolution | Deconvolution | InnerProduct


@dataclass
class RecipeNet:
    """A graph in the making.

    ``whole``: weights become whole numbers of the steps that a compiler gives them: -128 becomes -127, and
    the largest of each filter (or of all) becomes 127. The operation is the same, and nothing is lost before
    the chip computes. ``scales``: the table. ``inputs``: int8 CHW by name. ``in_between``: tensors that are
    int8 in the recipe's ideal too, those that the CPU makes with "cut". ``mode``: of quantisation.
    """

    recipe: Recipe
    whole: bool
    graph: Graph = field(default_factory=lambda: Graph("recipe"))
    scales: dict[str, float] = field(default_factory=dict)
    inputs: dict[str, Int8] = field(default_factory=dict)
    in_between: dict[str, str] = field(default_factory=dict)
    mode: str = "per-kernel"

    def input(self, values: Int8, scale: float, name: str = "data") -> str:
        self.graph.add_input(name, values.shape)
        self.scales[name], self.inputs[name] = scale, values
        return name

    def only_input(self) -> str:
        return self.input(self.recipe.inputs[0], self.recipe.scale("S_i", self.recipe.scale("S_x")))

    def operands(self, *scales: str) -> list[str]:
        """The operands that lie behind each other in the only input, each from the start of a surface on."""
        recipe, channels = self.recipe, self.recipe.case["output_dims"][0][0]
        atom = config_named(recipe.config).atom
        each = -(-channels // atom) * atom
        return [
            self.input(recipe.inputs[0][i * each :][:channels], recipe.scale(scale), f"in{i}")
            for i, scale in enumerate(scales)
        ]

    def add(self, op: Operator, *inputs: str, scale: float | None = None, **params: Array) -> str:
        """Append a layer; ``scale`` None: its input's."""
        name = f"{op.kind.lower()}{len(self.graph.nodes)}"
        self.scales[name] = self.scales[inputs[0]] if scale is None else scale
        return self.graph.add(name, op, inputs, params).outputs[0]

    def add_int8(self, name: str, how: str = "round") -> str:
        self.in_between[name] = how
        return name

    def add_pool(self, x: str, scale: float | None = None) -> str:
        """The recipe's only PDP operation."""
        (op,) = self.recipe.of_kind("PDP")
        pool = Pooling(
            "MAX" if op["pool_mode"] == 1 else "AVE",
            (op["pool_height"] + 1, op["pool_width"] + 1),
            (op["stride_y"], op["stride_x"]),
            (op["pad_top"], op["pad_left"]),
            ceil=False,
        )
        return self.add(pool, x, scale=scale)

    def add_convolution(self, x: str, index: int, scale: float) -> str:
        """The recipe's convolution ``index`` with its bias, to a tensor of this scale."""
        weights = self.recipe.weights(index)[:, : self.graph.tensors[x].chw[0]]
        return self.add_weights(self.window(index, weights), x, weights, self.recipe.affine(index), scale)

    def window(self, index: int, weights: Int8, group: int = 1) -> Convolution:
        """A convolution with stride, pad and dilation of the recipe's convolution ``index``."""
        op = self.recipe.of_kind("CONV")[index]
        return Convolution(
            len(weights),
            (weights.shape[2], weights.shape[3]),
            (op["stride_y"], op["stride_x"]),
            (op["pad_top"], op["pad_left"]),
            (op["dilation_y"], op["dilation_x"]),
            group,
        )

    def add_weights(self, op: WithWeights, x: str, weights: Int8, affine: Affine, scale: float) -> str:
        """A layer with integer weights, kernels first. ``affine``: what its sums are worth, in steps."""
        if np.ptp(affine.gain) > 0:
            self.mode = "per-filter"
        if self.whole and np.abs(weights).max() > 1:
            weights = _whole(weights, self.mode == "per-filter")
        step = affine.gain * scale / self.scales[x]
        real = (weights * step.reshape(-1, *(1,) * (weights.ndim - 1))).astype(np.float32)
        if isinstance(op, Deconvolution) and op.group == 1:
            real = real.swapaxes(0, 1)
        return self.add(op, x, scale=scale, weight=real, bias=(affine.offset * scale).astype(np.float32))

    def outputs(self, *names: str) -> None:
        self.graph.outputs = names

    @property
    def output_scales(self) -> list[float]:
        return [self.scales[name] for name in self.graph.outputs]

    def ideal(self) -> list[Float]:
        """The outputs in their steps, neither rounded nor cut off."""
        values = {
            name: value[None].astype(np.float32) * np.float32(self.scales[name])
            for name, value in self.inputs.items()
        }
        for node in self.graph.nodes:
            results = node.op.run([values[name] for name in node.inputs], node.params)
            for name, result in zip(node.outputs, results, strict=True):
                values[name] = result
                if how := self.in_between.get(name):
                    steps = np.clip(_int8(result / np.float32(self.scales[name]), how), -128, 127)
                    values[name] = (steps * np.float32(self.scales[name])).astype(np.float32)
        return [values[name][0].astype(np.float64) / self.scales[name] for name in self.graph.outputs]


def _int8(steps: Array, how: str) -> Array:
    if how == "cut":
        return np.floor(steps)
    # halves go towards 0: the multipliers are cut
    return np.copysign(np.ceil(np.abs(steps) - np.float32(0.501)), steps)


def _whole(weights: Int8, per_filter: bool) -> Int8:
    whole = np.ascontiguousarray(np.maximum(weights, -127))
    flat = whole.reshape(len(whole) if per_filter else 1, -1)
    largest = np.abs(flat).argmax(axis=1)[:, None]
    np.put_along_axis(flat, largest, np.sign(np.take_along_axis(flat, largest, 1)) * np.int8(127), 1)
    return whole
