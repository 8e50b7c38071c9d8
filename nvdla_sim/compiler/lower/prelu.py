"""PReLU and leaky ReLU: X2 multiplies what is negative by the slope.

Source: recipes section 1 ("PReLU per channel", "leaky ReLU").
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.compiler.lower.values import FINE, Values
from nvdla_sim.compiler.program import Converter, Post, Stage
from nvdla_sim.compiler.scaling import multiplier, multipliers
from nvdla_sim.loadable.enums import SdpAct


def post(values: Values, slope: float | NDArray[np.float32], scale: np.float32) -> Post:
    """``slope``: one number or one for each channel. The values get finer steps first, so that the negative
    ones are rounded to int8 once only.
    """
    what = f"{values.what}: the slope"
    if np.ndim(slope) == 0:
        mul, truncate = multiplier(float(slope), what)
        negative = Stage(mul=mul, truncate=truncate, act=SdpAct.PRELU)
    else:
        muls, truncate = multipliers(slope, what)
        negative = Stage(mul=muls, truncate=truncate, act=SdpAct.PRELU)
    return Post(values.rescale(scale / np.float32(1 << FINE)), negative, Converter(1, FINE))
