"""Reshape: another shape for the same elements in the same order."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from nvdla_sim.errors import ModelError
from nvdla_sim.graph.operator import Array, Operator, Params, Shape, shape_text


@dataclass(frozen=True)
class Reshape(Operator):
    """``shape`` is the whole output shape, without batch."""

    kind: ClassVar[str] = "Reshape"
    shape: Shape

    def _shapes(self, shapes: list[Shape]) -> list[Shape]:
        if math.prod(self.shape) != math.prod(shapes[0]):
            raise ModelError(f"{shape_text(shapes[0])} cannot take the shape {shape_text(self.shape)}")
        return [self.shape]

    def _run(self, inputs: list[Array], params: Params) -> list[Array]:
        return [inputs[0].reshape(-1, *self.shape)]
