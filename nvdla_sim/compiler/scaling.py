"""Real factors as the chip's multipliers: a 16-bit integer and a right shift.

``real * 2^truncate`` is cut (not rounded) to 15 bits, so a multiplier lies in [2^14, 2^15) and its relative
error is below 2^-14. This is what NVIDIA's compiler does; the results agree bit for bit.

Source: compiler-facts section 6.4.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nvdla_sim.errors import UnsupportedError

MULTIPLIER_BITS = 15  # without the sign
MAX_TRUNCATE = 63  # the shifters read six bits


class ScaleError(UnsupportedError):
    """Weights and scales, not the layer, are what the chip has no numbers for."""


class Multiplier(NamedTuple):
    """``real = scale / 2^truncate``."""

    scale: int
    truncate: int


class Multipliers(NamedTuple):
    """``real[i] = scales[i] / 2^truncate``: one shift for all, as a stage's operands share it."""

    scales: NDArray[np.int64]
    truncate: int


def multiplier(real: float, what: str) -> Multiplier:
    """The multiplier of one factor, |real| < 2^15; ``what`` names it in the error message."""
    scales, truncate = multipliers([real], what)
    return Multiplier(int(scales[0]), truncate)


def multipliers(reals: ArrayLike, what: str) -> Multipliers:
    """The multipliers of a vector of factors under the shift that the largest magnitude needs.

    A factor far below the largest keeps few bits (see ``spread``). Raises ``ScaleError`` where the
    largest magnitude is 2^15 or more, or not finite.
    """
    values = np.asarray(reals, np.float64)
    largest = float(np.max(np.abs(values)))
    if not largest < 1 << MULTIPLIER_BITS:
        channel = f" of channel {int(np.argmax(np.abs(values)))}" if values.size > 1 else ""
        raise ScaleError(
            f"{what}: the factor{channel} is {largest:g}, and a 16-bit multiplier ends below "
            f"{1 << MULTIPLIER_BITS}; the scales of the calibration table do not fit together here"
        )
    if largest == 0:
        return Multipliers(np.zeros(values.size, np.int64), 1)
    # largest = m * 2^e with 0.5 <= m < 1, so largest * 2^(15-e) lies in [2^14, 2^15).
    # Below 2^-48 the shift ends at its limit: such a factor times any 32-bit value is below half a step.
    truncate = min(MULTIPLIER_BITS - int(np.frexp(largest)[1]), MAX_TRUNCATE)
    return Multipliers(np.trunc(np.ldexp(values, truncate)).astype(np.int64), truncate)


def spread(reals: ArrayLike) -> float:
    """The largest magnitude over the smallest one that is not 0; 1 where all are 0."""
    magnitudes = np.abs(np.asarray(reals, np.float64))
    magnitudes = magnitudes[magnitudes > 0]
    return float(magnitudes.max() / magnitudes.min()) if magnitudes.size else 1.0
