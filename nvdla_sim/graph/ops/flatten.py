"""Flatten: the axes from ``axis`` to ``end_axis`` become one; the order of the elements stays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from nvdla_sim.errors import ModelError
from nvdla_sim.graph.operator import Array, Operator, Params, Shape, shape_text


@dataclass(frozen=True)
class Flatten(Operator):
    """Both axes are included; ``end_axis`` -1 is the last one."""

    kind: ClassVar[str] = "Flatten"
    axis: int = 1
    end_axis: int = -1

    def _shapes(self, shapes: list[Shape]) -> list[Shape]:
        shape = shapes[0]
        last = self.end_axis + len(shape) + 1 if self.end_axis < 0 else self.end_axis
        if not 1 <= self.axis <= last <= len(shape):
            raise ModelError(
                f"axis {self.axis} to {self.end_axis} are not axes of {shape_text(shape)} after the batch"
            )
        return [(*shape[: self.axis - 1], math.prod(shape[self.axis - 1 : last]), *shape[last:])]

    def _run(self, inputs: list[Array], params: Params) -> list[Array]:
        x = inputs[0]
        return [x.reshape(x.shape[0], *self._shapes([x.shape[1:]])[0])]
