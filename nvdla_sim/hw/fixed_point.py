"""The chip's rounding, shifting and saturation: the only home of these rules.

Every function takes and gives numpy int64 (arrays or scalars) and is exact as long as the stated range
holds. There is one rounding in NVDLA's integer paths: to nearest, ties away from zero.

Source: hardware-facts section 0 (nvdla/hw ``nvdla_int.h``), checked against the chip's model.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Int = Any  # an int, a numpy int64 scalar or an int64 array


def saturate(value: Int, bits: int) -> Int:
    """``clamp(value, -2^(bits-1), 2^(bits-1)-1)``; the full two's complement range, -128 included."""
    return np.clip(value, -(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def wrap(value: Int, bits: int) -> Int:
    """Keep the low ``bits`` bits as a signed number: what a narrower register holds."""
    shift = np.int64(64 - bits)
    return (np.asarray(value, np.int64) << shift) >> shift


def round_shift(value: Int, shift: Int) -> Int:
    """``value / 2^shift`` to nearest, ties away from zero. ``shift`` >= 0, any size; |value| < 2^63.

    v >= 0: (v + 2^(s-1)) >> s; v < 0: the mirror image. s = 0 is the identity. From s = 64 on the result
    of every value in range is 0.
    """
    value = np.asarray(value, np.int64)
    shift = np.asarray(shift, np.int64)
    small = np.minimum(shift, 63).astype(np.uint64)
    half = np.where(small > 0, np.uint64(1) << np.maximum(small, 1) - np.uint64(1), np.uint64(0))
    rounded = np.sign(value) * ((np.abs(value).astype(np.uint64) + half) >> small).astype(np.int64)
    return np.where(shift > 63, np.int64(0), rounded)


def round_shift_saturate(value: Int, shift: Int, bits: int) -> Int:
    """``saturate(round_shift(value, shift), bits)``: round on the full width first, then clamp."""
    return saturate(round_shift(value, shift), bits)


def left_shift_saturate(value: Int, shift: Int, bits: int) -> Int:
    """``saturate(value * 2^shift, bits)`` as if exact: nothing wraps before the clamp. ``bits`` <= 32."""
    value = np.asarray(value, np.int64)
    shift = np.asarray(shift, np.int64)
    # what is at a rail stays there, and a shift by ``bits`` brings all but 0 to one
    return saturate(saturate(value, bits) << np.minimum(shift, bits), bits)


def signed_shift_saturate(value: Int, shift: Int, bits: int) -> Int:
    """``shift`` >= 0: ``round_shift_saturate``; ``shift`` < 0: ``left_shift_saturate`` by ``-shift``."""
    shift = np.asarray(shift, np.int64)
    right = round_shift_saturate(value, np.maximum(shift, 0), bits)
    left = left_shift_saturate(value, np.maximum(-shift, 0), bits)
    return np.where(shift >= 0, right, left)


def sign_extend(raw: Int, bits: int) -> Int:
    """An unsigned register field of ``bits`` bits read as a signed number."""
    return wrap(raw, bits)
