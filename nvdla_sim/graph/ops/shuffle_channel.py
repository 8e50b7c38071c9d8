"""ShuffleChannel: channel g * (C / group) + i goes to channel i * group + g."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nvdla_sim.errors import ModelError
from nvdla_sim.graph.operator import Array, Elementwise, Params, Shape


@dataclass(frozen=True)
class ShuffleChannel(Elementwise):
    """``group`` divides the channels."""

    kind: ClassVar[str] = "ShuffleChannel"
    group: int

    def _shapes(self, shapes: list[Shape]) -> list[Shape]:
        if self.group < 1 or shapes[0][0] % self.group:
            raise ModelError(f"{shapes[0][0]} channels cannot be divided into {self.group} groups")
        return shapes

    def apply(self, x: Array, params: Params) -> Array:
        batch, channels, *size = x.shape
        grouped = x.reshape(batch, self.group, channels // self.group, *size)
        return grouped.swapaxes(1, 2).reshape(x.shape)
