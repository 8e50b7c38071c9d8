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
    """|value| < 2^63. The sum of magnitude and half is unsigned: it may need the 64th bit."""
    if shift == 0:
        return value
    if shift > 63:
        return np.int64(0)
    half = np.uint64(1) << np.uint64(shift - 1)
    rounded = np.int64((np.uint64(abs(value)) + half) >> np.uint64(shift))
    return -rounded if value < 0 else rounded


@part
def round_shift_saturate(value: Int, shift: Int, bits: Int) -> Int:
    return saturate(round_shift(value, shift), bits)


@part
def left_shift_saturate(value: Int, shift: Int, bits: Int) -> Int:
    """``bits`` <= 32."""
    return saturate(saturate(value, bits) << min(shift, bits), bits)


@part
def signed_shift_saturate(value: Int, shift: Int, bits: Int) -> Int:
    if shift >= 0:
        return round_shift_saturate(value, shift, bits)
    return left_shift_saturate(value, -shift, bits)
