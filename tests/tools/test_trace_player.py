"""Text traces played on a chip that copies an 8-channel pixel with SDP."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from nvdla_sim.errors import ProgramError, UnsupportedError
from nvdla_sim.hw import limits
from nvdla_sim.hw.config import CONFIGS
from nvdla_sim.hw.execute import reference_executor
from tools.trace_player import play_trace

PIXEL = bytes([1, 2, 3, 4, 250, 251, 252, 253])
MEMORY = """
mem_init(pri_mem, 0x1000, 0x40, AFIVE);
mem_load(pri_mem, 0x1000, "pixel.dat");
mem_init(pri_mem, 0x2000, 8, ALL_ZERO);
"""
ENABLE = "reg_write(NVDLA_SDP_RDMA.D_OP_ENABLE_0, 1);\nreg_write(NVDLA_SDP.D_OP_ENABLE_0, 1);\n"
CHECK = f"check_crc(done, 1, 0x2000, 8, {zlib.crc32(PIXEL):#x});\n"


def copy(source: int = 0x1000, destination: int = 0x2000, channels: int = 8) -> str:
    values = {
        "SDP_RDMA.D_FEATURE_MODE_CFG": 0,
        "SDP_RDMA.D_BRDMA_CFG": 1,
        "SDP_RDMA.D_NRDMA_CFG": 1,
        "SDP_RDMA.D_ERDMA_CFG": 1,
        "SDP_RDMA.D_SRC_DMA_CFG": 1,
        "SDP_RDMA.D_SRC_BASE_ADDR_LOW": source,
        "SDP_RDMA.D_DATA_CUBE_CHANNEL": channels - 1,
        "SDP_RDMA.D_SRC_LINE_STRIDE": 8,
        "SDP_RDMA.D_SRC_SURFACE_STRIDE": 8,
        "SDP.D_DATA_CUBE_CHANNEL": 7,
        "SDP.D_DST_DMA_CFG": 1,
        "SDP.D_DST_BASE_ADDR_LOW": destination,
        "SDP.D_DST_LINE_STRIDE": 8,
        "SDP.D_DST_SURFACE_STRIDE": 8,
        "SDP.D_DP_BS_CFG": 1,
        "SDP.D_DP_BN_CFG": 1,
        "SDP.D_DP_EW_CFG": 1,
        "SDP.D_CVT_SCALE": 1,
    }
    return "".join(f"reg_write(NVDLA_{name}_0, {value:#x});\n" for name, value in values.items())


def play(folder: Path, text: str) -> list[str]:
    (folder / "pixel.dat").write_text(
        "{\n{offset:0x0, size:8, payload:" + " ".join(f"0x{b:02x}" for b in PIXEL) + "}\n}\n"
    )
    (folder / "t.cfg").write_text(text)
    return play_trace(folder / "t.cfg", CONFIGS["nv_small"], reference_executor)


def test_a_copy_is_checked(tmp_path: Path):
    assert play(tmp_path, MEMORY + copy() + ENABLE + "intr_notify(SDP_0, done);\n" + CHECK) == []


def test_a_wrong_crc_is_reported_with_its_line(tmp_path: Path):
    text = MEMORY + copy() + ENABLE + "intr_notify(SDP_0, done);\ncheck_crc(done, 1, 0x2000, 8, 0x1);\n"
    line = text.count("\n")
    assert play(tmp_path, text) == [
        f"line {line}: check_crc: CRC of 8 bytes at 0x2000 is {zlib.crc32(PIXEL):#x}, expected is 0x1"
    ]


def test_only_whole_words_count_for_a_crc(tmp_path: Path):
    check = CHECK.replace(", 8, ", ", 10, ")
    assert check != CHECK
    assert play(tmp_path, MEMORY + copy() + ENABLE + "intr_notify(SDP_0, done);\n" + check) == []


def test_an_interrupt_is_cleared_when_it_is_handled(tmp_path: Path):
    text = "sync_wait(NVDLA_GLB, done);\nreg_read_check(NVDLA_GLB.S_INTR_STATUS_0, 0);\n"
    assert play(tmp_path, MEMORY + copy() + ENABLE + "intr_notify(SDP_0, done);\n" + text) == []


def test_files_and_registers_are_compared(tmp_path: Path):
    text = (
        MEMORY
        + copy()
        + "reg_read_check(NVDLA_SDP.D_DATA_CUBE_CHANNEL_0, 7);\n"
        + "reg_read_check(NVDLA_SDP.D_DATA_CUBE_CHANNEL_0, 8);\n"
        + ENABLE
        + 'intr_notify(SDP_0, done);\ncheck_file(done, pri_mem, 0x2000, 8, "pixel.dat");\n'
        + 'check_file(done, pri_mem, 0x2001, 7, "pixel.dat");\ncheck_nothing(done);\n'
    )
    register, file = play(tmp_path, text)
    assert register.endswith("reg_read_check: SDP.D_DATA_CUBE_CHANNEL reads 0x7, expected is 0x8")
    assert file.endswith("check_file: 0x2001 holds 0x02, expected is 0x01")


def test_a_unit_waits_for_the_word_of_another(tmp_path: Path):
    """SDP_RDMA's second layer needs the first layer's result, and is in front of it in the file."""
    second = copy(0x2000, 0x3000) + ENABLE
    pointers = "reg_write(NVDLA_SDP_RDMA.S_POINTER_0, 1);\nreg_write(NVDLA_SDP.S_POINTER_0, 1);\n"
    waits = "sync_wait(NVDLA_SDP, first);\nsync_wait(NVDLA_SDP_RDMA, first);\n"
    notes = "intr_notify(SDP_0, first);\nintr_notify(SDP_1, second);\n"
    crc = f"check_crc(second, pri_mem, 0x3000, 8, {zlib.crc32(PIXEL):#x});\n"
    assert play(tmp_path, MEMORY + notes + crc + copy() + ENABLE + waits + pointers + second) == []


def test_memory_can_be_loaded_when_a_word_is_given(tmp_path: Path):
    text = (
        "mem_init(pri_mem, 0x2000, 8, ONES);\n"
        'sync_wait(NVDLA_SDP, go);\nmem_load(pri_mem, 0x1000, "pixel.dat", go);\n'
        + copy()
        + ENABLE
        + "sync_notify(NVDLA_GLB, go);\nintr_notify(done);\n"
        + CHECK
    )
    assert play(tmp_path, text) == []


@pytest.mark.parametrize(
    ("pattern", "first"), [("ALL_ZERO", 0), ("ONES", 255), ("AFIVE", 0xA5), ("FIVEA", 0x5A), ("ADDR", 0xFF)]
)
def test_patterns(tmp_path: Path, pattern: str, first: int):
    second = (first + 1) % 256 if pattern == "ADDR" else first
    data = bytes([first, second, first, second] if pattern != "ADDR" else [0xFF, 0, 1, 2])
    text = f"mem_init(pri_mem, 0xff, 4, {pattern});\nsync_notify(NVDLA_GLB, go);\n"
    assert play(tmp_path, text + f"check_crc(go, pri_mem, 0xff, 4, {zlib.crc32(data):#x});\n") == []


def test_random_memory_is_the_same_each_time(tmp_path: Path):
    text = "mem_init(pri_mem, 0x100, 64, RANDOM);\nsync_notify(NVDLA_GLB, go);\n"
    text += "check_crc(go, 1, 0x100, 64, 0);\n"
    (first,) = play(tmp_path, text)
    assert play(tmp_path, text) == [first]
    assert f"is {zlib.crc32(bytes(64)):#x}" not in first


def test_what_would_wait_forever_is_told(tmp_path: Path):
    text = (
        copy()
        + "sync_wait(NVDLA_SDP, never);\n"
        + ENABLE
        + "poll_reg_equal(NVDLA_GLB.S_INTR_STATUS_0, 1);\nintr_notify(SDP_0, done);\n"
        + CHECK
    )
    with pytest.raises(ProgramError) as refused:
        play(tmp_path, text)
    lines = str(refused.value).splitlines()
    assert lines[0].endswith("t.cfg would wait forever:")
    assert [line.split(": ", 1)[1] for line in lines[1:5]] == [
        "sync_wait of never",
        "poll_reg_equal of 1",
        "intr_notify of done",
        f"check_crc of {zlib.crc32(PIXEL)}",
    ]
    assert lines[5:] == ["  - SDP_RDMA group 0 is enabled and waits for SDP with a layer that reads memory"]


def test_polling_ends_when_another_unit_has_gone_on(tmp_path: Path):
    text = "poll_reg_equal(NVDLA_GLB.S_INTR_STATUS_0, 1);\nsync_notify(NVDLA_GLB, done);\n"
    assert play(tmp_path, MEMORY + text + copy() + ENABLE + CHECK) == []


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("reg_write(NVDLA_SDP.D_CVT_SCAL_0, 1);", ProgramError, 't.cfg:1: SDP has no register "D_CVT_SCAL"'),
        ("\nreg_write(NVDLA_XYZ.S_POINTER_0, 1);", ProgramError, "t.cfg:2: there is no unit"),
        ("reg_write(NVDLA_SDP.S_POINTER_0, 0x100000000);", ProgramError, "t.cfg:1: .* does not fit 32 bits"),
        ("mem_init(pri_mem, 0x0, 0x20000000, ONES);", ProgramError, "t.cfg:1: access to 536870912 bytes"),
        ("mem_init(pri_mem, 0x0, 4, ZEROES);", ProgramError, "t.cfg:1: ZEROES is no pattern"),
        ('mem_load(pri_mem, 0x0, "no.dat");', ProgramError, r"t.cfg:1: .*no.dat: No such file"),
        (copy(channels=16) + ENABLE, ProgramError, "t.cfg:20: SDP cannot run this program"),
        ("reg_write(NVDLA_RBK.D_OP_ENABLE_0, 1);", UnsupportedError, "t.cfg:1: nv_small has no Rubik"),
    ],
)
def test_errors_tell_the_line(tmp_path: Path, text: str, error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        play(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("mem_init(pri_mem, 0x1000, 0x1000000, AFIVE);\n", 0.05),
        ("sync_notify(A, a);\ncheck_crc(a, 1, 0x1000, 0x1000000, 0);\n", 0.05),
        ('mem_load(pri_mem, 0x1000, "pixel.dat");\n' * 450, 0.05),  # the commands alone take less
        ("reg_read(NVDLA_SDP.S_STATUS_0, a);\n" * 600, 0.05),
        (copy() + ENABLE + "intr_notify(SDP_0, done);\n", 3e-3),  # of which the launch is one
    ],
)
def test_a_trace_takes_a_limited_time(
    tmp_path: Path, text: str, limit: float, monkeypatch: pytest.MonkeyPatch
):
    play(tmp_path, text)
    monkeypatch.setattr(limits, "MAX_SECONDS", limit)
    with pytest.raises(ProgramError, match="the program is too long for this simulator"):
        play(tmp_path, text)
