"""Crop: a part of the first input with the second input's size from one axis on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nvdla_sim.errors import ModelError
from nvdla_sim.graph.operator import Array, Operator, Params, Shape, check_axis, shape_text


@dataclass(frozen=True)
class Crop(Operator):
    """``offset``: where the part begins on each axis from ``axis`` on. The second input gives a size only."""

    kind: ClassVar[str] = "Crop"
    arity: ClassVar[tuple[int, int | None]] = (2, 2)
    axis: int
    offset: tuple[int, ...]

    def _shapes(self, shapes: list[Shape]) -> list[Shape]:
        shape, size = shapes
        check_axis(self.axis, shape)
        if len(shape) != len(size) or len(self.offset) != len(shape) + 1 - self.axis:
            raise ModelError(
                f"{len(self.offset)} offsets from axis {self.axis} on do not fit "
                f"{shape_text(shape)} and {shape_text(size)}"
            )
        first = self.axis - 1
        for start, whole, part in zip(self.offset, shape[first:], size[first:], strict=True):
            if start < 0 or start + part > whole:
                raise ModelError(f"offset {start} and size {part} leave an axis of {whole}")
        return [(*shape[:first], *size[first:])]

    def _run(self, inputs: list[Array], params: Params) -> list[Array]:
        x, size = inputs[0], inputs[1].shape[self.axis :]
        part = [slice(start, start + length) for start, length in zip(self.offset, size, strict=True)]
        return [x[(slice(None),) * self.axis + tuple(part)].copy()]
