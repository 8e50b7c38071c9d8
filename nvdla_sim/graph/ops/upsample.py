"""Upsample: every element repeated, y[c, h, w] = x[c, h // factor, w // factor]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nvdla_sim.errors import ModelError
from nvdla_sim.graph.operator import Array, Operator, Params, Shape, feature_shape
from nvdla_sim.graph.ops.convolution import Pair


@dataclass(frozen=True)
class Upsample(Operator):
    """``factor`` is (height, width)."""

    kind: ClassVar[str] = "Upsample"
    factor: Pair

    def __post_init__(self) -> None:
        if min(self.factor) < 1:
            raise ModelError(f"factor {self.factor[0]}x{self.factor[1]} must be at least 1")

    def _shapes(self, shapes: list[Shape]) -> list[Shape]:
        channels, height, width = feature_shape(shapes[0], self.kind)
        return [(channels, height * self.factor[0], width * self.factor[1])]

    def _run(self, inputs: list[Array], params: Params) -> list[Array]:
        return [inputs[0].repeat(self.factor[0], axis=2).repeat(self.factor[1], axis=3)]
