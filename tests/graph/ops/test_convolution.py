"""Convolution against its definition, written as loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvdla_sim.errors import ModelError
from nvdla_sim.graph.ops import convolution
from nvdla_sim.graph.ops.convolution import Convolution
from tests.graph.cases import random_array, random_params


def by_definition(op, x, params):
    """y[k, oh, ow] = sum of w[k, c, r, s] * x[c, oh*S + r*D - P, ow*S + s*D - P] + b[k], in float64."""
    batch, channels, height, width = x.shape
    (_, out_height, out_width) = op.output_shapes([x.shape[1:]])[0]
    part_in, part_out = channels // op.group, op.num_output // op.group
    y = np.zeros((batch, op.num_output, out_height, out_width))
    for n, k, oh, ow in np.ndindex(y.shape):
        total = float(params["bias"][k]) if op.bias else 0.0
        for c, r, s in np.ndindex(part_in, *op.kernel):
            h = oh * op.stride[0] + r * op.dilation[0] - op.pad[0]
            w = ow * op.stride[1] + s * op.dilation[1] - op.pad[1]
            if 0 <= h < height and 0 <= w < width:
                total += float(params["weight"][k, c, r, s]) * float(x[n, k // part_out * part_in + c, h, w])
        y[n, k, oh, ow] = total
    return y


pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def operators(draw):
    group = draw(st.integers(1, 3))
    op = Convolution(
        num_output=group * draw(st.integers(1, 2)),
        kernel=draw(pairs),
        stride=draw(pairs),
        pad=draw(st.tuples(st.integers(0, 2), st.integers(0, 2))),
        dilation=draw(pairs),
        group=group,
        bias=draw(st.booleans()),
    )
    return op, group * draw(st.integers(1, 2))


@settings(max_examples=80, deadline=None)
@given(operators(), st.integers(5, 8), st.integers(5, 8), st.integers(1, 2))
def test_equals_its_definition(case, height, width, batch):
    op, channels = case
    height, width = height + 2, width + 2
    x = random_array(1, batch, channels, height, width)
    params = random_params(op, [x.shape[1:]])
    (y,) = op.run([x], params)
    assert y.shape == (batch, *op.output_shapes([x.shape[1:]])[0])
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, by_definition(op, x, params), atol=1e-5)


@settings(max_examples=200, deadline=None)
@given(operators(), st.integers(1, 40), st.integers(1, 40))
def test_output_size_is_the_number_of_windows_that_fit(case, height, width):
    op, channels = case
    extent = [(k - 1) * d + 1 for k, d in zip(op.kernel, op.dilation, strict=True)]
    fitting = [
        len(range(0, size + 2 * pad - length + 1, stride))
        for size, pad, length, stride in zip((height, width), op.pad, extent, op.stride, strict=True)
    ]
    if min(fitting) < 1:
        with pytest.raises(ModelError, match="must be at least 1"):
            op.output_shapes([(channels, height, width)])
    else:
        assert op.output_shapes([(channels, height, width)]) == [(op.num_output, *fitting)]


def test_blocks_of_rows_give_the_whole(monkeypatch):
    op = Convolution(4, (3, 3), pad=(1, 1))
    x = random_array(1, 1, 3, 9, 7)
    params = random_params(op, [(3, 9, 7)])
    whole = op.run([x], params)[0]
    monkeypatch.setattr(convolution, "BLOCK_ELEMENTS", 3 * 9 * 7 * 2)  # two rows
    np.testing.assert_allclose(op.run([x], params)[0], whole, atol=1e-5)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"kernel": (0, 3)}, "kernel 0x3 must be at least 1"),
        ({"stride": (1, 0)}, "stride 1x0 must be at least 1"),
        ({"pad": (-1, 0)}, "pad -1x0 must be at least 0"),
        ({"dilation": (0, 0)}, "dilation 0x0 must be at least 1"),
        ({"num_output": 0}, "num_output 0 must be at least 1"),
        ({"group": 3}, "num_output 4 cannot be divided into 3 groups"),
        ({"kernel": (0, 0), "pad": (-1, -1)}, "kernel 0x0.*; pad -1x-1"),
    ],
)
def test_impossible_attributes(attributes, message):
    with pytest.raises(ModelError, match=message):
        Convolution(**{"num_output": 4, "kernel": (3, 3), **attributes})


def test_impossible_inputs():
    op = Convolution(4, (3, 3), group=2)
    with pytest.raises(ModelError, match="3 channels cannot be divided into 2 groups"):
        op.output_shapes([(3, 8, 8)])
    with pytest.raises(ModelError, match="needs an input of shape CxHxW, got 8"):
        op.output_shapes([(8,)])
    with pytest.raises(ModelError, match=r"has 2 bottoms, allowed: 1$"):
        op.output_shapes([(4, 8, 8), (4, 8, 8)])


def test_padding_cannot_ask_for_more_memory_than_the_limit():
    with pytest.raises(ModelError, match=r"padded input would have the shape .* more than"):
        Convolution(1, (10**6, 10**6), pad=(10**6, 10**6)).output_shapes([(1, 8, 8)])
