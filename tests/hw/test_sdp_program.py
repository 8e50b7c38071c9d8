from __future__ import annotations

import pytest

from nvdla_sim.errors import ProgramError, UnsupportedError
from nvdla_sim.hw.config import CONFIGS
from nvdla_sim.hw.lut import LutTables
from nvdla_sim.hw.sdp import AluOp, Converter, SdpLayer, decode
from nvdla_sim.hw.surface import Surface
from tests.hw.layer_case import registers

SMALL, FULL = CONFIGS["nv_small"], CONFIGS["nv_full"]


def program(config: str, **fields: int) -> tuple[dict[str, int], dict[str, int]]:
    """SDP's and SDP_RDMA's registers for a copy of a packed 2x2x4 int8 cube, with some fields changed.

    A field is named ``UNIT__REGISTER__FIELD``.
    """
    units = {}
    for unit in ("SDP", "SDP_RDMA"):
        units[unit] = registers(CONFIGS[config], unit)
        for name, value in (("WIDTH.WIDTH", 1), ("HEIGHT.HEIGHT", 1), ("CHANNEL.CHANNEL", 3)):
            units[unit][f"D_DATA_CUBE_{name}"] = value
    core, read = units["SDP"], units["SDP_RDMA"]
    for stage, dma in (("BS", "B"), ("BN", "N"), ("EW", "E")):
        core[f"D_DP_{stage}_CFG.{stage}_BYPASS"] = 1
        read[f"D_{dma}RDMA_CFG.{dma}RDMA_DISABLE"] = 1
    low = 5 if config == "nv_full" else 0
    atom = CONFIGS[config].atom
    for unit, side in (("SDP_RDMA", "SRC"), ("SDP", "DST")):
        units[unit][f"D_{side}_LINE_STRIDE.{side}_LINE_STRIDE"] = 2 * atom >> low
        units[unit][f"D_{side}_SURFACE_STRIDE.{side}_SURFACE_STRIDE"] = 4 * atom >> low
    core["D_CVT_SCALE.CVT_SCALE"] = 1
    for name, value in fields.items():
        unit, key = name.split("__", 1)
        key = key.replace("__", ".")
        assert key in units[unit], key
        units[unit][key] = value
    return core, read


def decoded(config: str, **fields: int) -> SdpLayer:
    return decode(CONFIGS[config], *program(config, **fields), LutTables())


def test_decodes_signs_addresses_and_strides() -> None:
    layer = decoded(
        "nv_full",
        SDP__D_CVT_OFFSET__CVT_OFFSET=0xFFFF_FFFE,
        SDP__D_CVT_SCALE__CVT_SCALE=0x8000,
        SDP__D_DST_BASE_ADDR_LOW__DST_BASE_ADDR_LOW=0x400_0001,
        SDP__D_DST_BASE_ADDR_HIGH__DST_BASE_ADDR_HIGH=3,
        SDP__D_DP_BS_CFG__BS_BYPASS=0,
        SDP__D_DP_BS_CFG__BS_ALU_ALGO=3,
        SDP__D_DP_BS_MUL_CFG__BS_MUL_SHIFT_VALUE=0xC1,
        SDP__D_DP_BS_ALU_SRC_VALUE__BS_ALU_OPERAND=0xFFFF,
    )
    assert layer.cvt == Converter(-2, -32768, 0)
    assert layer.destination == Surface(0x3_8000_0020, 64, 128, 0)
    assert layer.x1 is not None
    assert (layer.x1.alu, layer.x1.alu_operand, layer.x1.truncate) == (AluOp.SUM, -1, 1)
    assert layer.x2 is None


