"""kl-caffe-int8 against bins chosen without this code."""

from __future__ import annotations

import pytest

from nvdla_sim.calib.methods import kl_caffe_int8
from tests.calib.methods.vectors import NAMES, histogram, in_bins

BINS = (2046, 2046, 511, 2046, 1151, 1663)


@pytest.mark.parametrize(("name", "bin_"), list(zip(NAMES, BINS, strict=True)))
def test_the_published_choice(name: str, bin_: int) -> None:
    counts = histogram(name)
    assert in_bins(counts, kl_caffe_int8.amax(counts)) == bin_ + 0.5
