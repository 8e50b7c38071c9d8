"""Split: the same tensor under several names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nvdla_sim.graph.operator import Array, Operator, Params, Shape


@dataclass(frozen=True)
class Split(Operator):
    """``count`` outputs."""

    kind: ClassVar[str] = "Split"
    count: int

    def _shapes(self, shapes: list[Shape]) -> list[Shape]:
        return shapes * self.count

    def _run(self, inputs: list[Array], params: Params) -> list[Array]:
        return inputs * self.count
