"""The kernels' arithmetic is that of unbounded integers, as that of ``fixed_point`` is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nvdla_sim.hw.kernels import arith
from tests.hw import exact


@given(exact.int64s, st.sampled_from([8, 9, 17, 32, 48]))
def test_widths(value: int, bits: int) -> None:
    assert arith.saturate(value, bits) == exact.saturate(value, bits)
    assert arith.wrap(value, bits) == exact.wrap(value, bits)


@given(exact.right_shifts(), st.sampled_from([8, 17, 32]))
def test_right_shifts(case: tuple[int, int], bits: int) -> None:
    nearest = exact.nearest(*case)
    assert arith.round_shift(*case) == nearest
    assert arith.round_shift_saturate(*case, bits) == exact.saturate(nearest, bits)
    assert arith.signed_shift_saturate(*case, bits) == exact.saturate(nearest, bits)


@given(exact.int64s, st.integers(0, 70), st.sampled_from([8, 17, 32]))
def test_left_shifts(value: int, shift: int, bits: int) -> None:
    expected = exact.saturate(value << shift, bits)
    assert arith.left_shift_saturate(value, shift, bits) == expected
    assert arith.signed_shift_saturate(value, -shift, bits) == expected
