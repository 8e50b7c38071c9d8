"""Deconvolution against its definition, and as the transpose of a convolution."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvdla_sim.errors import ModelError
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.deconvolution import Deconvolution
from tests.graph.cases import random_array, random_params

pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


def by_definition(op, x, params):
    """Every input element adds its kernel to the output; what falls beyond the padding is lost."""
    batch, channels = x.shape[:2]
    part_in, part_out = channels // op.group, op.num_output // op.group
    y = np.zeros((batch, *op.output_shapes([x.shape[1:]])[0]))
    for n, c, h, w in np.ndindex(x.shape):
        for k, r, s in np.ndindex(part_out, *op.kernel):
            row = h * op.stride[0] + r * op.dilation[0] - op.pad[0]
            column = w * op.stride[1] + s * op.dilation[1] - op.pad[1]
            if 0 <= row < y.shape[2] and 0 <= column < y.shape[3]:
                y[n, c // part_in * part_out + k, row, column] += float(x[n, c, h, w]) * float(
                    params["weight"][c, k, r, s]
                )
    return y + (params["bias"][:, None, None] if op.bias else 0)


@settings(max_examples=60, deadline=None)
@given(pairs, pairs, st.tuples(st.integers(0, 1), st.integers(0, 1)), pairs, st.integers(1, 3), st.booleans())
def test_equals_its_definition(kernel, stride, pad, dilation, group, bias):
    op = Deconvolution(group * 2, kernel, stride, pad, dilation, group, bias)
    x = random_array(3, 2, group * 2, 4, 5)
    params = random_params(op, [x.shape[1:]])
    np.testing.assert_allclose(op.run([x], params)[0], by_definition(op, x, params), atol=1e-5)


def test_is_the_transpose_of_the_convolution_with_the_same_window():
    window = {"kernel": (3, 2), "stride": (2, 1), "pad": (1, 0), "group": 2, "bias": False}
    forward, backward = Convolution(6, **window), Deconvolution(4, **window)
    x, z = random_array(1, 1, 4, 9, 7), random_array(2, 1, 6, 5, 6)
    weight = {"weight": random_array(3, 6, 2, 3, 2)}
    y, back = forward.run([x], weight)[0], backward.run([z], weight)[0]
    assert y.shape == z.shape
    assert back.shape == x.shape
    assert np.vdot(y, z) == pytest.approx(np.vdot(x, back), rel=1e-5)


def test_refusals():
    with pytest.raises(ModelError, match="must be at least 1"):
        Deconvolution(1, (2, 2), pad=(2, 2)).output_shapes([(1, 2, 2)])
    with pytest.raises(ModelError, match=r"output before cropping would have the shape .* more than"):
        Deconvolution(1, (1, 1), stride=(10**6, 10**6), pad=(5, 5)).output_shapes([(1, 3, 3)])
    with pytest.raises(ModelError, match="kernel 0x1"):
        Deconvolution(1, (0, 1))
    with pytest.raises(ModelError, match="5 channels cannot be divided into 2 groups"):
        Deconvolution(2, (1, 1), group=2).output_shapes([(5, 3, 3)])
