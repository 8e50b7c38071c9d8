"""The kernels' tables answer as the reference's do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numba import njit

from nvdla_sim.hw import lut as reference
from nvdla_sim.hw.kernels import lut
from tests.hw.kernels.launches import random_lut


@njit
def ask_sdp(tables: Any, x: Any, out: Any) -> None:
    for i in range(x.size):
        out[i] = lut.lookup_sdp(tables[0], x[i])


@njit
def ask_cdp(tables: Any, x: Any, out: Any) -> None:
    for i in range(x.size):
        out[i] = lut.lookup_cdp(tables[0], x[i])


@pytest.mark.parametrize(("engine", "bits"), [("sdp", 31), ("cdp", 37)])
def test_answers(engine: str, bits: int) -> None:
    ask = {"sdp": ask_sdp, "cdp": ask_cdp}[engine]
    expected_of = {"sdp": reference.lookup_sdp, "cdp": reference.lookup_cdp}[engine]
    for seed in range(60):
        random = np.random.default_rng(seed)
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
        assert np.array_equal(got, expected), seed
        assert len(kept) == 2
