from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvdla_sim.hw import fixed_point
from tests.hw import exact


@pytest.mark.parametrize(
    ("value", "shift", "result"),
    [
        (5, 0, 5),
        (1, 1, 1),  # a half goes away from zero
        (-1, 1, -1),
        (3, 2, 1),
        (-5, 2, -1),
        (-6, 2, -2),
        (127, 1023, 0),
        (1 << 62, 62, 1),
        (1 << 62, 63, 1),  # half of 2^63
        (-(1 << 62), 63, -1),
        ((1 << 62) - 1, 63, 0),
        (1 << 62, 64, 0),
    ],
)
def test_round_shift_literally(value: int, shift: int, result: int) -> None:
    assert fixed_point.round_shift(value, shift) == result


@given(exact.right_shifts())
def test_round_shift(case: tuple[int, int]) -> None:
    assert fixed_point.round_shift(*case) == exact.nearest(*case)


@given(exact.int64s, st.integers(-70, 70), st.sampled_from([8, 9, 16, 17, 32]))
def test_signed_shift_saturate(value: int, shift: int, bits: int) -> None:
    assert fixed_point.signed_shift_saturate(value, shift, bits) == exact.saturate(
        exact.nearest(value, shift), bits
    )


@given(exact.int64s, st.integers(0, 70), st.sampled_from([8, 17, 32]))
def test_left_shift_saturate_does_not_wrap(value: int, shift: int, bits: int) -> None:
    assert fixed_point.left_shift_saturate(value, shift, bits) == exact.saturate(value << shift, bits)


@given(exact.signed(64), st.integers(1, 64))
def test_wrap(value: int, bits: int) -> None:
    assert fixed_point.wrap(value, bits) == exact.wrap(value, bits)


def test_saturate_reaches_the_lowest_value() -> None:
    values = np.array([-129, -128, -127, 127, 128])
    assert fixed_point.saturate(values, 8).tolist() == [-128, -128, -127, 127, 127]


def test_shifts_may_differ_by_element() -> None:
    assert fixed_point.round_shift(np.array([8, 8, -8]), np.array([0, 4, 5])).tolist() == [8, 1, 0]
