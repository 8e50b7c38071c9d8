"""kl-trt against bins chosen without this code."""

from __future__ import annotations

import numpy as np
import pytest

from nvdla_sim.calib.histogram import Histogram
from nvdla_sim.calib.methods import kl_trt
from tests.calib.methods.vectors import NAMES, histogram, in_bins

BINS = (1702, 1975, 363, 1744, 884, 2048)


@pytest.mark.parametrize(("name", "bin_"), list(zip(NAMES, BINS, strict=True)))
def test_the_published_choice(name: str, bin_: int) -> None:
    counts = histogram(name)
    assert in_bins(counts, kl_trt.amax(counts)) == bin_ + 0.5


def test_an_unclipped_tensor_shows_half_a_bin_more() -> None:
    """What TensorRT's caches show: amax = max|x| * 2048.5 / 2048."""
    values = np.linspace(-1, 1, 100_001, dtype=np.float32)
    assert kl_trt.amax(Histogram.of(values)) == 2048.5 / 2048


def test_zeros_do_not_count() -> None:
    values = np.random.default_rng(1).normal(size=5000).astype(np.float32)
    values[values < 0] = 0
    more = np.concatenate([values, np.zeros(50_000, np.float32)])
    assert kl_trt.amax(Histogram.of(values)) == kl_trt.amax(Histogram.of(more))


def test_few_values_lose_nothing() -> None:
    values = np.array([0, 0.5, 1, -0.25] * 100, np.float32)
    assert kl_trt.amax(Histogram.of(values)) == 2048.5 / 2048


def straight(counts: np.ndarray) -> int:
    """The rule bin by bin: the last candidate with the smallest divergence."""
    counts = counts.astype(float)
    counts[0] = counts[1]
    found = []
    for i in range(128, 2049):
        level = np.arange(i) * 128 // i
        filled = counts[:i] > 0
        share = np.bincount(level, counts[:i]) / np.maximum(np.bincount(level, filled), 1)
        p, q = counts[:i].copy(), np.where(filled, share[level], 0)
        p[-1] += counts[i:].sum()
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(p > 0, p * np.log(p / q), 0)
            found.append(terms.sum() / p.sum() - np.log(p.sum()) + np.log(q.sum()))
    found = np.nan_to_num(np.array(found), nan=np.inf)
    return 128 + int(np.flatnonzero(found <= found.min() + 1e-12)[-1])


@pytest.mark.parametrize("bins", [0, 1, 3, 60, 900])
def test_sparse_histograms(bins: int) -> None:
    r = np.random.default_rng(bins)
    counts = np.zeros(2048, np.int64)
    counts[r.integers(0, 2048, bins)] = r.integers(1, 10_000, bins)
    counts[-1] += 1
    histogram = Histogram(np.float32(2048), positive=counts.copy())
    assert kl_trt.amax(histogram) == straight(counts) + 0.5
