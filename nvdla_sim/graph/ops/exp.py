"""Exp: y = base ^ (shift + scale * x)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nvdla_sim.errors import ModelError
from nvdla_sim.graph.operator import Array, Elementwise, Params


@dataclass(frozen=True)
class Exp(Elementwise):
    """``base`` None is e."""

    kind: ClassVar[str] = "Exp"
    base: float | None = None
    scale: float = 1.0
    shift: float = 0.0

    def __post_init__(self) -> None:
        if self.base is not None and not self.base > 0:
            raise ModelError(f"base {self.base} must be above 0, or -1 for e")

    def apply(self, x: Array, params: Params) -> Array:
        exponent = np.float32(self.scale) * x + np.float32(self.shift)
        with np.errstate(over="ignore"):
            if self.base is None:
                return np.exp(exponent)
            return np.power(np.float32(self.base), exponent)
