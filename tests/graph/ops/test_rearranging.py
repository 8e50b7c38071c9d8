"""Operators that only move elements: where each one goes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvdla_sim.errors import ModelError
from nvdla_sim.graph.ops.concat import Concat
from nvdla_sim.graph.ops.crop import Crop
from nvdla_sim.graph.ops.flatten import Flatten
from nvdla_sim.graph.ops.interp import Interp
from nvdla_sim.graph.ops.permute import Permute
from nvdla_sim.graph.ops.reshape import Reshape
from nvdla_sim.graph.ops.shuffle_channel import ShuffleChannel
from nvdla_sim.graph.ops.slice import Slice
from nvdla_sim.graph.ops.split import Split
from nvdla_sim.graph.ops.upsample import Upsample
from tests.graph.cases import random_array


def run(op, *inputs):
    """The outputs, after a check that they have the shapes the operator promises."""
    outputs = op.run(list(inputs), {})
    promised = op.output_shapes([x.shape[1:] for x in inputs])
    assert [y.shape[1:] for y in outputs] == promised
    assert all(y.dtype == np.float32 for y in outputs)
    return outputs


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3), st.lists(st.integers(1, 3), min_size=1, max_size=4))
def test_slice_undoes_concat(axis, sizes):
    shapes = [[2, 2, 3, 2] for _ in sizes]
    for shape, size in zip(shapes, sizes, strict=True):
        shape[axis] = size
    parts = [random_array(seed, *shape) for seed, shape in enumerate(shapes)]
    (whole,) = run(Concat(axis), *parts)
    start = 0
    for part, size in zip(parts, sizes, strict=True):
        np.testing.assert_array_equal(whole.take(range(start, start + size), axis), part)
        start += size
    for again, part in zip(run(Slice(tuple(sizes), axis), whole), parts, strict=True):
        np.testing.assert_array_equal(again, part)


def test_concat_and_slice_refusals():
    with pytest.raises(ModelError, match="different shapes"):
        Concat().output_shapes([(3, 4, 4), (3, 4, 5)])
    with pytest.raises(ModelError, match="axis 3 is not an axis of 3x4"):
        Concat(3).output_shapes([(3, 4)])
    with pytest.raises(ModelError, match="do not fill the 6 of axis 1"):
        Slice((2, 3)).output_shapes([(6, 4, 4)])
    with pytest.raises(ModelError, match="every size must be at least 1"):
        Slice((7, -1)).output_shapes([(6, 4, 4)])


def test_split():
    x = random_array(1, 1, 3)
    assert all(y is x for y in run(Split(3), x))


def test_flatten():
    x = random_array(1, 2, 3, 4, 5)
    assert run(Flatten(), x)[0].shape == (2, 60)
    assert run(Flatten(2), x)[0].shape == (2, 3, 20)
    (y,) = run(Flatten(1, 2), x)
    assert y[1, 2 * 4 + 3, 4] == x[1, 2, 3, 4]
    for op in (Flatten(3, 2), Flatten(0), Flatten(1, 4)):
        with pytest.raises(ModelError, match="are not axes of 3x4x5"):
            op.output_shapes([(3, 4, 5)])


def test_reshape():
    x = random_array(1, 2, 3, 4, 5)
    (y,) = run(Reshape((6, 10)), x)
    assert y[1, 5, 3] == x[1].flat[53]
    with pytest.raises(ModelError, match="3x4x5 cannot take the shape 61"):
        Reshape((61,)).output_shapes([(3, 4, 5)])
    with pytest.raises(ModelError, match="at least 1"):
        Reshape((-6, -10)).output_shapes([(3, 4, 5)])


def test_permute():
    x = random_array(1, 2, 3, 4, 5)
    (y,) = run(Permute((0, 2, 3, 1)), x)
    for n, c, h, w in np.ndindex(x.shape):
        assert y[n, h, w, c] == x[n, c, h, w]
    with pytest.raises(ModelError, match="must name every axis once"):
        Permute((0, 1, 1))
    with pytest.raises(ModelError, match="moves the batch"):
        Permute((1, 0))
    with pytest.raises(ModelError, match="needs 3 axes, the bottom has 4"):
        Permute((0, 2, 1)).output_shapes([(3, 4, 5)])


def test_crop():
    x, like = random_array(1, 2, 6, 7, 8), random_array(2, 2, 6, 3, 4)
    (y,) = run(Crop(2, (1, 2)), x, like)
    np.testing.assert_array_equal(y, x[:, :, 1:4, 2:6])
    (y,) = run(Crop(1, (5, 0, 4)), x, random_array(2, 2, 1, 7, 4))
    np.testing.assert_array_equal(y, x[:, 5:6, :, 4:8])
    with pytest.raises(ModelError, match="offset 5 and size 3 leave an axis of 7"):
        Crop(2, (5, 0)).output_shapes([(6, 7, 8), (6, 3, 4)])
    with pytest.raises(ModelError, match="offset -1"):
        Crop(2, (-1, 0)).output_shapes([(6, 7, 8), (6, 3, 4)])
    with pytest.raises(ModelError, match="1 offsets from axis 2 on do not fit"):
        Crop(2, (0,)).output_shapes([(6, 7, 8), (6, 3, 4)])


def test_upsample():
    x = random_array(1, 2, 3, 2, 3)
    (y,) = run(Upsample((2, 3)), x)
    for n, c, h, w in np.ndindex(y.shape):
        assert y[n, c, h, w] == x[n, c, h // 2, w // 3]
    with pytest.raises(ModelError, match="factor 0x2 must be at least 1"):
        Upsample((0, 2))
    with pytest.raises(ModelError, match="more than"):
        Upsample((10**6, 10**6)).output_shapes([(1, 2, 2)])


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 9), st.integers(1, 9))
def test_interp(height, width, new_height, new_width):
    x = random_array(1, 1, 2, height, width)
    (y,) = run(Interp(new_height, new_width), x)
    for h, w in np.ndindex(new_height, new_width):
        row = h * (height - 1) / (new_height - 1) if new_height > 1 else 0
        column = w * (width - 1) / (new_width - 1) if new_width > 1 else 0
        top, left = int(row), int(column)
        bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
        lower, later = row - top, column - left
        expected = (1 - lower) * ((1 - later) * x[0, :, top, left] + later * x[0, :, top, right]) + lower * (
            (1 - later) * x[0, :, bottom, left] + later * x[0, :, bottom, right]
        )
        np.testing.assert_allclose(y[0, :, h, w], expected, atol=1e-5)


def test_shuffle_channel():
    x = random_array(1, 2, 6, 2, 2)
    (y,) = run(ShuffleChannel(2), x)
    for group in range(2):
        for i in range(3):
            np.testing.assert_array_equal(y[:, i * 2 + group], x[:, group * 3 + i])
    for group in (0, 4):
        with pytest.raises(ModelError, match=f"6 channels cannot be divided into {group} groups"):
            ShuffleChannel(group).output_shapes([(6, 2, 2)])
