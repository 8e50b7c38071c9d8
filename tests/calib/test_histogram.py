"""Counts of |x| by sign, value by value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvdla_sim.calib.histogram import BINS, PIECE, Histogram, absolute_maximum
from nvdla_sim.graph.operator import Array


def straight(values: Array, absmax: np.float32) -> tuple[list[int], list[int], int]:
    """Positive, negative and zero counts, one value after the other."""
    positive, negative, zeros = [0] * BINS, [0] * BINS, 0
    per_bin = np.float32(BINS) / absmax
    for value in values.reshape(-1):
        if value == 0:
            zeros += 1
        else:
            bin_ = min(int(np.abs(value) * per_bin), BINS - 1)
            (positive if value > 0 else negative)[bin_] += 1
    return positive, negative, zeros


@given(
    st.lists(st.floats(-100, 100, width=32) | st.sampled_from([0.0, -0.0, 1e-20, -1e-20]), min_size=1),
    st.sampled_from([1.0, 1.5, 1000.0]),
)
@settings(max_examples=150)
def test_every_value_is_in_its_bin(numbers: list[float], room: float) -> None:
    values = np.array(numbers, np.float32)
    absmax = np.float32(absolute_maximum(values) * np.float32(room))
    histogram = Histogram(absmax)
    histogram.count(values)
    if histogram.empty:
        assert histogram.zeros == values.size
    else:
        positive, negative, zeros = straight(values, absmax)
        assert histogram.positive.tolist() == positive
        assert histogram.negative.tolist() == negative
        assert histogram.zeros == zeros
    assert histogram.magnitudes.sum() == values.size


def test_long_arrays_are_counted_piece_by_piece() -> None:
    values = np.random.default_rng(3).normal(size=(2, PIECE // 3 * 2)).astype(np.float32)
    whole = Histogram.of(values)
    assert whole.positive.tolist() == straight(values, whole.absmax)[0]
    assert whole.negative.tolist() == straight(values, whole.absmax)[1]


def test_numpy_counts_the_same() -> None:
    values = np.random.default_rng(4).laplace(size=50_000).astype(np.float32)
    histogram = Histogram.of(values)
    counts, _ = np.histogram(np.abs(values), BINS, (0, histogram.absmax))
    np.testing.assert_array_equal(histogram.magnitudes, counts)


def test_parts_make_the_whole() -> None:
    values = np.random.default_rng(5).normal(size=3000).astype(np.float32)
    values[::7] = 0
    parts = Histogram(absolute_maximum(values))
    for part in np.split(values, 3):
        histogram = Histogram(parts.absmax)
        histogram.count(part)
        parts.merge(histogram)
    whole = Histogram.of(values)
    for name in ("positive", "negative", "zeros"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))


def test_values_beyond_the_maximum_are_in_the_last_bin() -> None:
    histogram = Histogram(np.float32(1))
    histogram.count(np.array([3, -1e30, 0.5], np.float32))
    assert (histogram.positive[-1], histogram.negative[-1], histogram.positive[1024]) == (1, 1, 1)


def test_the_part_beyond() -> None:
    histogram = Histogram.of(np.array([0, 0, 0.1, -0.2, 0.6, -1], np.float32))
    assert histogram.beyond(0.5) == 0.5
    assert histogram.beyond(0.7) == 0.25
    assert histogram.beyond(1) == 0
    assert histogram.beyond(1.1) == 0


@pytest.mark.parametrize("numbers", [[0, 0, 0], [1e-31, -1e-32, 0]])
def test_nothing_but_zeros(numbers: list[float]) -> None:
    histogram = Histogram.of(np.array(numbers, np.float32))
    assert histogram.empty
    assert histogram.zeros == 3


def test_not_a_number_is_seen() -> None:
    assert np.isnan(absolute_maximum(np.array([1, np.nan, -5], np.float32)))
    assert absolute_maximum(np.array([1, -np.inf], np.float32)) == np.inf
