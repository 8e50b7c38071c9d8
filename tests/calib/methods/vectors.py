"""Seeded data, and the bins that published tools choose for it.

The numbers were computed without this package: by caffe-int8-convert-tools' own function, by a C++ program
that does what ncnn2table's ``quantize_KL`` does in single precision, and by straight-line programs of
pytorch-quantization's three functions.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from nvdla_sim.calib.histogram import Histogram
from nvdla_sim.graph.operator import Array

COUNT = 20_000


@cache
def data() -> dict[str, Array]:
    r = np.random.default_rng(7)
    laplace = np.maximum(r.laplace(0, 1, COUNT), 0).astype(np.float32)
    half = np.maximum(r.normal(0, 1, COUNT), 0).astype(np.float32)
    outlier = laplace.copy()
    outlier[0] = 40
    normal = r.normal(0, 1, COUNT).astype(np.float32)
    sparse = r.lognormal(0, 1, COUNT).astype(np.float32)
    sparse[r.random(COUNT) < 0.95] = 0
    uniform = r.uniform(-3, 2, COUNT).astype(np.float32)
    return {
        "relu of laplace": laplace,
        "relu of normal": half,
        "an outlier": outlier,
        "normal": normal,
        "sparse": sparse,
        "uniform": uniform,
    }


NAMES = ("relu of laplace", "relu of normal", "an outlier", "normal", "sparse", "uniform")


def histogram(name: str) -> Histogram:
    return Histogram.of(data()[name])


def in_bins(histogram: Histogram, amax: float) -> float:
    """A threshold in units of the bin's width."""
    return round(amax / histogram.width, 6)
