"""BatchNorm with stored statistics: y = (x - mean[c]) / sqrt(variance[c] + eps)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nvdla_sim.errors import ModelError
from nvdla_sim.graph.operator import Array, Operator, Params, Shape, along


@dataclass(frozen=True)
class BatchNorm(Operator):
    """Parameters: mean (C,), variance (C,), both already divided by Caffe's moving-average factor."""

    kind: ClassVar[str] = "BatchNorm"
    eps: float = 1e-5

    def __post_init__(self) -> None:
        if self.eps < 0:
            raise ModelError(f"eps {self.eps} must not be negative")

    def _shapes(self, shapes: list[Shape]) -> list[Shape]:
        return shapes

    def _param_shapes(self, shapes: list[Shape]) -> dict[str, Shape]:
        return {"mean": shapes[0][:1], "variance": shapes[0][:1]}

    def _run(self, inputs: list[Array], params: Params) -> list[Array]:
        x = inputs[0]
        deviation = np.sqrt(params["variance"] + np.float32(self.eps))
        y = x - along(params["mean"], 1, x.ndim)
        y /= along(deviation, 1, x.ndim)
        return [y]
