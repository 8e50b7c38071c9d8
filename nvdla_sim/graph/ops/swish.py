"""Swish: y = x / (1 + exp(-beta * x))."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nvdla_sim.graph.operator import Array, Elementwise, Params


@dataclass(frozen=True)
class Swish(Elementwise):
    """The input times its Sigmoid."""

    kind: ClassVar[str] = "Swish"
    beta: float = 1.0

    def apply(self, x: Array, params: Params) -> Array:
        with np.errstate(over="ignore"):  # infinity gives 0, as it should
            return x / (np.float32(1) + np.exp(np.float32(-self.beta) * x))
