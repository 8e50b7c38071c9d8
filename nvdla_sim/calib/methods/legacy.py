"""legacy: TensorRT 2.0's calibrator with two numbers to choose, quantile and cutoff.

amax = cutoff * (the value below which the share ``quantile`` of all |x| lies). It calibrates after layers
are fused, as entropy-v1 does. ``search`` finds the two by a score, on the grid of TensorRT 2's sampleINT8.

Provenance: NvInfer.h of TensorRT 2 and sampleINT8: the quantile (0 ... 1) "will be used to select the region
maximum", the cutoff is a fraction (0 ... 1) of the maximum, 1 means the maximum of the histogram itself;
quantile 1 - 10^-6 and cutoff 1 where nothing is known. The regression that a cutoff below 1 switched on was
never published: here the cutoff scales the region's maximum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from nvdla_sim.calib.histogram import Histogram

INDEX = 6.0
CUTOFF = 1.0


def quantile_of(index: float) -> float:
    """sampleINT8 counts quantiles in nines: 1 - 10^-index."""
    return float(1 - 10.0**-index)


QUANTILE = quantile_of(INDEX)


def amax(histogram: Histogram, quantile: float = QUANTILE, cutoff: float = CUTOFF) -> float:
    """``quantile`` and ``cutoff``: above 0, up to 1; both 1 is max|x|."""
    counts = histogram.magnitudes
    below = np.cumsum(counts)
    region = int(np.searchsorted(below, quantile * below[-1])) + 1
    return cutoff * region * histogram.width


class Choice(NamedTuple):
    score: float
    quantile: float
    cutoff: float


def search(score: Callable[[float, float], float]) -> Choice:
    """The best ``score(quantile, cutoff)`` on sampleINT8's grid; the first of equals.

    Cutoff 1 with quantiles of 2 ... 8 nines, then cutoffs 0.4 ... 0.7; then finer around the best one, over
    the quantiles only if its cutoff is 1.
    """
    tried: dict[tuple[float, float], float] = {}

    def best(cutoffs: Iterable[float], indices: Iterable[float]) -> tuple[float, float]:
        for cutoff in cutoffs:
            for index in indices:
                at = (round(float(cutoff), 4), round(float(index), 4))
                if 0 < at[0] <= 1 and at not in tried:
                    tried[at] = score(quantile_of(at[1]), at[0])
        return max(tried, key=lambda at: tried[at])

    nines = range(2, 9)
    best([1], nines)
    cutoff, index = best(np.arange(0.4, 0.71, 0.05), nines)
    near = [1.0] if cutoff == 1 else list(cutoff + np.arange(-0.04, 0.041, 0.01))
    cutoff, index = best(near, index + np.arange(-0.5, 0.51, 0.1))
    return Choice(tried[cutoff, index], quantile_of(index), cutoff)
