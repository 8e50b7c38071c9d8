"""minmax keeps everything."""

from __future__ import annotations

import numpy as np

from nvdla_sim.calib.histogram import Histogram
from nvdla_sim.calib.methods import minmax


def test_the_largest_of_both_signs() -> None:
    assert minmax.amax(Histogram.of(np.array([1, -3.5, 2], np.float32))) == 3.5
    assert minmax.amax(Histogram.of(np.array([1, -3.5, 20], np.float32))) == 20
