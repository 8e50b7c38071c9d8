"""Pooling against Caffe's loops: output size, clipped windows, divisors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvdla_sim.errors import ModelError
from nvdla_sim.graph.ops.pooling import Pooling
from tests.graph.cases import random_array


def caffe_length(size, kernel, stride, pad, padded, ceil):
    """The number of windows along one axis; ``padded``: there is padding on some axis."""
    length = (math.ceil if ceil else math.floor)((size + 2 * pad - kernel) / stride) + 1
    if padded and (length - 1) * stride >= size + pad:
        length -= 1
    return length


def caffe_pool(op, x):
    """Window by window: start and end, the divisor before they are cut to the image."""
    batch, channels, *sizes = x.shape
    lengths = [
        caffe_length(size, k, s, p, any(op.pad), op.ceil)
        for size, k, s, p in zip(sizes, op.kernel, op.stride, op.pad, strict=True)
    ]
    y = np.zeros((batch, channels, *lengths))
    for index in np.ndindex(*lengths):
        starts = [i * s - p for i, s, p in zip(index, op.stride, op.pad, strict=True)]
        ends = [
            min(start + k, size + p)
            for start, k, size, p in zip(starts, op.kernel, sizes, op.pad, strict=True)
        ]
        divisor = math.prod(end - start for start, end in zip(starts, ends, strict=True))
        rows, columns = (
            slice(max(start, 0), min(end, size)) for start, end, size in zip(starts, ends, sizes, strict=True)
        )
        window = x[:, :, rows, columns].astype(np.float64)
        y[:, :, index[0], index[1]] = (
            window.max(axis=(2, 3)) if op.method == "MAX" else window.sum(axis=(2, 3)) / divisor
        )
    return y


@st.composite
def operators(draw):
    kernel = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    pad = tuple(draw(st.integers(0, k - 1)) for k in kernel)
    stride = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    return Pooling(draw(st.sampled_from(["MAX", "AVE"])), kernel, stride, pad, draw(st.booleans()))


@settings(max_examples=200, deadline=None)
@given(operators(), st.integers(1, 9), st.integers(1, 9))
def test_equals_caffe(op, height, width):
    x = random_array(5, 2, 3, height, width) - 3  # negative: a zero from padding would win a maximum
    outside = [
        size + 2 * p < k or (caffe_length(size, k, s, p, any(op.pad), op.ceil) - 1) * s - p >= size
        for size, k, s, p in zip((height, width), op.kernel, op.stride, op.pad, strict=True)
    ]
    if any(outside):
        with pytest.raises(ModelError):
            op.output_shapes([(3, height, width)])
        return
    expected = caffe_pool(op, x)
    assert op.output_shapes([(3, height, width)]) == [expected.shape[1:]]
    np.testing.assert_allclose(op.run([x], {})[0], expected, rtol=1e-5)


def test_ceil_and_floor_differ_where_a_window_hangs_over():
    x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    up, down = (Pooling("AVE", (3, 3), (2, 2), ceil=ceil).run([x], {})[0] for ceil in (True, False))
    np.testing.assert_array_equal(down[0, 0], [[5]])
    # the windows that hang over are averages of the 2x3, 3x2 and 2x2 elements they hold
    np.testing.assert_array_equal(up[0, 0], [[5, 6.5], [11, 12.5]])


def test_padding_counts_in_an_average():
    x = np.ones((1, 1, 2, 2), np.float32)
    y = Pooling("AVE", (2, 2), (2, 2), (1, 1)).run([x], {})[0]
    np.testing.assert_array_equal(y[0, 0], [[0.25, 0.25], [0.25, 0.25]])


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"method": "STOCHASTIC"}, "STOCHASTIC is not supported, allowed: MAX, AVE"),
        ({"kernel": (3, 0)}, "kernel 3x0 must be at least 1"),
        ({"pad": (0, -1)}, "pad 0x-1 must be at least 0"),
        ({"pad": (3, 0)}, "pad .* must be smaller than the kernel"),
    ],
)
def test_impossible_attributes(attributes, message):
    with pytest.raises(ModelError, match=message):
        Pooling(**{"method": "MAX", "kernel": (3, 3), **attributes})


def test_impossible_inputs():
    with pytest.raises(ModelError, match="kernel 5 is larger than the padded input of 4"):
        Pooling("MAX", (5, 5)).output_shapes([(1, 4, 4)])
    with pytest.raises(ModelError, match="puts the last window outside the input"):
        Pooling("MAX", (1, 1), (2, 2)).output_shapes([(1, 4, 4)])
    with pytest.raises(ModelError, match=r"padded input .* more than"):
        Pooling("MAX", (10**6, 10**6), pad=(10**6 - 1, 10**6 - 1)).output_shapes([(1, 4, 4)])
