"""percentile against bins chosen without this code."""

from __future__ import annotations

import numpy as np
import pytest

from nvdla_sim.calib.histogram import Histogram
from nvdla_sim.calib.methods import percentile
from tests.calib.methods.vectors import NAMES, histogram, in_bins

BINS = {
    99: (921, 1261, 196, 1355, 124, 2011),
    99.9: (1476, 1670, 316, 1680, 525, 2042),
    99.99: (1951, 1974, 437, 1994, 1131, 2047),
    100: (2048, 2048, 2048, 2048, 2048, 2048),
}


@pytest.mark.parametrize("share", BINS)
@pytest.mark.parametrize("place", range(len(NAMES)))
def test_the_published_choice(place: int, share: float) -> None:
    counts = histogram(NAMES[place])
    assert in_bins(counts, percentile.amax(counts, share)) == BINS[share][place]


def test_the_default() -> None:
    counts = histogram("normal")
    assert percentile.amax(counts) == percentile.amax(counts, 99.99)


def test_something_is_always_kept() -> None:
    values = np.zeros(1000, np.float32)
    values[0] = 2048
    assert percentile.amax(Histogram.of(values), 50) == 1.0
