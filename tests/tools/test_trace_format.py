from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvdla_sim.errors import ProgramError
from tools.trace_format import Command, memory_text, read_memory, read_trace


def trace_of(folder: Path, text: str) -> list[Command]:
    path = folder / "t.cfg"
    path.write_text(text)
    return read_trace(path)


def test_commands_keep_their_lines_and_typed_arguments(tmp_path: Path):
    (tmp_path / "a.dat").touch()
    commands = trace_of(
        tmp_path,
        """// a comment
        reg_write(NVDLA_CDMA.D_DAIN_ADDR_LOW_0_0, 0x80000000);  // another

        mem_load(sec_mem, 0x100, "a.dat");
        mem_init(pri_mem, 256, 0x40, ALL_ZERO, ready);
        intr_notify(SDP_0, done);
        intr_notify(any_done);
        check_crc(done, 1, 0x0, 16, 0xFF);
        """,
    )
    assert [(command.line, command.name, command.arguments) for command in commands] == [
        (2, "reg_write", ("CDMA.D_DAIN_ADDR_LOW_0", 0x80000000)),
        (4, "mem_load", (1, 0x100, tmp_path / "a.dat", None)),
        (5, "mem_init", (0, 256, 0x40, "ALL_ZERO", "ready")),
        (6, "intr_notify", ("SDP_0", "done")),
        (7, "intr_notify", (None, "any_done")),
        (8, "check_crc", ("done", 0, 0, 16, 255)),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("reg_write(NVDLA_SDP.S_POINTER_0, 0)", "is not a command"),
        ("reg_wrote(NVDLA_SDP.S_POINTER_0, 0);", 'did you mean "reg_write"'),
        ("reg_write(NVDLA_SDP.S_POINTER_0);", "reg_write takes 2 arguments (register, number), not 1"),
        ("reg_write(NVDLA_SDP.S_POINTER_0, zero);", '"zero" is not a number'),
        ("reg_write(NVDLA_SDP.S_POINTER_0, -1);", '"-1" is not a number'),
        ("reg_write(NVDLA_SDP.S_POINTER_0, 0x10000000000000000);", "is not a number of up to 64 bits"),
        ("reg_write(NVDLA SDP, 0);", '"NVDLA SDP" is not a register'),
        ('mem_load(pri_mem, 0, "../secret.dat");', "inside the trace's folder"),
        ('mem_load(pri_mem, 0, "/etc/passwd");', "inside the trace's folder"),
        ("mem_load(pri_mem, 0, a.dat);", "is not a quoted name"),
        ('mem_load(pri_mem, 0, "a.dat);', "is not a quoted name"),
    ],
)
def test_mistakes_are_named_with_their_line(tmp_path: Path, line: str, message: str):
    with pytest.raises(ProgramError) as refused:
        trace_of(tmp_path, f"// first\n{line}\n")
    assert f"{tmp_path}/t.cfg:2: " in str(refused.value)
    assert message in str(refused.value)


def memory_of(folder: Path, text: str) -> list[tuple[int, bytes]]:
    path = folder / "m.dat"
    path.write_text(text)
    return [(offset, data.tobytes()) for offset, data in read_memory(path)]


def test_memory_files_are_read_in_all_their_spellings(tmp_path: Path):
    text = """{
{offset:0x0, size:4, payload:0x01 0x02 0x03 0xFF} ,
  { offset: 4, size: 1, payload:0x5 },   # the same run goes on
{'offset':0x20, size:2, value:7 0x08},
}
# CRC = 0x12345678
"""
    assert memory_of(tmp_path, text) == [(0, b"\x01\x02\x03\xff\x05"), (0x20, b"\x07\x08")]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("offset 0", "is not {offset:"),
        ("{offset:0x0, size:2, payload:0x01},", "1 bytes at offset 0x0: announced are 2"),
        ("{offset:0x0, size:1, payload:0x100},", "256 is not a byte"),
        ("{offset:0x0, size:1, payload:zz},", '"zz" is not a number'),
        ("{offset:0xffffffff, size:1, payload:0x01},", "the last offset is"),
        ("{offset:x, size:1, payload:0x01},", '"x" is not a number'),
    ],
)
def test_mistakes_in_memory_files_are_named_with_their_line(tmp_path: Path, line: str, message: str):
    with pytest.raises(ProgramError) as refused:
        memory_of(tmp_path, f"{{\n{line}\n}}\n")
    assert f"{tmp_path}/m.dat:2: " in str(refused.value)
    assert message in str(refused.value)


def test_missing_and_huge_files_are_refused(tmp_path: Path):
    with pytest.raises(ProgramError, match=r"none.cfg: No such file"):
        read_trace(tmp_path / "none.cfg")
    huge = tmp_path / "huge.cfg"
    with huge.open("wb") as file:
        file.truncate((1 << 25) + 1)
    with pytest.raises(ProgramError, match="at most 33554432 are read"):
        read_trace(huge)


@settings(max_examples=50, deadline=None)
@given(data=st.binary(max_size=200), zeros=st.integers(0, 100))
def test_memory_is_written_as_it_is_read(tmp_path_factory: pytest.TempPathFactory, data: bytes, zeros: int):
    original = np.frombuffer(bytes(zeros) + data, np.uint8)
    path = tmp_path_factory.mktemp("m") / "m.dat"
    path.write_text(memory_text(original))
    again = np.zeros_like(original)
    for offset, run in read_memory(path):
        again[offset : offset + run.size] = run
    assert np.array_equal(again, original)
