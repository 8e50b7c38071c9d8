"""kl-caffe-int8: the KL of caffe-int8-convert-tools, which makes ncnn's tables from Caffe nets.

Only positive values count, without bin 0. For i in 128 ... 2046 of the 2047 bins left: P = the first i bins,
all outliers added to the last; Q = the same bins without outliers in 128 levels of i // 128 bins, the rest in
the last level, each level spread evenly over its filled bins, where the last bin of all gets nothing; what
is 0 becomes 0.0001 in both. The first i with the smallest KL(P || Q) gives amax = (i + 1/2) * bin width.

Provenance: BUG1989/caffe-int8-convert-tools, ``threshold_distribution`` (its slips are part of it).
"""

from __future__ import annotations

import numpy as np

from nvdla_sim.calib.histogram import Histogram
from nvdla_sim.calib.methods._sums import log_or_zero, running_sum, x_log_x

LEVELS = 128
EMPTY = 0.0001


def amax(histogram: Histogram) -> float:
    divergence = divergences(histogram.positive[1:].astype(np.float64))
    return (LEVELS + int(np.argmin(divergence)) + 0.5) * histogram.width


def divergences(counts: np.ndarray) -> np.ndarray:
    """KL(P || Q) for each candidate, by sums over levels."""
    candidates = np.arange(LEVELS, counts.size)
    sums, filled = running_sum(counts), running_sum(counts > 0)
    starts = np.arange(LEVELS) * (candidates // LEVELS)[:, None]
    before_last = (candidates - 1)[:, None]
    held = np.diff(sums[np.hstack([starts, candidates[:, None]])], axis=1)
    p_level = np.diff(sums[np.hstack([starts, before_last])], axis=1)  # without the last bin
    bins = np.diff(filled[np.hstack([starts, before_last])], axis=1)
    q = np.where(bins > 0, held, 0) / np.maximum(bins, 1)

    outliers = sums[-1] - sums[candidates]
    p_last = counts[candidates - 1] + outliers
    empty_last = p_last == 0
    p_last[empty_last] = EMPTY
    empty = before_last[:, 0] - filled[candidates - 1]  # bins of P before the last one
    p_sum = sums[-1] + EMPTY * (empty + empty_last)
    q_sum = np.where(bins > 0, held, 0).sum(axis=1) + EMPTY * (empty + 1)
    log_empty = np.log(EMPTY)
    p_log_p = running_sum(x_log_x(counts))[candidates - 1] + x_log_x(p_last) + empty * EMPTY * log_empty
    p_log_q = (p_level * log_or_zero(q)).sum(axis=1) + (p_last + empty * EMPTY) * log_empty
    return (p_log_p - p_log_q) / p_sum - np.log(p_sum) + np.log(q_sum)
