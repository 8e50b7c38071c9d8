"""Power: y = (shift + scale * x) ^ power."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nvdla_sim.graph.operator import Array, Elementwise, Params


@dataclass(frozen=True)
class Power(Elementwise):
    """A negative base with a broken exponent gives NaN, as in Caffe."""

    kind: ClassVar[str] = "Power"
    power: float = 1.0
    scale: float = 1.0
    shift: float = 0.0

    def apply(self, x: Array, params: Params) -> Array:
        y = np.float32(self.scale) * x + np.float32(self.shift)
        if self.power == 1:
            return y
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            return np.power(y, np.float32(self.power))
