"""The kernels' tables answer as the reference's do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from nvdla_sim.hw import lut as reference
from nvdla_sim.hw.kernels import lut
from tests.hw.kernels.launches import Drawn, random_lut


@njit
def ask_sdp(tables: Any, x: Any, out: Any) -> None:
    for i in range(x.size):
        out[i] = lut.lookup_sdp(tables[0], x[i])


@njit
def ask_cdp(tables: Any, x: Any, out: Any) -> None:
    for i in range(x.size):
        out[i] = lut.lookup_cdp(tables[0], x[i])


@pytest.mark.parametrize(("engine", "bits"), [("sdp", 31), ("cdp", 37)])
@settings(max_examples=60)
@given(data=st.data())
def test_answers(engine: str, bits: int, data: st.DataObject) -> None:
    ask = {"sdp": ask_sdp, "cdp": ask_cdp}[engine]
    expected_of = {"sdp": reference.lookup_sdp, "cdp": reference.lookup_cdp}[engine]
    random = Drawn(data)
    tables = random_lut(random, bits)
    record = np.zeros(1, lut.LUT)
    kept = lut.fill_lut(record[0], tables)
    near = [table.start + d for table in (tables.le, tables.lo) for d in range(-3, 600)]
    far = random.integers(-(1 << bits), 1 << bits, 400) >> random.integers(0, bits, 400)
    x = np.concatenate([near, far, [-(1 << bits), (1 << bits) - 1]])
    x = np.clip(x, -(1 << bits), (1 << bits) - 1)
    got = np.empty_like(x)
    ask(record, x, got)
    expected, _ = expected_of(tables, x)
    different = np.flatnonzero(got != expected)
    assert not different.size, (tables, x[different[0]], got[different[0]], expected[different[0]])
    assert len(kept) == 2
