"""The kernels' arithmetic is that of ``fixed_point``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numba import njit

from nvdla_sim.hw import fixed_point
from nvdla_sim.hw.kernels import arith

EDGES = [
    0,
    1,
    2,
    3,
    5,
    127,
    128,
    129,
    255,
    256,
    32767,
    32768,
    (1 << 31) - 1,
    1 << 31,
    (1 << 61) + 1,
    (1 << 62) - 1,
]
VALUES = np.array([sign * v for v in EDGES for sign in (1, -1)])
RANDOM = np.random.default_rng(1).integers(-(1 << 62) + 1, 1 << 62, 400) >> np.tile(np.arange(0, 60, 3), 20)
ALL = np.concatenate([VALUES, RANDOM])


def on_each(function: Callable[..., int], values: np.ndarray, *numbers: int) -> np.ndarray:
    """A kernel function applied to each value, with the same further arguments."""

    @njit
    def run(values, numbers):  # type: ignore[no-untyped-def]
        out = np.empty_like(values)
        for i in range(values.size):
            out[i] = function(values[i], *numbers)
        return out

    return run(values, tuple(np.int64(n) for n in numbers))


@pytest.mark.parametrize("bits", [8, 9, 17, 32, 48])
@pytest.mark.parametrize("name", ["saturate", "wrap"])
def test_widths(name: str, bits: int) -> None:
    assert np.array_equal(on_each(getattr(arith, name), ALL, bits), getattr(fixed_point, name)(ALL, bits))


@pytest.mark.parametrize("shift", [0, 1, 2, 8, 31, 32, 47, 61, 62, 63, 1023])
def test_round_shift(shift: int) -> None:
    ties = (2 * np.arange(-40, 40) + 1) << min(max(shift - 1, 0), 40)
    for values in (ALL, ties):
        assert np.array_equal(
            on_each(arith.round_shift, values, shift), fixed_point.round_shift(values, shift)
        )
    got = on_each(arith.round_shift_saturate, ALL, shift, 17)
    assert np.array_equal(got, fixed_point.round_shift_saturate(ALL, shift, 17))


@pytest.mark.parametrize("shift", [-63, -32, -31, -9, -1, 0, 1, 9, 31, 32, 63])
def test_left_and_signed_shifts(shift: int) -> None:
    values = np.clip(ALL, -(1 << 31) + 1, (1 << 31) - 1)
    got = on_each(arith.signed_shift_saturate, values, shift, 32)
    assert np.array_equal(got, fixed_point.signed_shift_saturate(values, shift, 32))
    got = on_each(arith.left_shift_saturate, values, abs(shift), 32)
    assert np.array_equal(got, fixed_point.left_shift_saturate(values, abs(shift), 32))
