"""Permute: the axes in another order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nvdla_sim.errors import ModelError
from nvdla_sim.graph.operator import Array, Operator, Params, Shape


@dataclass(frozen=True)
class Permute(Operator):
    """Axis i of the output is axis ``order[i]`` of the input; the batch stays in front."""

    kind: ClassVar[str] = "Permute"
    order: tuple[int, ...]

    def __post_init__(self) -> None:
        if sorted(self.order) != list(range(len(self.order))):
            raise ModelError(f"order {self.order} must name every axis once")
        if self.order[:1] != (0,):
            raise ModelError(f"order {self.order} moves the batch, allowed: 0 in front")

    def _shapes(self, shapes: list[Shape]) -> list[Shape]:
        if len(self.order) != len(shapes[0]) + 1:
            raise ModelError(
                f"order {self.order} needs {len(self.order)} axes, the bottom has {len(shapes[0]) + 1}"
            )
        return [tuple(shapes[0][axis - 1] for axis in self.order[1:])]

    def _run(self, inputs: list[Array], params: Params) -> list[Array]:
        return [np.ascontiguousarray(inputs[0].transpose(self.order))]
