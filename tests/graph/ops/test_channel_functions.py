"""Operators with a parameter or a sum over channels, against their formulas written as loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvdla_sim.errors import ModelError
from nvdla_sim.graph.ops.batch_norm import BatchNorm
from nvdla_sim.graph.ops.bias import Bias
from nvdla_sim.graph.ops.inner_product import InnerProduct
from nvdla_sim.graph.ops.lrn import LRN
from nvdla_sim.graph.ops.prelu import PReLU
from nvdla_sim.graph.ops.scale import Scale
from nvdla_sim.graph.ops.softmax import Softmax
from tests.graph.cases import random_array, random_params

SHAPES = st.sampled_from([(5,), (5, 3), (5, 3, 2)])


def per_channel(x, function):
    """``function(value, channel)`` of every element, in float64."""
    y = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        y[index] = function(float(x[index]), index[1])
    return y


@settings(max_examples=30, deadline=None)
@given(SHAPES)
def test_batch_norm(shape):
    x, op = random_array(1, 2, *shape), BatchNorm(0.01)
    params = random_params(op, [shape])
    mean, variance = params["mean"], params["variance"]
    expected = per_channel(x, lambda value, c: (value - mean[c]) / math.sqrt(variance[c] + 0.01))
    np.testing.assert_allclose(op.run([x], params)[0], expected, rtol=1e-4, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(SHAPES)
def test_prelu(shape):
    x = random_array(1, 2, *shape)
    slope = random_array(2, 5)
    expected = per_channel(x, lambda value, c: value if value > 0 else value * slope[c])
    np.testing.assert_allclose(PReLU().run([x], {"slope": slope})[0], expected, rtol=1e-6)
    shared = PReLU(channel_shared=True)
    assert shared.param_shapes([shape]) == {"slope": ()}
    (y,) = shared.run([x], {"slope": np.float32(0.3).reshape(())})
    np.testing.assert_allclose(y, per_channel(x, lambda v, c: v if v > 0 else 0.3 * v), rtol=1e-6)


@pytest.mark.parametrize(
    ("axis", "num_axes", "shape"),
    [(1, 1, (4,)), (2, 1, (3,)), (1, 2, (4, 3)), (2, 2, (3, 2)), (1, 3, (4, 3, 2)), (1, 0, ())],
)
def test_scale_and_bias_lie_on_their_axes(axis, num_axes, shape):
    x = random_array(1, 2, 4, 3, 2)
    weight, bias = random_array(2, *shape), random_array(3, *shape)
    scale_op, bias_op = Scale(axis, num_axes, bias=True), Bias(axis, num_axes)
    assert scale_op.param_shapes([(4, 3, 2)]) == {"weight": shape, "bias": shape}
    assert bias_op.param_shapes([(4, 3, 2)]) == {"bias": shape}
    expected = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        own = index[axis : axis + num_axes]
        expected[index] = float(x[index]) * float(weight[own]) + float(bias[own])
    (y,) = scale_op.run([x], {"weight": weight, "bias": bias})
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)
    (added,) = bias_op.run([x], {"bias": bias})
    (plain,) = Scale(axis, num_axes).run([x], {"weight": weight})
    np.testing.assert_allclose(added - x + plain, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("second", [(4,), (4, 3), (4, 3, 2)])
def test_a_second_input_lies_on_the_first_axes(second):
    x, other = random_array(1, 2, 4, 3, 2), random_array(2, 2, *second)
    spread = other.reshape(other.shape + (1,) * (x.ndim - other.ndim))
    assert Scale().output_shapes([(4, 3, 2), second]) == [(4, 3, 2)]
    assert Scale().param_shapes([(4, 3, 2), second]) == Bias().param_shapes([(4, 3, 2), second]) == {}
    np.testing.assert_array_equal(Scale().run([x, other], {})[0], x * spread)
    np.testing.assert_array_equal(Bias().run([x, other], {})[0], x + spread)


def test_scale_refusals():
    with pytest.raises(ModelError, match="second bottom 3 does not match the first sizes of 4x3x2"):
        Scale().output_shapes([(4, 3, 2), (3,)])
    with pytest.raises(ModelError, match=r"second bottom 4x1x1 .* put a Flatten in front of it"):
        Scale().output_shapes([(4, 3, 2), (4, 1, 1)])
    with pytest.raises(ModelError, match="axis 4 is not an axis of 4x3x2, allowed: 1 to 3"):
        Scale(3, 2).output_shapes([(4, 3, 2)])
    with pytest.raises(ModelError, match="bias is not supported"):
        Scale(bias=True).output_shapes([(4, 3), (4,)])
    with pytest.raises(ModelError, match="has 3 bottoms, allowed: 1 to 2"):
        Bias().output_shapes([(4,), (4,), (4,)])


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([1, 3, 5, 7]), st.integers(1, 9))
def test_lrn(local_size, channels):
    x = random_array(1, 2, channels, 2, 2)
    op = LRN(local_size, alpha=0.7, beta=0.75, k=1.5)
    expected = np.zeros(x.shape)
    for n, c, h, w in np.ndindex(x.shape):
        around = range(max(0, c - local_size // 2), min(channels, c + local_size // 2 + 1))
        total = sum(float(x[n, j, h, w]) ** 2 for j in around)
        expected[n, c, h, w] = x[n, c, h, w] * (1.5 + 0.7 / local_size * total) ** -0.75
    np.testing.assert_allclose(op.run([x], {})[0], expected, rtol=1e-5)


@pytest.mark.parametrize("local_size", [0, 4, -1])
def test_lrn_needs_an_odd_size(local_size):
    with pytest.raises(ModelError, match="must be odd"):
        LRN(local_size)


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_softmax(axis):
    x = random_array(1, 2, 3, 4, 5) * 300
    y = Softmax(axis).run([x], {})[0]
    exponent = np.exp(x.astype(np.float64) - x.max(axis=axis, keepdims=True))
    np.testing.assert_allclose(y, exponent / exponent.sum(axis=axis, keepdims=True), rtol=1e-4, atol=1e-30)


def test_softmax_axis_must_be_there():
    with pytest.raises(ModelError, match="axis 2 is not an axis of 10, allowed: 1 to 1"):
        Softmax(2).output_shapes([(10,)])


@pytest.mark.parametrize("axis", [1, 2, 3])
@pytest.mark.parametrize("bias", [False, True])
def test_inner_product(axis, bias):
    op, x = InnerProduct(4, bias, axis), random_array(1, 2, 3, 2, 5)
    params = random_params(op, [(3, 2, 5)])
    kept = x.shape[:axis]
    flat = x.reshape(*kept, -1)
    expected = np.zeros((*kept, 4))
    for index in np.ndindex(*kept, 4):
        products = flat[index[:-1]].astype(np.float64) * params["weight"][index[-1]]
        expected[index] = products.sum() + (params["bias"][index[-1]] if bias else 0)
    (y,) = op.run([x], params)
    np.testing.assert_allclose(y, expected, atol=1e-5)
    assert op.output_shapes([(3, 2, 5)]) == [y.shape[1:]]


def test_inner_product_refusals():
    with pytest.raises(ModelError, match="num_output 0 must be at least 1"):
        InnerProduct(0)
    with pytest.raises(ModelError, match="axis 3 is not an axis of 4x2, allowed: 1 to 2"):
        InnerProduct(3, axis=3).output_shapes([(4, 2)])
