"""mse: the amax whose int8 steps are nearest to the values, by the mean squared error.

Every value counts as its bin's centre; candidates are the centres from bin 128 on; quantised is to
-127 ... 127 in steps of amax / 127.

Provenance: pytorch-quantization (NVIDIA/TensorRT, tools), ``_compute_amax_mse``.
"""

from __future__ import annotations

import numpy as np

from nvdla_sim.calib.histogram import BINS, Histogram

LEVELS = 127
FIRST = 128


def amax(histogram: Histogram) -> float:
    counts = histogram.magnitudes.astype(np.float64)
    centres = np.arange(BINS) + 0.5  # in bins
    candidates = np.arange(FIRST, BINS)[:, None]
    level = np.arange(LEVELS + 1)[None, :]
    # Level n holds the centres j + 1/2 with n - 1/2 <= 127 (2j + 1) / (2i + 1) < n + 1/2. Odd numbers never
    # divide to a half, so no tie has to be broken. The last level holds all that is clipped too.
    first = -((2 * LEVELS - (2 * level - 1) * (2 * candidates + 1)) // (4 * LEVELS))
    edges = np.concatenate([np.clip(first, 0, BINS), np.full_like(candidates, BINS)], axis=1)
    weight, first_moment = (
        np.diff(np.concatenate([[0.0], np.cumsum(term)])[edges], axis=1)
        for term in (counts, counts * centres)
    )
    value = level * (candidates + 0.5) / LEVELS
    # sum of counts (value - centre)^2 without the part that is the same for all candidates
    error = (value * value * weight - 2 * value * first_moment).sum(axis=1)
    return (FIRST + int(np.argmin(error)) + 0.5) * histogram.width
