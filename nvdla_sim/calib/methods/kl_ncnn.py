"""kl-ncnn: the KL of ncnn's ncnn2table.

Exact zeros do not count; the histogram is divided by its sum. For i in 128 ... 2047: P = the first i bins,
all outliers added to the last; Q = the same bins without outliers, averaged over 128 levels of i / 128 bins,
a bin that lies in two levels shared between them; 0.0001 is added to every bin of both. The first i with the
smallest sum of P log(P / Q) gives amax = (i + 1/2) * bin width.

Provenance: Tencent/ncnn, ``tools/quantize/ncnn2table.cpp``, ``quantize_KL``. It adds up in single precision,
so that its choice among nearly equal candidates can be another one.
"""

from __future__ import annotations

import numpy as np

from nvdla_sim.calib.histogram import BINS, Histogram
from nvdla_sim.calib.methods._sums import running_sum, x_log_x

LEVELS = 128
EVERY = 0.0001


def amax(histogram: Histogram) -> float:
    counts = histogram.positive + histogram.negative
    divergence = divergences(counts / counts.sum())
    return (LEVELS + int(np.argmin(divergence)) + 0.5) * histogram.width


def divergences(share: np.ndarray) -> np.ndarray:
    """The sum of P log(P / Q) for each candidate.

    Bins that lie in one level have the same Q; those cut by a level's edge are summed one by one.
    """
    candidates = np.arange(LEVELS, BINS)[:, None]
    size = candidates / LEVELS  # of a level, in bins: exact in binary
    edges = np.arange(LEVELS + 1) * size
    p = share + EVERY
    held, p_sums = running_sum(share), running_sum(p)
    q = np.diff(np.interp(edges, np.arange(BINS + 1), held), axis=1) / size

    whole = p_sums[np.floor(edges[:, 1:]).astype(int)] - p_sums[np.ceil(edges[:, :-1]).astype(int)]
    outliers = held[-1] - held[candidates[:, 0]]
    whole[:, -1] += outliers
    inner = edges[:, 1:-1]
    cut = np.floor(inner).astype(int)
    left = inner - cut  # the part of the bin that belongs to the level before the edge
    q_cut = left * q[:, :-1] + (1 - left) * q[:, 1:] + EVERY
    p_cut = np.where(left > 0, p[cut], 0)
    p_log_q = (whole * np.log(q + EVERY)).sum(axis=1) + (p_cut * np.log(q_cut)).sum(axis=1)
    last = candidates[:, 0] - 1
    return running_sum(x_log_x(p))[last] + x_log_x(p[last] + outliers) - p_log_q
