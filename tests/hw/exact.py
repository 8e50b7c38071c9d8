"""The chip's arithmetic once more, for one value and in Python's integers, which neither wrap nor round.

Written from the formulas, not from the engines, so that both must err alike to agree.
"""

from __future__ import annotations

from hypothesis import strategies as st


def signed(bits: int) -> st.SearchStrategy[int]:
    """Signed numbers of ``bits`` bits, often at or near the ends and zero."""
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1
    return st.sampled_from([low, low + 1, -1, 0, 1, high - 1, high]) | st.integers(low, high)


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
