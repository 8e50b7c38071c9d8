"""Literal multipliers and shifts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvdla_sim.compiler.scaling import multiplier, multipliers, spread
from nvdla_sim.errors import UnsupportedError


@pytest.mark.parametrize(
    ("real", "scale", "truncate"),
    [
        (1.0, 16384, 14),
        (0.5, 16384, 15),
        (0.75, 24576, 15),
        (32767.0, 32767, 0),
        (np.nextafter(1.0, 0), 32767, 15),  # cut, not rounded
        (-0.013, -27262, 21),
        (0.0, 0, 1),
        (2.0**-48, 1 << 15 >> 1, 62),
        (2.0**-49, 16384, 63),
        (2.0**-50, 8192, 63),  # the shift ends here
        (2.0**-70, 0, 63),
    ],
)
def test_multiplier_literals(real: float, scale: int, truncate: int) -> None:
    assert multiplier(real, "x") == (scale, truncate)


@given(st.floats(2.0**-49, 32767.99), st.sampled_from([1, -1]))
def test_multiplier_is_below_and_near(magnitude: float, sign: int) -> None:
    scale, truncate = multiplier(sign * magnitude, "x")
    made = scale / 2**truncate
    assert 0 <= 1 - made / (sign * magnitude) < 2**-14
    assert abs(scale) < 1 << 15


def test_a_vector_shares_the_shift_of_its_largest_magnitude() -> None:
    scales, truncate = multipliers([1.0, 0.1, -3.0, 0.0], "x")
    assert truncate == 13
    assert scales.tolist() == [8192, 819, -24576, 0]


@pytest.mark.parametrize("real", [32768.0, -1e9, np.inf, np.nan])
def test_too_large_is_told_with_name_value_and_limit(real: float) -> None:
    with pytest.raises(UnsupportedError, match=r'layer "a".*channel 1.*32768'):
        multipliers([1.0, real], 'layer "a"')


def test_spread() -> None:
    assert spread([4.0, -0.5, 0.0]) == 8
    assert spread([0.0]) == 1
