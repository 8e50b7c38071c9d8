"""kl-ncnn against bins chosen without this code."""

from __future__ import annotations

import pytest

from nvdla_sim.calib.methods import kl_ncnn
from tests.calib.methods.vectors import NAMES, histogram, in_bins

BINS = (1993, 1981, 426, 2015, 888, 2047)


@pytest.mark.parametrize(("name", "bin_"), list(zip(NAMES, BINS, strict=True)))
def test_the_published_choice(name: str, bin_: int) -> None:
    counts = histogram(name)
    assert in_bins(counts, kl_ncnn.amax(counts)) == bin_ + 0.5
