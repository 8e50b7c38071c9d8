"""BNLL: y = log(1 + exp(x))."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nvdla_sim.graph.operator import Array, Elementwise, Params


@dataclass(frozen=True)
class BNLL(Elementwise):
    """Binomial normal log likelihood, a soft ReLU."""

    kind: ClassVar[str] = "BNLL"

    def apply(self, x: Array, params: Params) -> Array:
        # the same function without an exponential that can overflow
        return np.maximum(x, np.float32(0)) + np.log1p(np.exp(-np.abs(x)))
