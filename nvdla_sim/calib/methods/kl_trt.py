"""kl-trt: TensorRT's entropy calibration 2. The clipped histogram P that 128 levels Q describe best.

For i in 128 ... 2048: P = the first i bins, all outliers added to the last; Q = the same bins without
outliers, brought to 128 equal levels, each level's count spread evenly over its bins that are not empty;
the i with the smallest KL(P || Q) gives amax = (i + 1/2) * bin width, the last one of equals.

Provenance: S. Migacz, "8-bit Inference with TensorRT" (GTC 2017): candidates, levels, outliers. TensorRT's
caches: 2048 bins, unclipped tensors have amax = max|x| * 2048.5 / 2048, and zeros do not count (a tensor
before and after ReLU gets nearly the same threshold). How they are left out is not published: bin 0 := bin 1
is what NVIDIA's pytorch-quantization does, as is taking the last of equals.
"""

from __future__ import annotations

import numpy as np

from nvdla_sim.calib.histogram import BINS, Histogram
from nvdla_sim.calib.methods._sums import log_or_zero, running_sum, x_log_x

LEVELS = 128


def amax(histogram: Histogram) -> float:
    counts = histogram.magnitudes.astype(np.float64)
    counts[0] = counts[1]
    divergence = divergences(counts)
    best = np.flatnonzero(divergence <= divergence.min() + 1e-12)[-1]
    return (LEVELS + int(best) + 0.5) * histogram.width


def divergences(counts: np.ndarray) -> np.ndarray:
    """KL(P || Q) for each candidate: infinite where Q is 0 and P is not.

    Q is the same in all filled bins of a level, so that sums over levels are enough:
    KL = sum P log P - sum over levels of (P in the level) log Q, P and Q divided by their sums.
    """
    candidates = np.arange(LEVELS, BINS + 1)
    edges = -(-np.arange(LEVELS + 1) * candidates[:, None] // LEVELS)
    sums, filled = running_sum(counts), running_sum(counts > 0)
    level = np.diff(sums[edges], axis=1)
    q = level / np.maximum(np.diff(filled[edges], axis=1), 1)
    total, inside, last = sums[-1], sums[candidates], counts[candidates - 1]
    outliers = total - inside
    p_log_p = running_sum(x_log_x(counts))[candidates - 1] + x_log_x(last + outliers)
    level[:, -1] += outliers
    p_log_q = (level * log_or_zero(q)).sum(axis=1)
    divergence = (p_log_p - p_log_q) / total - np.log(total) + log_or_zero(inside)
    return np.where((last == 0) & (outliers > 0), np.inf, divergence)
