"""Every function of one element against its formula in Python's own floating point."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nvdla_sim.errors import ModelError
from nvdla_sim.graph.ops.absval import AbsVal
from nvdla_sim.graph.ops.bnll import BNLL
from nvdla_sim.graph.ops.clip import Clip
from nvdla_sim.graph.ops.dropout import Dropout
from nvdla_sim.graph.ops.elu import ELU
from nvdla_sim.graph.ops.exp import Exp
from nvdla_sim.graph.ops.log import Log
from nvdla_sim.graph.ops.power import Power
from nvdla_sim.graph.ops.relu import ReLU
from nvdla_sim.graph.ops.relu6 import ReLU6
from nvdla_sim.graph.ops.sigmoid import Sigmoid
from nvdla_sim.graph.ops.swish import Swish
from nvdla_sim.graph.ops.tanh import TanH
from nvdla_sim.graph.ops.threshold import Threshold

POINTS = np.array([-200, -7.5, -1, -0.25, 0, 0.25, 0.5, 1, 3, 6.5, 80], np.float32)
POSITIVE = POINTS[POINTS > 0]

CASES = [
    (AbsVal(), POINTS, abs),
    (Clip(-2.0, 5.0), POINTS, lambda x: min(max(x, -2), 5)),
    (Dropout(), POINTS, lambda x: x),
    (BNLL(), POINTS, lambda x: math.log(1 + math.exp(x))),
    (Swish(), POINTS, lambda x: x / (1 + math.exp(-x))),
    (Swish(2.5), POINTS, lambda x: x / (1 + math.exp(-2.5 * x))),
    (Threshold(0.5), POINTS, lambda x: float(x > 0.5)),
    (ELU(0.5), POINTS, lambda x: x if x > 0 else 0.5 * (math.exp(x) - 1)),
    (Exp(), POINTS, math.exp),
    (Exp(2.0, 0.5, 1.0), POINTS, lambda x: 2 ** (1 + 0.5 * x)),
    (Log(), POSITIVE, math.log),
    (Log(10.0, 2.0, 3.0), POSITIVE, lambda x: math.log10(3 + 2 * x)),
    (Power(), POINTS, lambda x: x),
    (Power(1.0, -2.0, 3.0), POINTS, lambda x: 3 - 2 * x),
    (Power(2.0, 0.5, 1.0), POINTS, lambda x: (1 + 0.5 * x) ** 2),
    (Power(0.5), POSITIVE, math.sqrt),
    (ReLU(), POINTS, lambda x: max(x, 0)),
    (ReLU(0.1), POINTS, lambda x: x if x > 0 else 0.1 * x),
    (ReLU6(), POINTS, lambda x: min(max(x, 0), 6)),
    (Sigmoid(), POINTS, lambda x: 1 / (1 + math.exp(-x))),
    (TanH(), POINTS, math.tanh),
]


@pytest.mark.parametrize(("op", "points", "formula"), CASES, ids=[repr(case[0]) for case in CASES])
def test_equals_its_formula(op, points, formula):
    x = points.reshape(1, -1, 1, 1)
    before = x.copy()
    (y,) = op.run([x], {})
    np.testing.assert_allclose(y.ravel(), [formula(float(p)) for p in points], rtol=2e-6, atol=1e-7)
    assert y.dtype == np.float32
    assert y.shape == x.shape == (1, *op.output_shapes([x.shape[1:]])[0])
    np.testing.assert_array_equal(x, before)


def test_values_without_a_result_are_what_caffe_gives():
    x = np.array([[-4.0, 0.0]], np.float32)
    assert np.isnan(Power(0.5).run([x], {})[0][0, 0])
    assert np.isneginf(Log().run([x], {})[0][0, 1])
    assert np.isnan(Log().run([x], {})[0][0, 0])
    assert np.isposinf(Exp().run([-100 * x], {})[0][0, 0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Clip(2.0, 1.0), "min 2.0 must not be above max 1.0"),
        (lambda: Clip(math.nan, 1.0), "must not be above"),
        (lambda: ReLU(math.inf).output_shapes([(3,)]), "negative_slope inf must be finite"),
        (lambda: Exp(0.0), "base 0.0 must be above 0"),
        (lambda: Log(1.0), "base 1.0 must be above 0 and not 1"),
    ],
)
def test_impossible_attributes(make, message):
    with pytest.raises(ModelError, match=message):
        make()
