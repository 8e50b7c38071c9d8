"""Interp: bilinear resizing in which the corner pixels of input and output coincide.

Output row i lies at input row i * (H - 1) / (height - 1), between the two nearest rows; columns alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nvdla_sim.graph.operator import Array, Operator, Params, Shape, feature_shape


@dataclass(frozen=True)
class Interp(Operator):
    """``height`` and ``width`` are the output's."""

    kind: ClassVar[str] = "Interp"
    height: int
    width: int

    def _shapes(self, shapes: list[Shape]) -> list[Shape]:
        return [(feature_shape(shapes[0], self.kind)[0], self.height, self.width)]

    def _run(self, inputs: list[Array], params: Params) -> list[Array]:
        return [_resized(_resized(inputs[0], 2, self.height), 3, self.width)]


def _resized(x: Array, axis: int, length: int) -> Array:
    last = x.shape[axis] - 1
    position = np.arange(length) * (last / (length - 1) if length > 1 else 0)
    before = np.minimum(position.astype(np.int64), last)
    after = np.minimum(before + 1, last)
    weight = (position - before).astype(np.float32).reshape((-1,) + (1,) * (3 - axis))
    return x.take(before, axis) * (1 - weight) + x.take(after, axis) * weight
