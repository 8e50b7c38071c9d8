"""ReLU6: y = min(max(x, 0), 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nvdla_sim.graph.operator import Array, Elementwise, Params


@dataclass(frozen=True)
class ReLU6(Elementwise):
    """The ReLU of MobileNet v2."""

    kind: ClassVar[str] = "ReLU6"

    def apply(self, x: Array, params: Params) -> Array:
        return np.clip(x, np.float32(0), np.float32(6))
