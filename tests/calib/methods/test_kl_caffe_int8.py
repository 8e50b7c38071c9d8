"""kl-caffe-int8 against bins chosen without this code."""

from __future__ import annotations

import numpy as np
import pytest

from nvdla_sim.calib.histogram import Histogram
from nvdla_sim.calib.methods import kl_caffe_int8
from tests.calib.methods.vectors import NAMES, histogram, in_bins

BINS = (2046, 2046, 511, 2046, 1151, 1663)


@pytest.mark.parametrize(("name", "bin_"), list(zip(NAMES, BINS, strict=True)))
def test_the_published_choice(name: str, bin_: int) -> None:
    counts = histogram(name)
    assert in_bins(counts, kl_caffe_int8.amax(counts)) == bin_ + 0.5


def straight(counts: np.ndarray) -> np.ndarray:
    """The divergence of every candidate, bin by bin."""
    found = []
    for i in range(128, counts.size):
        p = counts[:i].astype(float)
        p[-1] += counts[i:].sum()
        filled, q = p > 0, np.zeros(i)
        size = i // 128
        for level in range(128):
            start, stop = level * size, i if level == 127 else (level + 1) * size
            inside = np.arange(start, i - 1 if level == 127 else stop)
            bins = inside[filled[inside]]
            if bins.size:
                q[bins] = counts[start:stop].sum() / bins.size
        p[p == 0], q[q == 0] = 0.0001, 0.0001
        p, q = p / p.sum(), q / q.sum()
        found.append((p * np.log(p / q)).sum())
    return np.array(found)


@pytest.mark.parametrize(("bins", "largest"), [(1, 5), (40, 3), (700, 1000)])
def test_every_divergence(bins: int, largest: int) -> None:
    r = np.random.default_rng(bins)
    counts = np.zeros(2048, np.int64)
    counts[r.integers(1, 2048, bins)] = r.integers(1, largest, bins)
    divergence = straight(counts[1:])
    np.testing.assert_allclose(kl_caffe_int8.divergences(counts[1:].astype(float)), divergence, atol=1e-9)
    own = kl_caffe_int8.amax(Histogram(np.float32(2048), positive=counts)) - 0.5
    assert divergence[int(own) - 128] <= divergence.min() + 1e-9
