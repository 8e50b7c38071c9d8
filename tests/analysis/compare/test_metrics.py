"""Figures of a tensor: against a reference, and under int8 levels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nvdla_sim.analysis.compare.metrics import MAX_DB, error, fake_quantise, fit, quantise

FLOATS = arrays.arrays(
    np.float32, st.integers(1, 50), elements=st.floats(-1000, 1000, width=32, allow_subnormal=False)
)


def test_error_by_hand() -> None:
    found = error(np.array([3, 4], np.float32), np.array([3, 3], np.float32))
    assert found.cosine == pytest.approx(21 / (5 * math.sqrt(18)))
    assert found.snr_db == pytest.approx(10 * math.log10(25))
    assert (found.max_abs, found.mean_abs) == (1.0, 0.5)


@pytest.mark.parametrize(
    ("reference", "values", "cosine", "snr"),
    [
        ([1, 2], [1, 2], 1.0, MAX_DB),
        ([0, 0], [0, 0], 1.0, MAX_DB),
        ([0, 0], [1, 0], 0.0, -MAX_DB),
        ([1, 0], [0, 0], 0.0, 0.0),
        ([1, 0], [-1, 0], -1.0, -10 * math.log10(4)),
    ],
)
def test_error_at_the_edges(reference, values, cosine, snr) -> None:
    found = error(np.array(reference, np.float32), np.array(values, np.float32))
    assert found.cosine == pytest.approx(cosine)
    assert found.snr_db == pytest.approx(snr)


def test_quantise_rounds_halves_up_and_clamps() -> None:
    values = np.array([-200, -1.5, -0.5, -0.49, 0.49, 0.5, 1.5, 126.5, 200], np.float32)
    assert quantise(values, 1.0).tolist() == [-128, -1, 0, 0, 0, 1, 2, 127, 127]
    assert quantise(values * 2, 2.0).tolist() == quantise(values, 1.0).tolist()


def test_sixteen_bits_reach_as_far_with_finer_steps() -> None:
    values = np.array([127.0, 0.3, -300], np.float32)
    found = fake_quantise(values, 1.0, 16)
    assert found[0] == pytest.approx(127)
    assert abs(found[1] - 0.3) <= 127 / 32767 / 2 * 1.001
    assert found[2] == pytest.approx(-127 * 32768 / 32767)


def test_fit_by_hand() -> None:
    """200 is cut to 127, 0.25 rounded to 0: the energies of what is lost."""
    found = fit(np.array([200, 0.25, 100], np.float32), 1.0)
    signal = 200**2 + 0.25**2 + 100**2
    assert found.clip_db == pytest.approx(10 * math.log10(signal / 73**2))
    assert found.round_db == pytest.approx(10 * math.log10(signal / 0.25**2))
    assert found.snr_db == pytest.approx(10 * math.log10(signal / (73**2 + 0.25**2)))
    assert found.vanished == pytest.approx(1 / 3)
    assert found.best_scale == pytest.approx(200 / 127)


def test_zeros_of_the_tensor_do_not_vanish() -> None:
    assert fit(np.array([0, 0, 5, 0.1], np.float32), 1.0).vanished == 0.5
    assert fit(np.zeros(3, np.float32), 1.0).vanished == 0


@given(FLOATS, st.floats(1e-3, 1e3))
def test_no_scale_is_better_than_the_best(values: np.ndarray, scale: float) -> None:
    found = fit(values, scale)
    assert found.best_db >= found.snr_db
    quantised = fake_quantise(values, np.float32(scale))
    assert error(values, quantised).snr_db == pytest.approx(
        fit(values, np.float32(scale)).snr_db, abs=0.5, rel=0.02
    )
