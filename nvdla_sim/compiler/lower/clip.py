"""ReLU6 and Clip from 0: X1 cuts off below 0, X2 takes the minimum with the upper bound.

Source: recipes section 1 ("ReLU6 / clip behind a conv").
"""

from __future__ import annotations

import numpy as np

from nvdla_sim.compiler.lower.values import FINE, Values
from nvdla_sim.compiler.program import Converter, Post, Stage
from nvdla_sim.loadable.enums import AluType, SdpAct

INT8_MAX = 127


def post(values: Values, high: float, scale: np.float32) -> Post:
    """Values between 0 and ``high`` (real). Where int8 ends at or below ``high`` its own limit does."""
    steps = high / float(scale)
    if steps >= INT8_MAX:
        return values.requantise(scale, SdpAct.RELU)
    fine = values.rescale(scale / np.float32(1 << FINE), SdpAct.RELU)
    limit = Stage(alu=round(steps * (1 << FINE)), function=AluType.MIN)
    return Post(fine, limit, Converter(1, FINE))
