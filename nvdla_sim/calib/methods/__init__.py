"""The calibration methods by name: each turns a histogram into amax, the largest |x| that int8 represents."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from nvdla_sim.calib.histogram import Histogram
from nvdla_sim.calib.methods import (
    entropy_v1,
    kl_caffe_int8,
    kl_ncnn,
    kl_trt,
    legacy,
    minmax,
    mse,
    percentile,
)


class Method(NamedTuple):
    """``after_fusion``: layers that are fused into the next one get the range of their group's last layer.

    ``trt_word``: how TensorRT names it in the first line of a cache.
    """

    amax: Callable[[Histogram], float]
    after_fusion: bool = False
    trt_word: str = "EntropyCalibration2"


METHODS = {
    "minmax": Method(minmax.amax, trt_word="MinMaxCalibration"),
    "percentile": Method(percentile.amax, trt_word="LegacyCalibration"),
    "mse": Method(mse.amax),
    "kl-trt": Method(kl_trt.amax),
    "entropy-v1": Method(entropy_v1.amax, after_fusion=True, trt_word="EntropyCalibration"),
    "legacy": Method(legacy.amax, after_fusion=True, trt_word="LegacyCalibration"),
    "kl-caffe-int8": Method(kl_caffe_int8.amax),
    "kl-ncnn": Method(kl_ncnn.amax),
}
