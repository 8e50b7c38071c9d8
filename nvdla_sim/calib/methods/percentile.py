"""percentile: the bin edge below which the given share of all |x| lies, zeros counted.

Provenance: pytorch-quantization (NVIDIA/TensorRT, tools), ``_compute_amax_percentile``: the lower edge of the
first bin where the cumulated share reaches it; 99.99 by default.
"""

from __future__ import annotations

import numpy as np

from nvdla_sim.calib.histogram import Histogram

PERCENTILE = 99.99


def amax(histogram: Histogram, percentile: float = PERCENTILE) -> float:
    """``percentile``: above 0, up to 100. At least one bin is kept."""
    counts = histogram.magnitudes
    share = np.cumsum(counts / counts.sum())
    edge = int(np.searchsorted(share, percentile / 100))
    return max(edge, 1) * histogram.width
