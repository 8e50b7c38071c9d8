from __future__ import annotations

import numpy as np
import pytest

from nvdla_sim.hw.registers import register_map
from nvdla_sim.loadable import descriptors as d
from nvdla_sim.loadable.enums import LutMethod
from nvdla_sim.runtime.operation import fields
from nvdla_sim.runtime.program import lut
from nvdla_sim.runtime.program.writes import Writes
from tests.runtime.program.cases import LARGE, locate


def table(method: LutMethod) -> np.void:
    record = np.zeros((), d.LUT)
    record["le"], record["lo"] = np.arange(65) - 30, np.arange(257) - 100
    record["method"], record["le_index"], record["lo_index"] = method, -7, -3
    bounds = {"le_start": -(1 << 35), "le_end": 1 << 35, "lo_start": -128, "lo_end": 128}
    for name, value in bounds.items():
        record[name] = value
    record["lo_underflow"], record["lo_overflow"] = (-2, 3), (4, -5)
    record["underflow_priority"] = record["hybrid_priority"] = 1
    return record[()]


@pytest.mark.parametrize("unit", ["SDP", "CDP"])
@pytest.mark.parametrize("method", LutMethod)
def test_table(unit: str, method: LutMethod) -> None:
    writes = Writes(LARGE, locate)
    lut.program(unit, fields(table(method)), writes)
    assert not writes.problems
    registers = register_map(LARGE)
    named = [(registers.decode(address)[1], value) for address, value in writes.writes]
    assert named[0] == ("S_LUT_ACCESS_CFG", 1 << 17)
    assert [value for _, value in named[1:66]] == [v & 0xFFFF for v in range(-30, 35)]
    assert named[66] == ("S_LUT_ACCESS_CFG", 1 << 17 | 1 << 16)
    assert [value for _, value in named[67:324]] == [v & 0xFFFF for v in range(-100, 157)]
    result = dict(named[324:])
    assert result["S_LUT_CFG"] == 1 << 6 | 1 << 4 | method
    # the exponential method has an offset, the linear one fraction bits
    le_index = 0xF9 if method is LutMethod.EXPONENTIAL else 0xF9 << 8
    assert result["S_LUT_INFO"] == 0xFD << 16 | le_index
    assert result["S_LUT_LO_SLOPE_SCALE"] == 4 << 16 | 0xFFFE
    assert result["S_LUT_LO_SLOPE_SHIFT"] == (-5 & 0x1F) << 5 | 3
    if unit == "CDP":
        assert result["S_LUT_LE_START_LOW"] == 0
        assert result["S_LUT_LE_START_HIGH"] == -(1 << 3) & 0xFFFF_FFFF
        assert (result["S_LUT_LE_END_HIGH"], result["S_LUT_LO_START_LOW"]) == (8, 0xFFFF_FF80)
    else:
        assert (result["S_LUT_LO_START"], result["S_LUT_LO_END"]) == (0xFFFF_FF80, 128)
