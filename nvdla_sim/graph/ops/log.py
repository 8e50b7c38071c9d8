"""Log: y = log_base(shift + scale * x)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nvdla_sim.errors import ModelError
from nvdla_sim.graph.operator import Array, Elementwise, Params


@dataclass(frozen=True)
class Log(Elementwise):
    """``base`` None is e; the logarithm of a negative number is NaN, of zero -infinity, as in Caffe."""

    kind: ClassVar[str] = "Log"
    base: float | None = None
    scale: float = 1.0
    shift: float = 0.0

    def __post_init__(self) -> None:
        if self.base is not None and not (self.base > 0 and self.base != 1):
            raise ModelError(f"base {self.base} must be above 0 and not 1, or -1 for e")

    def apply(self, x: Array, params: Params) -> Array:
        with np.errstate(invalid="ignore", divide="ignore"):
            y = np.log(np.float32(self.scale) * x + np.float32(self.shift))
        return y if self.base is None else y / np.float32(math.log(self.base))
