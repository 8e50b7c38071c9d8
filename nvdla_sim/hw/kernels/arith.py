"""The rules of ``nvdla_sim.hw.fixed_point`` for kernels: the same names, the same results, int64 scalars.

Tests hold the two together; what the rules are and where they come from is told there.
"""

from __future__ import annotations

import numpy as np

from nvdla_sim.hw.kernels._jit import part
from nvdla_sim.hw.kernels._record import Int


@part
def saturate(value: Int, bits: Int) -> Int:
    high = (np.int64(1) << (bits - 1)) - 1
    return max(min(value, high), -high - 1)


@part
def wrap(value: Int, bits: Int) -> Int:
    return (value << (64 - bits)) >> (64 - bits)


@part
def round_shift(value: Int, shift: Int) -> Int:
    """|value| < 2^62. Ties away from zero: for negative values floor((v + half - 1) / 2^s)."""
    if shift == 0:
        return value
    if shift > 62:
        return np.int64(0)
    return (value + (np.int64(1) << (shift - 1)) - (value < 0)) >> shift


@part
def round_shift_saturate(value: Int, shift: Int, bits: Int) -> Int:
    return saturate(round_shift(value, shift), bits)


@part
def left_shift_saturate(value: Int, shift: Int, bits: Int) -> Int:
    """|value| < 2^31."""
    limit = np.int64(1) << (bits - 1)
    return saturate(max(min(value, limit), -limit) << min(shift, bits), bits)


@part
def signed_shift_saturate(value: Int, shift: Int, bits: Int) -> Int:
    if shift >= 0:
        return round_shift_saturate(value, shift, bits)
    return left_shift_saturate(value, -shift, bits)
