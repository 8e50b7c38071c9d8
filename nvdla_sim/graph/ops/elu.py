"""ELU: y = x for x > 0, else alpha * (exp(x) - 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nvdla_sim.graph.operator import Array, Elementwise, Params


@dataclass(frozen=True)
class ELU(Elementwise):
    """``alpha`` is the limit for large negative inputs, negated."""

    kind: ClassVar[str] = "ELU"
    alpha: float = 1.0

    def apply(self, x: Array, params: Params) -> Array:
        zero = np.float32(0)
        return np.maximum(x, zero) + np.float32(self.alpha) * np.expm1(np.minimum(x, zero))
