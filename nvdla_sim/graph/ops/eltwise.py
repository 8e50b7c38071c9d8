"""Eltwise: the sum (with coefficients), product or maximum of two or more inputs of one shape."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

import numpy as np

from nvdla_sim.errors import ModelError
from nvdla_sim.graph.operator import Array, Operator, Params, Shape, check_equal

OPERATIONS = ("SUM", "PROD", "MAX")


@dataclass(frozen=True)
class Eltwise(Operator):
    """``coeff`` holds one factor for each input of a SUM; empty: all 1."""

    kind: ClassVar[str] = "Eltwise"
    arity: ClassVar[tuple[int, int | None]] = (2, None)
    operation: str = "SUM"
    coeff: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.operation not in OPERATIONS:
            raise ModelError(f"operation {self.operation} is not known, allowed: {', '.join(OPERATIONS)}")
        if self.coeff and self.operation != "SUM":
            raise ModelError(f"coeff is for SUM only, not for {self.operation}")

    def _shapes(self, shapes: list[Shape]) -> list[Shape]:
        check_equal(shapes)
        if self.coeff and len(self.coeff) != len(shapes):
            raise ModelError(f"{len(self.coeff)} coeff for {len(shapes)} bottoms")
        return shapes[:1]

    def _run(self, inputs: list[Array], params: Params) -> list[Array]:
        if self.coeff:
            inputs = [x * np.float32(factor) for x, factor in zip(inputs, self.coeff, strict=True)]
        combine = {"SUM": np.add, "PROD": np.multiply, "MAX": np.maximum}[self.operation]
        return [reduce(combine, inputs)]
