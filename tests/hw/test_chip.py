"""The chip's registers, groups, tables and interrupts, with an executor that only notes what it is given."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nvdla_sim.errors import ProgramError, UnsupportedError
from nvdla_sim.hw.chip import Chip, Launch
from nvdla_sim.hw.config import CONFIGS
from nvdla_sim.hw.memory import Memory, Ports
from tests.shared import COMMITTED_GOLDENS
from tools.golden_programs import Case, load

LE, LO = 0, 1
SDP_DONE_0, SDP_DONE_1 = 1, 2


class Bench:
    """A chip and the launches that it made."""

    def __init__(self, config: str = "nv_small", results: dict[str, int] | None = None) -> None:
        self.launches: list[Launch] = []
        self._results = results or {}
        self.chip = Chip(CONFIGS[config], Ports(Memory(), Memory()), self._execute)

    def _execute(self, launch: Launch) -> dict[str, int]:
        self.launches.append(launch)
        return self._results

    def write(self, unit: str, name: str, value: int = 0, **fields: int) -> None:
        registers = self.chip.registers
        value = registers.encode(unit, name, fields) if fields else value
        self.chip.csb_write(registers.address(unit, name), value)

    def read(self, unit: str, name: str) -> int:
        return self.chip.csb_read(self.chip.registers.address(unit, name))

    def select(self, group: int, *units: str) -> None:
        for unit in units:
            self.write(unit, "S_POINTER", group)

    def enable(self, *units: str) -> None:
        for unit in units:
            self.write(unit, "D_OP_ENABLE", 1)

    def program_sdp(self, channels: int = 8, **feature_mode: int) -> None:
        """A copy of a 2x2 cube, from memory or (FLYING_MODE=1) from the convolution."""
        for unit in ("SDP", "SDP_RDMA"):
            self.write(unit, "D_DATA_CUBE_WIDTH", 1)
            self.write(unit, "D_DATA_CUBE_HEIGHT", 1)
            self.write(unit, "D_DATA_CUBE_CHANNEL", channels - 1)
        self.write("SDP_RDMA", "D_FEATURE_MODE_CFG", 0)
        for name in ("D_BRDMA_CFG", "D_NRDMA_CFG", "D_ERDMA_CFG"):
            self.write("SDP_RDMA", name, 1)
        for name in ("D_SRC_LINE_STRIDE", "D_SRC_SURFACE_STRIDE"):
            self.write("SDP_RDMA", name, 64 if "LINE" in name else 128)
        for name in ("D_DST_LINE_STRIDE", "D_DST_SURFACE_STRIDE"):
            self.write("SDP", name, 64 if "LINE" in name else 128)
        for name in ("D_DP_BS_CFG", "D_DP_BN_CFG", "D_DP_EW_CFG"):
            self.write("SDP", name, 1)
        self.write("SDP", "D_CVT_SCALE", 1)
        if feature_mode:
            self.write("SDP", "D_FEATURE_MODE_CFG", **feature_mode)


def test_after_reset_registers_have_their_reset_values():
    bench = Bench()
    assert bench.read("GLB", "S_NVDLA_HW_VERSION") == 0x303031
    assert bench.read("CDMA", "S_ARBITER") == 0x3000F
    assert bench.read("CDMA", "S_POINTER") == bench.read("CDMA", "S_STATUS") == 0
    assert bench.read("CDMA", "S_CBUF_FLUSH_STATUS") == 1


def test_a_write_changes_writable_bits_of_the_producer_group_only():
    bench = Bench()
    bench.write("SDP", "D_CVT_SHIFT", 0xFFFFFFFF)
    bench.select(1, "SDP")
    assert bench.read("SDP", "S_POINTER") == 1
    assert bench.read("SDP", "D_CVT_SHIFT") == 0
    bench.write("SDP", "D_CVT_SHIFT", 5)
    bench.select(0, "SDP")
    assert bench.read("SDP", "D_CVT_SHIFT") == 0x3F


def test_read_only_registers_ignore_writes():
    bench = Bench()
    bench.write("SDP", "S_STATUS", 0x30003)
    bench.write("SDP", "S_POINTER", 0x10000)
    bench.write("SDP", "D_PERF_OUT_SATURATION", 7)
    bench.write("GLB", "S_NVDLA_HW_VERSION", 0)
    assert bench.read("SDP", "S_STATUS") == bench.read("SDP", "S_POINTER") == 0
    assert bench.read("SDP", "D_PERF_OUT_SATURATION") == 0
    assert bench.read("GLB", "S_NVDLA_HW_VERSION") == 0x303031


@pytest.mark.parametrize(
    ("address", "value", "message"), [(2, 0, "no register"), (0x9004, 1 << 32, "32 bits")]
)
def test_impossible_accesses_are_refused(address: int, value: int, message: str):
    with pytest.raises(ProgramError, match=message):
        Bench().chip.csb_write(address, value)


def test_a_layer_runs_when_its_last_unit_is_enabled():
    bench = Bench(results={"SDP.D_PERF_OUT_SATURATION": 5})
    bench.program_sdp()
    bench.enable("SDP")
    assert not bench.launches
    assert bench.read("SDP", "S_STATUS") == 1
    assert bench.read("SDP", "D_OP_ENABLE") == 1
    bench.enable("SDP_RDMA")
    (launch,) = bench.launches
    assert launch.sdp is not None
    assert (launch.sdp.width, launch.sdp.height, launch.sdp.channels) == (2, 2, 8)
    assert launch.conv is launch.pdp is launch.cdp is launch.rubik is launch.bdma is None
    assert bench.read("SDP", "D_OP_ENABLE") == bench.read("SDP", "S_STATUS") == 0
    assert bench.read("SDP", "S_POINTER") == bench.read("SDP_RDMA", "S_POINTER") == 0x10000
    assert bench.read("SDP", "D_PERF_OUT_SATURATION") == 5
    bench.select(1, "SDP")
    assert bench.read("SDP", "D_PERF_OUT_SATURATION") == 0


def test_the_second_group_waits_for_the_first():
    bench = Bench()
    for group in (0, 1):
        bench.select(group, "SDP", "SDP_RDMA")
        bench.program_sdp(channels=8 * (group + 1))
    bench.enable("SDP", "SDP_RDMA")
    assert not bench.launches
    assert bench.read("SDP", "S_STATUS") == 2 << 16
    bench.select(0, "SDP", "SDP_RDMA")
    bench.enable("SDP_RDMA", "SDP")
    assert [launch.sdp.channels for launch in bench.launches if launch.sdp] == [8, 16]
    assert bench.read("GLB", "S_INTR_STATUS") == SDP_DONE_0 | SDP_DONE_1
    assert bench.read("SDP", "S_POINTER") == 0


def test_a_read_dma_waits_while_its_engine_takes_nothing_from_memory():
    bench = Bench()
    bench.program_sdp(FLYING_MODE=1)
    bench.enable("SDP", "SDP_RDMA")
    assert [line.split(" waits for ")[1] for line in bench.chip.pending()] == [
        "SDP with a layer that reads memory",
        "CDMA, CSC, CMAC_A, CMAC_B, CACC",
    ]


def convolution() -> Case:
    """A golden convolution whose SDP takes nothing from memory, so that SDP_RDMA is not enabled."""
    rdma = Bench().chip.registers.address("SDP_RDMA", "D_OP_ENABLE")
    for case in load(COMMITTED_GOLDENS / "random" / "nv_small.npz", "nv_small.*"):
        if case.engine in ("dc", "img") and rdma not in case.ops[:, 1]:
            return case
    raise AssertionError("the selection of goldens has no such case")


def replay(bench: Bench, case: Case) -> None:
    for code, address, value in case.ops.tolist():
        if code == 0:
            bench.chip.csb_write(address, value)
        elif code == 1:
            bench.chip.wait(value)


def test_units_turn_to_their_other_group_only_when_they_ran():
    bench = Bench()
    replay(bench, convolution())
    units = ("CDMA", "CSC", "CMAC_A", "CMAC_B", "CACC", "SDP", "SDP_RDMA", "PDP")
    assert [bench.read(unit, "S_POINTER") >> 16 for unit in units] == [1, 1, 1, 1, 1, 1, 0, 0]
    (launch,) = bench.launches
    assert launch.conv is not None
    assert launch.sdp is not None


@pytest.mark.parametrize("unit", ["CDMA", "CSC", "CMAC_A", "CMAC_B", "CACC", "SDP"])
def test_a_convolution_with_a_unit_that_is_not_enabled_waits_for_it(unit: str):
    bench, case = Bench(), convolution()
    enable = bench.chip.registers.address(unit, "D_OP_ENABLE")
    case = replace(case, ops=case.ops[case.ops[:, 1] != enable])
    with pytest.raises(ProgramError, match=f"waits? for {unit}"):
        replay(bench, case)
    assert not bench.launches


def test_the_two_halves_of_the_multiplier_array_must_agree():
    bench, case = Bench(), convolution()
    misc = bench.chip.registers.address("CMAC_B", "D_MISC_CFG")
    case = replace(case, ops=np.where(case.ops[:, 1:2] == misc, [[0, misc, 1]], case.ops))
    with pytest.raises(ProgramError, match="CMAC_A and CMAC_B are programmed differently"):
        replay(bench, case)


def test_an_enabled_group_cannot_be_written_but_the_other_can():
    bench = Bench()
    bench.program_sdp()
    bench.enable("SDP")
    for name in ("D_CVT_SCALE", "D_OP_ENABLE"):
        with pytest.raises(ProgramError, match=f"SDP.{name} is written while group 0 is enabled"):
            bench.write("SDP", name, 1)
    bench.select(1, "SDP")
    bench.write("SDP", "D_CVT_SCALE", 3)
    assert bench.read("SDP", "D_CVT_SCALE") == 3


def test_a_wait_that_would_never_end_says_who_waits_for_whom():
    bench = Bench()
    with pytest.raises(ProgramError, match=r"SDP_DONE0.*never end:\n  - no register group is enabled"):
        bench.chip.wait(SDP_DONE_0)
    bench.program_sdp()
    bench.enable("SDP")
    bench.select(1, "PDP")
    bench.enable("PDP")
    with pytest.raises(ProgramError) as refused:
        bench.chip.wait(SDP_DONE_0 | 1 << 5 | 1 << 31)
    assert str(refused.value).splitlines() == [
        "the wait for GLB.S_INTR_STATUS 0x80000021 (SDP_DONE0, PDP_DONE1) would never end:",
        "  - SDP group 0 is enabled and waits for SDP_RDMA",
        "  - PDP group 1 is enabled and waits for group 0 to run first (S_POINTER.CONSUMER)",
    ]
    bench.enable("SDP_RDMA")
    bench.chip.wait(SDP_DONE_0)


def test_units_with_the_same_wait_share_a_line():
    bench = Bench()
    bench.enable("CDMA", "CSC", "CMAC_A")
    assert bench.chip.pending() == [
        "CDMA, CSC, CMAC_A group 0 are enabled and wait for SDP with FLYING_MODE = ON"
    ]


def test_sdp_waits_for_the_pdp_that_takes_its_stream():
    bench = Bench()
    bench.program_sdp(OUTPUT_DST=1)
    bench.write("PDP", "D_OPERATION_MODE_CFG", FLYING_MODE=1)
    bench.enable("SDP_RDMA", "SDP", "PDP")
    assert not bench.launches
    assert bench.chip.pending()[1:] == [
        "SDP group 0 is enabled and waits for PDP with FLYING_MODE = ON",
        "PDP group 0 is enabled and waits for PDP_RDMA",
    ]


def test_done_bits_are_set_cleared_by_one_and_settable():
    bench = Bench()
    bench.write("GLB", "S_INTR_SET", 0xFFFFFFFF)
    assert bench.read("GLB", "S_INTR_STATUS") == 0x3F03FF
    assert bench.read("GLB", "S_INTR_SET") == 0
    bench.write("GLB", "S_INTR_STATUS", 0x3F03FE)
    assert bench.read("GLB", "S_INTR_STATUS") == 1
    bench.write("GLB", "S_INTR_MASK", 3)
    assert (bench.read("GLB", "S_INTR_MASK"), bench.read("GLB", "S_INTR_STATUS")) == (3, 1)


def fill(bench: Bench, unit: str, table: int, first: int, values: list[int]) -> None:
    bench.write(unit, "S_LUT_ACCESS_CFG", LUT_ADDR=first, LUT_TABLE_ID=table, LUT_ACCESS_TYPE=1)
    for value in values:
        bench.write(unit, "S_LUT_ACCESS_DATA", value & 0xFFFF)


def entries(bench: Bench, unit: str, table: int, first: int, count: int) -> list[int]:
    bench.write(unit, "S_LUT_ACCESS_CFG", LUT_ADDR=first, LUT_TABLE_ID=table, LUT_ACCESS_TYPE=0)
    return [bench.read(unit, "S_LUT_ACCESS_DATA") for _ in range(count)]


@pytest.mark.parametrize("unit", ["SDP", "CDP"])
@pytest.mark.parametrize(("table", "last"), [(LE, 64), (LO, 256)])
def test_tables_are_reached_entry_by_entry_up_to_the_last(unit: str, table: int, last: int):
    bench = Bench()
    fill(bench, unit, table, 0, list(range(-3, last - 2)))
    assert entries(bench, unit, table, 0, 3) == [0xFFFD, 0xFFFE, 0xFFFF]
    fill(bench, unit, table, last, [7, 8])
    assert entries(bench, unit, table, last - 1, 4) == [last - 4, 8, 8, 8]
    assert entries(bench, unit, 1 - table, 0, 2) == [0, 0]
    with pytest.raises(ProgramError, match=f"address {last + 1} is outside table"):
        fill(bench, unit, table, last + 1, [1])


def test_a_layer_gets_the_tables_as_they_are_when_it_starts():
    bench = Bench("nv_large")
    bench.program_sdp(channels=32)
    bench.write("SDP", "D_DP_EW_CFG", EW_ALU_BYPASS=1, EW_MUL_BYPASS=1, EW_LUT_BYPASS=0)
    fill(bench, "SDP", LE, 10, [-5])
    bench.enable("SDP_RDMA", "SDP")
    fill(bench, "SDP", LE, 10, [99])
    (launch,) = bench.launches
    assert launch.sdp is not None
    assert launch.sdp.y is not None
    assert launch.sdp.y.lut is not None
    expected = np.zeros(65, np.int16)
    expected[10] = -5
    assert np.array_equal(launch.sdp.y.lut.le.entries, expected)


def queue_copy(bench: Bench) -> None:
    bench.write("BDMA", "CFG_OP", 1)


def test_bdma_runs_its_queue_when_a_group_is_launched():
    bench = Bench("nv_full")
    assert bench.read("BDMA", "STATUS") == 20 | 1 << 8
    bench.write("BDMA", "CFG_LINE", 3)
    queue_copy(bench)
    bench.write("BDMA", "CFG_LINE", 1)
    queue_copy(bench)
    bench.write("BDMA", "CFG_OP", 0)
    assert bench.read("BDMA", "STATUS") == 18
    assert bench.chip.pending() == ["BDMA holds 2 descriptors and waits for CFG_LAUNCH0 or CFG_LAUNCH1"]
    bench.write("BDMA", "CFG_LAUNCH1", 1)
    (launch,) = bench.launches
    assert launch.bdma is not None
    assert [copy.line_bytes for copy in launch.bdma.copies] == [128, 64]
    assert bench.read("GLB", "S_INTR_STATUS") == 1 << 7
    assert bench.read("BDMA", "STATUS") == 20 | 1 << 8


def test_bdma_has_20_slots():
    bench = Bench("nv_full")
    for _ in range(20):
        queue_copy(bench)
    with pytest.raises(ProgramError, match="the queue holds 20"):
        queue_copy(bench)


def test_engines_that_a_configuration_has_not_are_refused():
    bench = Bench("nv_large")
    queue_copy(bench)
    with pytest.raises(UnsupportedError, match="nv_large has no BDMA"):
        bench.write("BDMA", "CFG_LAUNCH0", 1)
    with pytest.raises(UnsupportedError, match="nv_large has no Rubik"):
        bench.enable("RBK")


def test_an_engine_must_take_what_the_one_before_it_gives():
    bench = Bench()
    bench.program_sdp(OUTPUT_DST=1)
    bench.write("PDP", "D_DATA_CUBE_IN_WIDTH", 2)
    bench.write("PDP", "D_DATA_CUBE_OUT_WIDTH", 2)
    bench.write("PDP", "D_DATA_CUBE_IN_HEIGHT", 1)
    bench.write("PDP", "D_DATA_CUBE_OUT_HEIGHT", 1)
    bench.write("PDP", "D_DATA_CUBE_IN_CHANNEL", 15)
    bench.write("PDP", "D_DATA_CUBE_OUT_CHANNEL", 15)
    bench.write("PDP", "D_DST_LINE_STRIDE", 64)
    bench.write("PDP", "D_DST_SURFACE_STRIDE", 128)
    bench.enable("PDP", "SDP_RDMA")
    with pytest.raises(ProgramError) as refused:
        bench.enable("SDP")
    assert "width: SDP gives 2, PDP takes 3" in str(refused.value)
    assert "surfaces: SDP gives 1, PDP takes 2" in str(refused.value)
    assert "height" not in str(refused.value)
    assert not bench.launches
