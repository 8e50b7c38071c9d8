"""The values that enter the SDP, and how they get to int8: bias, activation, change of scale.

Factors are computed in single precision in the order of NVIDIA's compiler, so that the multipliers agree.

Source: compiler-facts section 6.4; filters of very different size: section 8.11 and recipes section 2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.compiler.program import Converter, Post, Stage
from nvdla_sim.compiler.quantize import MAX_BIAS_SHIFT, Bias, Float32, quantize_bias
from nvdla_sim.compiler.scaling import MAX_TRUNCATE, MULTIPLIER_BITS, multiplier, multipliers, spread
from nvdla_sim.hw.config import Config
from nvdla_sim.loadable.enums import SdpAct

FINE = 8  # bits that an intermediate result has below the output's step
NOTICEABLE = 2**4  # factors further apart share no shift where the second stage is free
WIDE = 2**8  # nor do these where it has to be made free by an operation more
BIAS_ERROR = 0.25  # output steps that a bias may be off before it is worth two stages
# The configurations whose SDP has the third stage Y in hardware, not in the chip's model only.
STAGE_Y = frozenset({"nv_small_256_full", "nv_medium_1024_full", "nv_large", "nv_full"})


def has_stage_y(config: Config) -> bool:
    """Whether an SDP operation can use ``Post.y``."""
    return config.name in STAGE_Y


@dataclass(frozen=True)
class Values:
    """``real = in_scale * weight_scale[k] * value + bias[k]``; what an SDP does to them ends at int8.

    ``weight_scale``: float32 [K]. ``uniform``: all of it is equal. ``what`` names the layer in messages.
    """

    what: str
    in_scale: np.float32
    weight_scale: Float32
    uniform: bool
    bias: Float32 | None = None

    @classmethod
    def in_memory(cls, what: str, scale: np.float32) -> Values:
        """Int8 values of one scale."""
        return cls(what, scale, np.ones(1, np.float32), uniform=True)

    def fits(self, scale: np.float32) -> bool:
        """Whether ``rescale`` has multipliers for this scale."""
        return float(np.abs(self._factors(scale)).max()) < 1 << MULTIPLIER_BITS

    def rescale(self, scale: np.float32, act: SdpAct = SdpAct.NONE) -> Stage:
        """The stage after which ``real = scale * value``, for all channels alike."""
        if self.bias is None:
            # NVIDIA's compiler has a scale layer of ones here, hence another order of factors
            factors = self.weight_scale * self.in_scale / scale
            if self.uniform:
                mul, truncate = multiplier(float(factors[0]), self.what)
                return Stage(mul=mul, truncate=truncate, act=act)
            muls, truncate = multipliers(factors, self.what)
            return Stage(mul=muls, truncate=truncate, act=act)
        bias = quantize_bias(self.bias, self.in_scale * self.weight_scale)
        muls, truncate = multipliers(self._factors(scale), self.what)
        return Stage(alu=bias.values, shift=bias.shift, mul=muls, truncate=truncate, act=act)

    def requantise(self, scale: np.float32, act: SdpAct = SdpAct.NONE) -> Post:
        """``clamp(round(real / scale))`` with one rounding."""
        if self.bias is not None and self.uniform:
            bias = quantize_bias(self.bias, self.in_scale * self.weight_scale)
            out = Converter(*multiplier(float(self._factors(scale)[0]), self.what))
            return Post(Stage(alu=bias.values, shift=bias.shift, act=act), out=out)
        return self.in_steps(scale, act)

    def in_steps(self, scale: np.float32, act: SdpAct = SdpAct.NONE) -> Post:
        """``real = scale * value`` in one stage or in two, without the output converter."""
        if self.needs_two_stages(scale, NOTICEABLE):
            return self._two_stages(scale, act)
        return Post(self.rescale(scale, act))

    def needs_two_stages(self, scale: np.float32, most: int = WIDE) -> bool:
        """Whether one shift for all factors, or one for all biases, would cost precision.

        ``most``: how far factors may be apart.
        """
        if self.uniform:
            return False
        factors = self._factors(scale)
        if spread(factors) > most:
            return True
        bias = quantize_bias(self.bias, self.in_scale * self.weight_scale) if self.bias is not None else None
        return (
            bias is not None and bias.shift > 0 and 2**bias.shift * float(np.abs(factors).max()) > BIAS_ERROR
        )

    def _factors(self, scale: np.float32) -> Float32:
        return self.in_scale / scale * self.weight_scale

    def _two_stages(self, scale: np.float32, act: SdpAct) -> Post:
        """Multipliers ``m_k * 2^e_k``: X1 has the 15-bit ``m_k``, X2 the power; the bias is shared out."""
        factors = self._factors(scale).astype(np.float64)
        multipliers(factors, self.what)  # refuses what is too large for any shift
        # the shift that each factor alone would take
        own = np.minimum(MULTIPLIER_BITS - np.frexp(factors)[1], MAX_TRUNCATE)
        total = int(min(own.max(), own.min() + 14))
        exponents = np.maximum(0, total - own)
        muls = np.trunc(np.ldexp(factors, total - exponents)).astype(np.int64)
        second = min(int(exponents.max()) + FINE, total)
        x1 = Stage(mul=muls, truncate=total - second)
        x2 = Stage(mul=1 << exponents, truncate=second, act=act)
        if self.bias is not None:
            made = np.ldexp(muls.astype(np.float64), exponents - total)  # the factors as they came out
            steps = self.bias.astype(np.float64) / scale
            high = _shifted(steps / made)
            rest = steps - np.ldexp(high.values * made, high.shift)
            low = _shifted(np.ldexp(rest, second - exponents))
            x1 = replace(x1, alu=high.values, shift=high.shift)
            x2 = replace(x2, alu=low.values, shift=low.shift)
        return Post(x1, x2)


def _shifted(values: NDArray[np.float64]) -> Bias:
    """``values`` as 16-bit integers under the smallest common left shift."""
    shift = 0
    while np.max(np.abs(np.rint(np.ldexp(values, -shift)))) > 32767 and shift < MAX_BIAS_SHIFT:
        shift += 1
    steps = np.clip(np.rint(np.ldexp(values, -shift)), -32768, 32767)
    return Bias(steps.astype(np.int64), shift)
