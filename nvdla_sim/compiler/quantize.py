"""Float weights and biases as the integers that the chip multiplies and adds.

All steps are in single precision and in this order, so that the integers equal those of NVIDIA's compiler.

Source: compiler-facts section 6.3; filters of zeros: section 8.11.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
HALF = np.float32(0.5)
INT8_LEVELS = np.float32(127)
BIAS_BITS = 16
MAX_BIAS_SHIFT = 16


class Weights(NamedTuple):
    """``real = scale * values``: values int8 KCRS, scale float32 [K] (all equal for per-kernel)."""

    values: NDArray[np.int8]
    scale: Float32


class Bias(NamedTuple):
    """``steps = values << shift``: values int64 [K] that fit 16 bits."""

    values: NDArray[np.int64]
    shift: int


def quantize_weights(weights: Float32, per_filter: bool) -> Weights:
    """``w = clamp(floor(W * (1 / sw) + 0.5), -128, 127)`` with ``sw = max|W| / 127``.

    ``weights``: float32 KCRS. ``per_filter``: one ``sw`` for each of the K filters, else one for all.
    A filter of zeros has no scale of its own and takes the mean of the others, so that its bias keeps a
    sensible step.
    """
    axes = (1, 2, 3)
    largest = np.maximum(weights.max(axes), -weights.min(axes)).astype(np.float32)
    if not per_filter:
        largest[:] = largest.max()
    scale = largest / INT8_LEVELS
    dead = scale == 0
    inverse = np.float32(1) / np.where(dead, np.float32(1), scale)
    steps = weights * inverse[:, None, None, None]
    # in place: there may be hundreds of megabytes
    steps += HALF
    np.floor(steps, out=steps)
    np.clip(steps, -128, 127, out=steps)
    return without(Weights(steps.astype(np.int8), scale), dead)


def without(weights: Weights, dead: NDArray[np.bool_]) -> Weights:
    """The weights with the ``dead`` filters 0; their scale is the others' mean, 1 if there are none."""
    values, scale = weights.values.copy(), weights.scale.copy()
    values[dead] = 0
    scale[dead] = 1 if dead.all() else np.abs(scale[~dead]).mean(dtype=np.float32)
    return Weights(values, scale)


def quantize_bias(bias: Float32, step: Float32 | np.float32) -> Bias:
    """``r = floor(bias / step + 0.5)``, then the smallest common shift under which every r fits 16 bits.

    ``bias``: float32 [K]; ``step``: float32 [K] or one for all, the real value of 1 in the accumulator (input
    scale times weight scale). Values beyond 32 bits are clamped: no output is finer than that.
    """
    rounded = np.floor((bias / step + HALF).astype(np.float64))
    steps = np.clip(rounded, -(2.0**31), 2.0**31 - 1).astype(np.int64)
    shift = 0
    while shift < MAX_BIAS_SHIFT and not _fits(steps >> shift):
        shift += 1
    return Bias(steps >> shift, shift)


def _fits(values: NDArray[np.int64]) -> bool:
    limit = 1 << (BIAS_BITS - 1)
    return bool(np.all((values >= -limit) & (values < limit)))
