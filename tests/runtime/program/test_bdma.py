from __future__ import annotations

from typing import Any

import pytest

from nvdla_sim.hw.config import Config
from nvdla_sim.hw.registers import register_map
from nvdla_sim.loadable.enums import MemType, OpType
from nvdla_sim.runtime import program
from nvdla_sim.runtime.operation import Operation
from nvdla_sim.runtime.program.bdma import is_empty
from nvdla_sim.runtime.program.writes import Writes
from tests.runtime.program.cases import FULL, LARGE, blank, change, locate, problems, written

TRANSFER = {
    "src_address": 1, "dst_address": 2, "line_size": 96, "line_repeat": 3, "src_line": 128, "dst_line": 160,
    "surface_repeat": 4, "src_surface": 512, "dst_surface": 640,
}  # fmt: skip


def copy(**values: int) -> Operation:
    """One transfer, with ``values`` changed."""
    operation = change(blank(OpType.BDMA), num_transfers=1)
    for name, value in {**TRANSFER, **values}.items():
        setattr(operation.surface.transfers[0], name, value)
    return operation


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"line_size": 0}, "transfer 0: line_size = 0: a multiple of 32"),
        ({"line_size": 40}, "line_size = 40"),
        ({"line_repeat": 0}, "line_repeat = 0: 1 to 8192"),
        ({"surface_repeat": 8193}, "surface_repeat = 8193"),
        ({"src_line": 64}, "src_line = 64 is less than line_size = 96"),
        ({"dst_line": 95}, "dst_line = 95 is less than line_size = 96"),
    ],
)
def test_refused_transfers(values: dict[str, int], message: str) -> None:
    assert not problems(copy())
    found = problems(copy(**values))
    assert any(message in problem for problem in found), found


@pytest.mark.parametrize(
    ("config", "values", "message"),
    [
        (LARGE, {}, "nv_large has no BDMA engine"),
        (FULL, {"num_transfers": 21}, "num_transfers = 21: at most 20"),
    ],
)
def test_refusals(config: Config, values: dict[str, Any], message: str) -> None:
    found = problems(change(copy(), **values), config)
    assert any(message in problem for problem in found), found


def test_on_the_fly_is_refused() -> None:
    operation = copy()
    operation.surface.source_type = MemType.HW
    assert "source_type = on the fly: BDMA copies memory" in problems(operation)


def test_transfer() -> None:
    operation = copy()
    operation.surface.destination_type = MemType.CV
    result = written(operation)
    assert (result["BDMA.CFG_SRC_ADDR_LOW"], result["BDMA.CFG_SRC_ADDR_HIGH"]) == (0x8001_0000, 1)
    assert result["BDMA.CFG_DST_ADDR_LOW"] == 0x8002_0000
    assert result["BDMA.CFG_CMD"] == 0b01
    names = ("LINE", "LINE_REPEAT", "SRC_LINE", "DST_LINE", "SURF_REPEAT", "SRC_SURF", "DST_SURF", "OP")
    assert [result[f"BDMA.CFG_{name}"] for name in names] == [2, 2, 128, 160, 3, 512, 640, 1]


@pytest.mark.parametrize("group", [0, 1])
def test_launch(group: int) -> None:
    writes = Writes(FULL, locate)
    program.enable(copy(), writes, group)
    ((address, value),) = writes.writes
    assert register_map(FULL).decode(address) == ("BDMA", f"CFG_LAUNCH{group}")
    assert value == 1


def test_nothing_to_copy() -> None:
    operation = change(blank(OpType.BDMA), num_transfers=0)
    assert is_empty(operation)
    writes = Writes(FULL, locate)
    program.enable(operation, writes, 0)
    assert written(operation) == {}
    assert writes.writes == []
