"""The fast forms against exact integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from nvdla_sim.hw.fixed_point import round_shift, round_shift_saturate, saturate
from nvdla_sim.hw.kernels._memory import address_of, aligned
from nvdla_sim.hw.kernels.fold import FAR, Segment
from nvdla_sim.hw.kernels.microkernel import GROUP
from nvdla_sim.hw.kernels.requant import TABLE, Form, requantise, table
from tests.hw import exact


@njit
def run(form: Any, tile: Any, count: Any, row: Any, points: Any, out: Any) -> None:
    requantise(form, tile, count, row, points, out)


def applied(segments: list[Segment], values: np.ndarray, points: np.ndarray) -> tuple[Form, np.ndarray]:
    """What the form that fits makes of int32 [slot, GROUP]."""
    rows, form = table(segments)
    room = aligned(1, TABLE)
    room[:] = rows
    out = np.zeros(values.shape, np.int8)
    run(int(form), address_of(values), len(values), address_of(room), address_of(points), address_of(out))
    return form, out


def segment(mul: int, shift: int, low: int = -FAR, high: int = FAR, start: int = 0) -> Segment:
    lanes = np.ones(GROUP, np.int64)
    return Segment(start * lanes, low * lanes, high * lanes, mul * lanes, shift * lanes)


def interesting(mul: int, shift: int) -> np.ndarray:
    """Extremes (sums that fold stay above -2^31), and values whose results are ties or begin to saturate."""
    random = np.random.default_rng(shift)
    ties = [((2 * k + 1) << shift >> 1) // max(abs(mul), 1) for k in range(-140, 141)]
    near = np.array([t + d for t in ties for d in (-1, 0, 1)])
    far = random.integers(-(1 << 31), 1 << 31, 64) >> np.tile(np.arange(32), 2)
    edges = [1 - (1 << 31), (1 << 31) - 1, 0, -1, 1]
    values = np.clip(np.concatenate([near, far, edges]), 1 - (1 << 31), (1 << 31) - 1)
    return np.resize(values, (values.size // GROUP + 1, GROUP)).astype(np.int32)


MULTIPLIERS = [
    (m, s) for m in (1, 3, 1 << 14, 21001, 32767, 0) for s in (0, 1, 7, 8, 14, 16, 23, 24, 31, 32, 38, 39, 40)
]
MULTIPLIERS += [(-m, s) for m in (1, 1 << 14, 32768) for s in (0, 8, 15, 31, 46, 63)]


@pytest.mark.parametrize(
    ("low", "high"), [(-FAR, FAR), (0, FAR), (-5000, 90), (-(1 << 31), -1), (1 << 30, FAR)]
)
def test_one_multiplication(low: int, high: int) -> None:
    forms = set()
    for mul, shift in MULTIPLIERS:
        values = interesting(mul, shift)
        form, got = applied([segment(mul, shift, low, high)], values, values)
        clamped = np.minimum(np.maximum(values.astype(np.int64), low), high)
        expected = round_shift_saturate(clamped * mul, shift, 8)
        assert np.array_equal(got, expected), (mul, shift)
        forms.add(form)
    assert forms == {Form.NARROW, Form.SPLIT, Form.DOUBLE}


def test_channels_have_their_own_numbers() -> None:
    random = np.random.default_rng(0)
    mul, shift = random.integers(1, 1 << 15, GROUP), random.integers(8, 24, GROUP)
    low, high = random.integers(-9999, 0, GROUP), random.integers(0, 9999, GROUP)
    values = random.integers(-20000, 20000, (30, GROUP)).astype(np.int32)
    _, got = applied([Segment(0 * mul, low, high, mul, shift)], values, values)
    expected = round_shift_saturate(np.clip(values, low, high) * mul, shift, 8)
    assert np.array_equal(got, expected)


SCALES = st.tuples(exact.signed(16), st.integers(0, 63))  # multiplier and shift


@given(SCALES, SCALES, st.integers(0, (1 << 32) - 1))
def test_two_multiplications(first: tuple[int, int], second: tuple[int, int], seed: int) -> None:
    values = interesting(*first)
    random = np.random.default_rng(seed)
    points = random.choice(np.array([0, 77, -(1 << 31), (1 << 31) - 1]), values.shape).astype(np.int32)
    for low, high, start in ((-FAR, FAR, 0), (0, FAR, 5), (-(1 << 31), (1 << 31) - 1, -(1 << 31))):
        form, got = applied(
            [segment(*first, -99999, FAR), segment(*second, low, high, start)], values, points
        )
        assert form is Form.CHAIN
        between = round_shift_saturate(np.maximum(values.astype(np.int64), -99999) * first[0], first[1], 32)
        clamped = np.clip(between + start + points, low, high)
        expected = saturate(round_shift(clamped * second[0], second[1]), 8)
        assert np.array_equal(got, expected), (low, high, start)
