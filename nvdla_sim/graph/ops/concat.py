"""Concat: the inputs one behind the other along one axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nvdla_sim.graph.operator import Array, Operator, Params, Shape, check_axis, check_equal


@dataclass(frozen=True)
class Concat(Operator):
    """``axis`` 1 is the channels."""

    kind: ClassVar[str] = "Concat"
    arity: ClassVar[tuple[int, int | None]] = (1, None)
    axis: int = 1

    def _shapes(self, shapes: list[Shape]) -> list[Shape]:
        index = self.axis - 1
        for shape in shapes:
            check_axis(self.axis, shape)
        total = sum(shape[index] for shape in shapes)
        joined = [(*shape[:index], total, *shape[index + 1 :]) for shape in shapes]
        check_equal(joined)
        return joined[:1]

    def _run(self, inputs: list[Array], params: Params) -> list[Array]:
        return [np.concatenate(inputs, axis=self.axis)]
