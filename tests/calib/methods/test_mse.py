"""mse against bins chosen without this code."""

from __future__ import annotations

import pytest

from nvdla_sim.calib.methods import mse
from tests.calib.methods.vectors import NAMES, histogram, in_bins

BINS = (1925, 1933, 1936, 1939, 2040, 2041)


@pytest.mark.parametrize(("name", "bin_"), list(zip(NAMES, BINS, strict=True)))
def test_the_published_choice(name: str, bin_: int) -> None:
    counts = histogram(name)
    assert in_bins(counts, mse.amax(counts)) == bin_ + 0.5
