"""ReLU6 and Clip from 0: X1 cuts off below 0, X2 takes the minimum with the upper bound.

Source: recipes section 1 ("ReLU6 / clip behind a conv").
"""

from __future__ import annotations

import numpy as np

from nvdla_sim.compiler.lower.values import FINE, Values
from nvdla_sim.compiler.program import Converter, Post, Stage
from nvdla_sim.graph.operator import Operator
from nvdla_sim.graph.ops.clip import Clip
from nvdla_sim.graph.ops.relu6 import ReLU6
from nvdla_sim.loadable.enums import AluType, SdpAct

INT8_MAX = 127


def upper_bound(op: Operator) -> float | None:
    """The real value that nothing exceeds; None for an operator of another kind."""
    if isinstance(op, ReLU6):
        return 6.0
    return op.high if isinstance(op, Clip) and op.low == 0 else None


def needs_limit(high: float, scale: np.float32) -> bool:
    """Whether int8 reaches further than ``high``."""
    return high / float(scale) < INT8_MAX


def post(values: Values, high: float, scale: np.float32) -> Post:
    """Values between 0 and ``high`` (real). Where int8 ends at or below ``high`` its own limit does."""
    if not needs_limit(high, scale):
        return values.requantise(scale, SdpAct.RELU)
    fine = values.rescale(scale / np.float32(1 << FINE), SdpAct.RELU)
    limit = Stage(alu=round(high / float(scale) * (1 << FINE)), function=AluType.MIN)
    return Post(fine, limit, Converter(1, FINE))
