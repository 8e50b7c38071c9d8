"""Sums that the divergences are put together from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]


def running_sum(values: NDArray[np.generic]) -> Float64:
    """One number more than ``values``: the k-th is the sum of the first k."""
    return np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])


def log_or_zero(values: Float64) -> Float64:
    """log(x), 0 where x is 0: for terms whose factor is 0 there."""
    return np.log(values, out=np.zeros_like(values), where=values > 0)


def x_log_x(values: Float64) -> Float64:
    """x log x, 0 where x is 0."""
    return values * log_or_zero(values)
