"""LRN: y[c] = x[c] * (k + alpha / n * s[c]) ^ -beta, s[c] the sum of squares of the n channels around c."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nvdla_sim.errors import ModelError
from nvdla_sim.graph.operator import Array, Elementwise, Params


@dataclass(frozen=True)
class LRN(Elementwise):
    """``local_size`` is n, an odd number; channels beyond the first and last count as 0."""

    kind: ClassVar[str] = "LRN"
    local_size: int = 5
    alpha: float = 1.0
    beta: float = 0.75
    k: float = 1.0

    def __post_init__(self) -> None:
        if self.local_size < 1 or self.local_size % 2 == 0:
            raise ModelError(f"local_size {self.local_size} must be odd and at least 1")

    def apply(self, x: Array, params: Params) -> Array:
        channels = x.shape[1]
        square = np.square(x)
        total = square.copy()
        for distance in range(1, min(self.local_size // 2, channels - 1) + 1):
            total[:, distance:] += square[:, :-distance]
            total[:, :-distance] += square[:, distance:]
        base = np.float32(self.k) + np.float32(self.alpha / self.local_size) * total
        return x * np.power(base, np.float32(-self.beta))
