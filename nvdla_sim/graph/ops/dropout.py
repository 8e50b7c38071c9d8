"""Dropout: y = x, since a trained net drops nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nvdla_sim.graph.operator import Array, Elementwise, Params


@dataclass(frozen=True)
class Dropout(Elementwise):
    """The identity."""

    kind: ClassVar[str] = "Dropout"

    def apply(self, x: Array, params: Params) -> Array:
        return x
