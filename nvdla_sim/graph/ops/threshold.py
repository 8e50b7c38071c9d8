"""Threshold: y = 1 for x > threshold, else 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nvdla_sim.graph.operator import Array, Elementwise, Params


@dataclass(frozen=True)
class Threshold(Elementwise):
    """Caffe's own layer; the threshold itself gives 0."""

    kind: ClassVar[str] = "Threshold"
    threshold: float = 0.0

    def apply(self, x: Array, params: Params) -> Array:
        return (x > np.float32(self.threshold)).astype(np.float32)
