"""AbsVal: y = |x|."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nvdla_sim.graph.operator import Array, Elementwise, Params


@dataclass(frozen=True)
class AbsVal(Elementwise):
    """The absolute value."""

    kind: ClassVar[str] = "AbsVal"

    def apply(self, x: Array, params: Params) -> Array:
        return np.abs(x)
