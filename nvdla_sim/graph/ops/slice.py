"""Slice: the input cut into parts along one axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nvdla_sim.errors import ModelError
from nvdla_sim.graph.operator import Array, Operator, Params, Shape, check_axis


@dataclass(frozen=True)
class Slice(Operator):
    """``sizes`` are the outputs' sizes along ``axis``; together they are the input's."""

    kind: ClassVar[str] = "Slice"
    sizes: tuple[int, ...]
    axis: int = 1

    def _shapes(self, shapes: list[Shape]) -> list[Shape]:
        shape, index = shapes[0], self.axis - 1
        check_axis(self.axis, shape)
        if sum(self.sizes) != shape[index]:
            raise ModelError(f"parts of {self.sizes} do not fill the {shape[index]} of axis {self.axis}")
        return [(*shape[:index], size, *shape[index + 1 :]) for size in self.sizes]

    def _run(self, inputs: list[Array], params: Params) -> list[Array]:
        borders = np.cumsum(self.sizes)[:-1]
        return [np.ascontiguousarray(part) for part in np.split(inputs[0], borders, axis=self.axis)]
