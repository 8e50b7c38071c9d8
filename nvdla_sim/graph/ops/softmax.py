"""Softmax: y = exp(x - max) / sum of exp(x - max) along one axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nvdla_sim.graph.operator import Array, Operator, Params, Shape, check_axis


@dataclass(frozen=True)
class Softmax(Operator):
    """``axis`` 1 is the channels."""

    kind: ClassVar[str] = "Softmax"
    axis: int = 1

    def _shapes(self, shapes: list[Shape]) -> list[Shape]:
        check_axis(self.axis, shapes[0])
        return shapes

    def _run(self, inputs: list[Array], params: Params) -> list[Array]:
        # the maximum is subtracted so that no exponential overflows
        y = np.exp(inputs[0] - inputs[0].max(axis=self.axis, keepdims=True))
        return [y / y.sum(axis=self.axis, keepdims=True)]
