"""InnerProduct: y[k] = sum over i of w[k, i] * x[i] + b[k], x being the input flattened from ``axis`` on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from nvdla_sim.errors import ModelError
from nvdla_sim.graph.operator import Array, Operator, Params, Shape, check_axis


@dataclass(frozen=True)
class InnerProduct(Operator):
    """Axes before ``axis`` stay. Parameters: weight (num_output, inputs); bias (num_output,) if ``bias``."""

    kind: ClassVar[str] = "InnerProduct"
    num_output: int
    bias: bool = True
    axis: int = 1

    def __post_init__(self) -> None:
        if self.num_output < 1:
            raise ModelError(f"num_output {self.num_output} must be at least 1")

    def _shapes(self, shapes: list[Shape]) -> list[Shape]:
        check_axis(self.axis, shapes[0])
        return [(*shapes[0][: self.axis - 1], self.num_output)]

    def _param_shapes(self, shapes: list[Shape]) -> dict[str, Shape]:
        weight = (self.num_output, math.prod(shapes[0][self.axis - 1 :]))
        return {"weight": weight, **({"bias": (self.num_output,)} if self.bias else {})}

    def _run(self, inputs: list[Array], params: Params) -> list[Array]:
        x, weight = inputs[0], params["weight"]
        y = x.reshape(-1, weight.shape[1]) @ weight.T
        if self.bias:
            y += params["bias"]
        return [y.reshape(*x.shape[: self.axis], self.num_output)]