def test_a_batch_of_single_pixels_need_not_be_packed() -> None:
    fields = {
        "SDP__D_DATA_CUBE_WIDTH__WIDTH": 0,
        "SDP__D_DATA_CUBE_HEIGHT__HEIGHT": 0,
        "SDP__D_FEATURE_MODE_CFG__FLYING_MODE": 1,
        "SDP__D_DST_BATCH_STRIDE__DST_BATCH_STRIDE": 64,
    }
    core, _ = program("nv_full", **fields, SDP__D_FEATURE_MODE_CFG__BATCH_NUMBER=3)
    assert decode(FULL, core, None, LutTables()).batches == 4
    core, _ = program("nv_full", **fields)
    with pytest.raises(ProgramError, match="a 1x1 cube is packed, 32 bytes, not 128"):
        decode(FULL, core, None, LutTables())


BS_FROM_MEMORY = {
    "SDP__D_DP_BS_CFG__BS_BYPASS": 0,
    "SDP__D_DP_BS_ALU_CFG__BS_ALU_SRC": 1,
    "SDP__D_DP_BS_CFG__BS_MUL_BYPASS": 1,
    "SDP_RDMA__D_BRDMA_CFG__BRDMA_DISABLE": 0,
    "SDP_RDMA__D_BRDMA_CFG__BRDMA_DATA_USE": 1,
}
EQL = {
    "SDP__D_DP_EW_CFG__EW_BYPASS": 0,
    "SDP__D_DP_EW_CFG__EW_ALU_ALGO": 3,
    "SDP__D_DP_EW_CFG__EW_LUT_BYPASS": 1,
}

INT16 = {
    "SDP__D_DATA_FORMAT__PROC_PRECISION": 1,
    "SDP__D_DATA_FORMAT__OUT_PRECISION": 1,
    "SDP_RDMA__D_FEATURE_MODE_CFG__PROC_PRECISION": 1,
    "SDP_RDMA__D_FEATURE_MODE_CFG__IN_PRECISION": 1,
}

REFUSED = [
    ("nv_small", {"SDP_RDMA__D_DATA_CUBE_WIDTH__WIDTH": 2}, "D_DATA_CUBE_WIDTH.WIDTH: SDP_RDMA has 2, SDP 1"),
    ("nv_small", {"SDP_RDMA__D_FEATURE_MODE_CFG__FLYING_MODE": 1}, "FLYING_MODE: SDP_RDMA has 1, SDP 0"),
    ("nv_small", {"SDP__D_DATA_FORMAT__OUT_PRECISION": 1}, "OUT_PRECISION = INT16: nv_small has only INT8"),
    ("nv_full", {"SDP__D_DATA_FORMAT__PROC_PRECISION": 3}, "PROC_PRECISION = reserved"),
    ("nv_full", {"SDP__D_FEATURE_MODE_CFG__BATCH_NUMBER": 1}, "batches come on the fly only"),
    ("nv_small", {"SDP__D_FEATURE_MODE_CFG__WINOGRAD": 1}, "WINOGRAD needs a convolution"),
    (
        "nv_small",
        {"SDP__D_DST_LINE_STRIDE__DST_LINE_STRIDE": 15},
        r"D_DST: the 2x2x4 cube at 0x0 \(lines 15 bytes apart, surfaces 32\) overlaps itself",
    ),
    ("nv_small", {"SDP_RDMA__D_SRC_LINE_STRIDE__SRC_LINE_STRIDE": 0}, "D_SRC: the 2x2x4 cube .* overlaps"),
    ("nv_small", {"SDP_RDMA__D_BRDMA_CFG__BRDMA_DISABLE": 0}, "BRDMA fetches operands that BS does not take"),
    ("nv_small", BS_FROM_MEMORY | {"SDP_RDMA__D_BRDMA_CFG__BRDMA_DISABLE": 1}, "BRDMA is disabled"),
    (
        "nv_small",
        BS_FROM_MEMORY | {"SDP_RDMA__D_BRDMA_CFG__BRDMA_DATA_USE": 2},
        "DATA_USE = BOTH, but BS takes ALU",
    ),
    (
        "nv_small",
        EQL | {"SDP__D_CVT_OFFSET__CVT_OFFSET": 1},
        "EQL needs CVT_OFFSET 0, CVT_SCALE 1, CVT_SHIFT 0, not 1, 1, 0",
    ),
    ("nv_small", EQL | {"SDP__D_FEATURE_MODE_CFG__OUTPUT_DST": 1}, "EQL has no result for PDP"),
    (
        "nv_full",
        {
            "SDP__D_DATA_FORMAT__PROC_PRECISION": 1,
            "SDP_RDMA__D_FEATURE_MODE_CFG__PROC_PRECISION": 1,
        },
        "an int8 source cannot be processed in int16",
    ),
    (
        "nv_small",
        BS_FROM_MEMORY | {"SDP__D_DATA_CUBE_WIDTH__WIDTH": 0, "SDP__D_DATA_CUBE_HEIGHT__HEIGHT": 0},
        "D_BS_SURFACE_STRIDE: operands of a 1x1 cube are packed, 8 bytes, not 0",
    ),
    (
        "nv_full",
        INT16
        | {
            "SDP__D_DP_BN_CFG__BN_BYPASS": 0,
            "SDP__D_DP_BN_CFG__BN_ALU_BYPASS": 1,
            "SDP__D_DP_BN_MUL_CFG__BN_MUL_SRC": 1,
            "SDP_RDMA__D_NRDMA_CFG__NRDMA_DISABLE": 0,
        },
        "NRDMA_DATA_SIZE = ONE_BYTE",
    ),
    (
        "nv_full",
        {"SDP__D_DATA_FORMAT__OUT_PRECISION": 1, "SDP__D_FEATURE_MODE_CFG__OUTPUT_DST": 1},
        "PDP takes no output whose precision",
    ),
    (
        "nv_full",
        INT16 | {"SDP__D_DATA_FORMAT__OUT_PRECISION": 0},
        "int16 to int8 output works for 1x1 cubes only, this is 2x2x4(.|\n)*takes pairs of surfaces",
    ),
]


