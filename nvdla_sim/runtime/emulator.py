"""The operations that NVIDIA's runtime does on the CPU: softmax and power.

Source: compiler-facts section 3; the arithmetic gives every byte of the recorded operations. Softmax passes
its values through half precision, power does not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.hw.formats import Int8

Float32 = NDArray[np.float32]


def softmax(values: Int8, in_scale: float, out_scale: float) -> Int8:
    """Softmax over all of ``values`` (any shape, in memory order), requantised by truncation.

    v = half(x * in_scale); e = exp(v - max v); p = half(e / sum of e); result = trunc(clamp(p / out_scale)).
    Everything but the two halves is single precision; the sum is taken in order.
    """
    real = _half(values.reshape(-1).astype(np.float32) * np.float32(in_scale))
    # Through double precision: numpy's single precision exp differs between processors.
    exponentials = np.exp((real - real.max()).astype(np.float64)).astype(np.float32)
    total = np.add.accumulate(exponentials)[-1]
    return _quantise(_half(exponentials / total), out_scale).reshape(values.shape)


def power(
    values: Int8, in_scale: float, out_scale: float, exponent: float, scale: float, shift: float
) -> Int8:
    """Element-wise ``(shift + scale * x) ** exponent`` in single precision, requantised by truncation."""
    real = values.astype(np.float32) * np.float32(in_scale)
    base = (np.float32(shift) + np.float32(scale) * real).astype(np.float64)
    with np.errstate(all="ignore"):
        result = np.power(base, float(exponent)).astype(np.float32)
    return _quantise(result, out_scale)


def _half(values: Float32) -> Float32:
    with np.errstate(over="ignore"):
        return values.astype(np.float16).astype(np.float32)


def _quantise(real: Float32, scale: float) -> Int8:
    """trunc(clamp(real / scale, -128, 127)); what is not a number becomes 0."""
    with np.errstate(all="ignore"):
        steps = np.clip(real / np.float32(scale), -128, 127)
    return np.trunc(np.nan_to_num(steps)).astype(np.int8)
