"""Bias: y = x + bias, spread over the axes it does not have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nvdla_sim.graph.operator import Array, Operator, Params, Shape, along
from nvdla_sim.graph.ops.scale import check_spread


@dataclass(frozen=True)
class Bias(Operator):
    """One input: the parameter bias has the input's sizes from ``axis`` on.

    Two inputs: the second one is the bias; it has the first sizes of the first one. No parameter.
    """

    kind: ClassVar[str] = "Bias"
    arity: ClassVar[tuple[int, int | None]] = (1, 2)
    axis: int = 1
    num_axes: int = 1

    def _shapes(self, shapes: list[Shape]) -> list[Shape]:
        check_spread(shapes, self.axis, self.num_axes)
        return shapes[:1]

    def _param_shapes(self, shapes: list[Shape]) -> dict[str, Shape]:
        if len(shapes) == 2:
            return {}
        return {"bias": shapes[0][self.axis - 1 : self.axis - 1 + self.num_axes]}

    def _run(self, inputs: list[Array], params: Params) -> list[Array]:
        x = inputs[0]
        if len(inputs) == 2:
            return [x + along(inputs[1], 0, x.ndim)]
        return [x + along(params["bias"], self.axis, x.ndim)]
