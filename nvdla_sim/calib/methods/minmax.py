"""minmax: amax = max|x|, nothing is clipped.

Provenance: TensorRT's ``IInt8MinMaxCalibrator`` ("uses the entire range of the activation distribution").
"""

from __future__ import annotations

from nvdla_sim.calib.histogram import Histogram


def amax(histogram: Histogram) -> float:
    return float(histogram.absmax)
