"""ReLU: y = x for x > 0, else negative_slope * x."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nvdla_sim.graph.operator import Array, Elementwise, Params


@dataclass(frozen=True)
class ReLU(Elementwise):
    """``negative_slope`` 0 is the plain ReLU, otherwise the leaky one."""

    kind: ClassVar[str] = "ReLU"
    negative_slope: float = 0.0

    def apply(self, x: Array, params: Params) -> Array:
        if self.negative_slope == 0:
            return np.maximum(x, np.float32(0))
        return np.where(x > 0, x, x * np.float32(self.negative_slope))
