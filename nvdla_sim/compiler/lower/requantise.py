"""From a convolution's sums to int8: bias, activation and the change of scale, as SDP stages.

A sum's step is ``input scale * weight scale``; the output's is the output scale. The factors between them are
computed in single precision in the order of NVIDIA's compiler, so that the multipliers agree bit for bit.

Source: compiler-facts section 6.4.
"""

from __future__ import annotations

import numpy as np

from nvdla_sim.compiler.program import Converter, Post, Stage
from nvdla_sim.compiler.quantize import Float32, quantize_bias
from nvdla_sim.compiler.scaling import multiplier, multipliers
from nvdla_sim.loadable.enums import SdpAct


def requantise(
    what: str,
    in_scale: np.float32,
    weight_scale: Float32,
    bias: Float32 | None,
    out_scale: np.float32,
    per_filter: bool,
    relu: bool,
) -> Post:
    """``clamp(round((sum + bias) * in_scale * weight_scale / out_scale))``, negative values 0 if ``relu``.

    ``weight_scale``, ``bias``: float32 [K]. ``what`` names the layer in error messages.
    """
    act = SdpAct.RELU if relu else SdpAct.NONE
    if bias is None:
        factors = weight_scale * in_scale / out_scale
        if not per_filter:
            mul, truncate = multiplier(float(factors[0]), what)
            return Post(Stage(mul=mul, truncate=truncate, act=act))
        muls, truncate = multipliers(factors, what)
        return Post(Stage(mul=muls, truncate=truncate, act=act))
    values, shift = quantize_bias(bias, in_scale * weight_scale)
    factors = in_scale / out_scale * weight_scale
    if not per_filter:
        out = Converter(*multiplier(float(factors[0]), what))
        return Post(Stage(alu=values, shift=shift, act=act), out=out)
    muls, truncate = multipliers(factors, what)
    return Post(Stage(alu=values, shift=shift, mul=muls, truncate=truncate, act=act))
