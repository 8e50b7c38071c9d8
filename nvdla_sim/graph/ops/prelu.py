"""PReLU: y = x for x > 0, else slope[c] * x."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nvdla_sim.graph.operator import Array, Operator, Params, Shape, along


@dataclass(frozen=True)
class PReLU(Operator):
    """Parameter: slope (C,), or () when all channels share one (``channel_shared``)."""

    kind: ClassVar[str] = "PReLU"
    channel_shared: bool = False

    def _shapes(self, shapes: list[Shape]) -> list[Shape]:
        return shapes

    def _param_shapes(self, shapes: list[Shape]) -> dict[str, Shape]:
        return {"slope": () if self.channel_shared else shapes[0][:1]}

    def _run(self, inputs: list[Array], params: Params) -> list[Array]:
        x = inputs[0]
        return [np.where(x > 0, x, x * along(params["slope"], 1, x.ndim))]
