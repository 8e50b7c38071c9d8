"""Eltwise against Python's arithmetic."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nvdla_sim.errors import ModelError
from nvdla_sim.graph.ops.eltwise import Eltwise
from tests.graph.cases import random_array


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize(("operation", "combine"), [("SUM", sum), ("PROD", math.prod), ("MAX", max)])
def test_combines_element_by_element(operation, combine, count):
    inputs = [random_array(seed, 2, 3, 2) for seed in range(count)]
    expected = [combine(float(x.flat[i]) for x in inputs) for i in range(12)]
    (y,) = Eltwise(operation).run(inputs, {})
    np.testing.assert_allclose(y.ravel(), expected, rtol=1e-5, atol=1e-6)


def test_coefficients():
    a, b, c = (random_array(seed, 1, 4) for seed in range(3))
    (y,) = Eltwise("SUM", (1.0, -2.0, 0.5)).run([a, b, c], {})
    np.testing.assert_allclose(y, a - 2 * b + 0.5 * c, rtol=1e-6)


def test_refusals():
    with pytest.raises(ModelError, match="operation MIN is not known, allowed: SUM, PROD, MAX"):
        Eltwise("MIN")
    with pytest.raises(ModelError, match="coeff is for SUM only, not for MAX"):
        Eltwise("MAX", (1.0, 1.0))
    with pytest.raises(ModelError, match="3 coeff for 2 bottoms"):
        Eltwise("SUM", (1.0, 1.0, 1.0)).output_shapes([(4,), (4,)])
    with pytest.raises(ModelError, match="different shapes: 4x1x1, 4x2x2"):
        Eltwise().output_shapes([(4, 1, 1), (4, 2, 2)])
    with pytest.raises(ModelError, match="has 1 bottoms, allowed: 2 or more"):
        Eltwise().output_shapes([(4,)])
