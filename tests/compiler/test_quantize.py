"""Weights and biases against their formulas and at their edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nvdla_sim.compiler.quantize import quantize_bias, quantize_weights


def kcrs(*filters: list[float]) -> np.ndarray:
    return np.array(filters, np.float32)[:, :, None, None]


def test_per_kernel_has_one_scale_and_per_filter_one_each() -> None:
    weights = kcrs([1.27, -0.3], [0.127, 0.02])
    together = quantize_weights(weights, per_filter=False)
    assert together.values[:, :, 0, 0].tolist() == [[127, -30], [13, 2]]
    assert together.scale.tolist() == pytest.approx([0.01, 0.01])
    alone = quantize_weights(weights, per_filter=True)
    assert alone.values[:, :, 0, 0].tolist() == [[127, -30], [127, 20]]
    assert alone.scale.tolist() == pytest.approx([0.01, 0.001])


def test_halves_go_up() -> None:
    values = quantize_weights(kcrs([127.0, 0.5, -0.5, 1.5, -1.5]), False).values
    assert values.reshape(-1).tolist() == [127, 1, 0, 2, -1]


def test_a_filter_of_zeros_gets_zeros_and_the_mean_scale() -> None:
    weights = quantize_weights(kcrs([127.0], [0.0], [381.0]), True)
    assert weights.values.reshape(-1).tolist() == [127, 0, 127]
    assert weights.scale.tolist() == [1, 2, 3]
    assert quantize_weights(kcrs([0.0], [0.0]), True).scale.tolist() == [1, 1]


@given(
    hnp.arrays(np.float32, (3, 2, 2, 1), elements=st.floats(-100, 100, width=32, allow_subnormal=False)),
    st.booleans(),
)
def test_weights_are_within_half_a_step(weights: np.ndarray, per_filter: bool) -> None:
    weights = np.where(np.abs(weights) < 1e-20, np.float32(0), weights)
    values, scale = quantize_weights(weights, per_filter)
    error = np.abs(values * scale[:, None, None, None].astype(np.float64) - weights)
    assert np.all(error <= 0.5001 * scale[:, None, None, None])


def test_bias_shift_is_the_smallest_that_fits() -> None:
    step = np.ones(2, np.float32)
    assert _bias([32767, -32768], step) == ([32767, -32768], 0)
    assert _bias([32768, -5], step) == ([16384, -3], 1)
    assert _bias([-32769, 7], step) == ([-16385, 3], 1)
    assert _bias([2.0**31, 0], step) == ([32767, 0], 16)
    assert _bias([-1e30, 0], step) == ([-32768, 0], 16)


def test_bias_is_rounded_in_steps_of_its_channel() -> None:
    assert _bias([1.0, -1.0], np.array([0.4, 2.0], np.float32)) == ([3, 0], 0)


def _bias(values: list[float], step: np.ndarray) -> tuple[list[int], int]:
    bias = quantize_bias(np.array(values, np.float32), step)
    return bias.values.tolist(), bias.shift
