"""Clip: y = min(max(x, low), high)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nvdla_sim.errors import ModelError
from nvdla_sim.graph.operator import Array, Elementwise, Params


@dataclass(frozen=True)
class Clip(Elementwise):
    """Both bounds are real values."""

    kind: ClassVar[str] = "Clip"
    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise ModelError(f"min {self.low} must not be above max {self.high}")

    def apply(self, x: Array, params: Params) -> Array:
        return np.clip(x, np.float32(self.low), np.float32(self.high))