@pytest.mark.parametrize(("config", "fields", "message"), REFUSED, ids=lambda value: str(value)[-40:])
def test_refuses(config: str, fields: dict[str, int], message: str) -> None:
    decoded(config)
    with pytest.raises(ProgramError, match=message):
        decoded(config, **fields)


def test_runs_int16() -> None:
    layer = decoded("nv_full", **INT16)
    assert (layer.source_itemsize, layer.itemsize, layer.out_itemsize) == (2, 2, 2)


def test_tells_all_problems_at_once() -> None:
    with pytest.raises(ProgramError) as caught:
        decoded("nv_small", SDP__D_FEATURE_MODE_CFG__BATCH_NUMBER=1, SDP_RDMA__D_DATA_CUBE_WIDTH__WIDTH=7)
    assert (
        len(str(caught.value).splitlines()) == 5
    )  # a headline, width, batches differ, too many, from memory


def test_a_source_in_memory_needs_the_read_dma() -> None:
    core, _ = program("nv_small")
    with pytest.raises(ProgramError, match="SDP_RDMA is not enabled"):
        decode(SMALL, core, None, LutTables())


@pytest.mark.parametrize("field", ["SDP__D_DATA_FORMAT__OUT_PRECISION", "SDP__D_DATA_FORMAT__PROC_PRECISION"])
def test_fp16_is_told_apart_from_nonsense(field: str) -> None:
    with pytest.raises(UnsupportedError, match="does not run fp16 yet"):
        decoded("nv_full", **{field: 2})
    with pytest.raises(ProgramError, match="nv_large has only INT8"):
        decoded("nv_large", **{field: 2})


def test_a_missing_register_is_named() -> None:
    core, read = program("nv_small")
    del core["D_CVT_SHIFT.CVT_SHIFT"]
    with pytest.raises(ProgramError, match=r"SDP has no register field D_CVT_SHIFT\.CVT_SHIFT"):
        decode(SMALL, core, read, LutTables())
