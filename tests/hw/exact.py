"""The chip's arithmetic once more, for one value and in Python's integers, which neither wrap nor round.

Written from the formulas, not from the engines, so that both must err alike to agree.
"""

from __future__ import annotations

from hypothesis import strategies as st


def signed(bits: int) -> st.SearchStrategy[int]:
    """Signed numbers of ``bits`` bits, often at or near the ends and zero."""
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1
    return st.sampled_from([low, low + 1, -1, 0, 1, high - 1, high]) | st.integers(low, high)


int64s = signed(64).map(lambda value: max(value, 1 - (1 << 63)))  # the lowest value has no magnitude


@st.composite
def right_shifts(draw: st.DrawFn) -> tuple[int, int]:
    """An int64 and a shift of any size; often a tie or a neighbour of one."""
    shift = draw(st.integers(0, 70) | st.sampled_from([0, 1, 62, 63, 64, 1023]))
    if not 0 < shift < 64 or draw(st.booleans()):
        return draw(int64s), shift
    odd = 2 * draw(st.integers(0, (1 << 63 - shift) - 1)) + 1
    near = (odd << shift - 1) + draw(st.sampled_from([-1, 0, 1]))
    return near * draw(st.sampled_from([-1, 1])), shift


def saturate(value: int, bits: int) -> int:
    return max(-(1 << bits - 1), min((1 << bits - 1) - 1, value))


def wrap(value: int, bits: int) -> int:
    low = value & (1 << bits) - 1
    return low - (1 << bits) if low >> bits - 1 else low


def nearest(value: int, shift: int) -> int:
    """``value / 2^shift`` to nearest, ties away from zero; a negative shift multiplies."""
    if shift <= 0:
        return value << -shift
    magnitude = (2 * abs(value) + (1 << shift)) >> shift + 1
    return -magnitude if value < 0 else magnitude
