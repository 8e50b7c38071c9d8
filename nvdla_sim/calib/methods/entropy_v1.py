"""entropy-v1: TensorRT's first entropy calibrator, which looks at the net after layers are fused.

The threshold is that of kl-trt; a layer that is fused into the next one (BatchNorm, Scale, Bias or ReLU
behind a layer that nothing else reads) has no range of its own and gets that of the last layer of its group.

Provenance: TensorRT's developer guide: ``IInt8EntropyCalibrator`` calibrates after layer fusion by default,
``IInt8EntropyCalibrator2`` before; both choose by entropy, and no other difference is published.
"""

from __future__ import annotations

from nvdla_sim.calib.methods.kl_trt import amax

__all__ = ["amax"]
