"""TanH: y = tanh(x)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nvdla_sim.graph.operator import Array, Elementwise, Params


@dataclass(frozen=True)
class TanH(Elementwise):
    """The hyperbolic tangent."""

    kind: ClassVar[str] = "TanH"

    def apply(self, x: Array, params: Params) -> Array:
        return np.tanh(x)
