from __future__ import annotations

from typing import Any

import pytest

from nvdla_sim.loadable.enums import MemType, OpType, Precision, SdpAct, SdpMode, SdpOpType
from nvdla_sim.runtime.operation import Operation
from nvdla_sim.runtime.program import needs_rdma
from tests.runtime.program.cases import blank, change, problems, written


def stage(name: str, **values: int) -> dict[str, int]:
    return {f"{name}__{field}": value for field, value in {"enable": 1, **values}.items()}


def sdp(**values: Any) -> Operation:
    """On the fly to memory, nothing enabled, with ``values`` changed."""
    start = {"batch_num": 1, "src__type": MemType.HW, "out_cvt__scale": 1}
    return change(blank(OpType.SDP), **start, **values)


@pytest.mark.parametrize(
    ("values", "needed"),
    [
        ({}, False),
        ({"src__type": MemType.MC}, True),
        ({"x1__enable": 1, "x1__mode": SdpMode.PER_LAYER}, False),
        ({"x2__enable": 1, "x2__mode": SdpMode.PER_KERNEL}, True),
        ({"y__enable": 1, "y__mode": SdpMode.PER_POINT}, True),
        ({"x1__mode": SdpMode.PER_POINT}, False),
    ],
)
def test_when_the_read_dma_runs(values: dict[str, int], needed: bool) -> None:
    operation = sdp()
    change(operation, **values)
    assert needs_rdma(operation) is needed
    assert ("SDP_RDMA.D_DATA_CUBE_WIDTH" in written(operation)) is needed


def test_y_stage_with_operands_in_registers() -> None:
    values = stage("y", type=SdpOpType.BOTH, mode=SdpMode.PER_LAYER, alu_type=3, truncate=9)
    result = written(sdp(**values, y__alu_operand=-70000, y__mul_operand=5, y__mul_cvt__enable=1))
    assert result["SDP.D_DP_EW_CFG"] == 1 << 6 | 3 << 2  # no table, EQL
    assert result["SDP.D_DP_EW_ALU_CFG"] == 0b10  # register, no converter
    assert result["SDP.D_DP_EW_MUL_CFG"] == 0b00
    assert result["SDP.D_DP_EW_ALU_SRC_VALUE"] == -70000 & 0xFFFFFFFF
    assert result["SDP.D_DP_EW_MUL_SRC_VALUE"] == 5
    assert result["SDP.D_DP_EW_TRUNCATE_VALUE"] == 9


def test_y_stage_with_operands_in_memory() -> None:
    values = stage("y", type=SdpOpType.ADD, mode=SdpMode.PER_POINT, act=SdpAct.LUT, precision=1)
    cvt = {"enable": 1, "offset": -3, "scale": -4, "truncate": 5}
    operation = sdp(**values, **{f"y__alu_cvt__{name}": value for name, value in cvt.items()})
    cube = operation.surface.y
    cube.address, cube.offset, cube.line_stride, cube.surf_stride = 2, 32, 64, 128
    result = written(operation)
    assert result["SDP_RDMA.D_ERDMA_CFG"] == 0b111010  # DRAM, per point, two bytes, ALU
    assert result["SDP_RDMA.D_EW_BASE_ADDR_LOW"] == 0x8002_0020
    assert result["SDP_RDMA.D_EW_BASE_ADDR_HIGH"] == 1
    assert (result["SDP_RDMA.D_EW_LINE_STRIDE"], result["SDP_RDMA.D_EW_SURFACE_STRIDE"]) == (64, 128)
    assert result["SDP.D_DP_EW_ALU_CFG"] == 1
    assert result["SDP.D_DP_EW_ALU_CVT_OFFSET_VALUE"] == 0xFFFF_FFFD
    assert result["SDP.D_DP_EW_ALU_CVT_SCALE_VALUE"] == 0xFFFC
    assert result["SDP.D_DP_EW_ALU_CVT_TRUNCATE_VALUE"] == 5
    assert "SDP.D_DP_EW_MUL_CFG" not in result


def test_x_stage_with_operands_in_registers() -> None:
    values = stage("x1", type=SdpOpType.BOTH, alu_type=1, act=SdpAct.RELU, shift_value=3, truncate=4)
    result = written(sdp(**values, x1__alu_operand=-2, x1__mul_operand=7))
    assert result["SDP.D_DP_BS_CFG"] == 1 << 2
    assert result["SDP.D_DP_BS_ALU_CFG"] == 3 << 8
    assert result["SDP.D_DP_BS_MUL_CFG"] == 4 << 8
    assert result["SDP.D_DP_BS_ALU_SRC_VALUE"] & 0xFFFF == 0xFFFE
    assert result["SDP.D_DP_BS_MUL_SRC_VALUE"] == 7


def test_prelu() -> None:
    result = written(sdp(**stage("x2", type=SdpOpType.MUL, act=SdpAct.PRELU)))
    assert result["SDP.D_DP_BN_CFG"] == 1 << 6 | 1 << 5 | 1 << 1


def test_to_pdp_nothing_is_stored() -> None:
    result = written(sdp(dst__type=MemType.HW))
    assert result["SDP.D_FEATURE_MODE_CFG"] == 0b11
    assert not {name for name in result if "DST" in name}


def test_batch_and_precisions() -> None:
    precisions = {"src_precision": Precision.INT16, "dst_precision": Precision.INT8}
    result = written(change(sdp(), batch_num=3, batch_stride=4096, **precisions))
    assert result["SDP.D_FEATURE_MODE_CFG"] == 2 << 8 | 1
    assert result["SDP.D_DST_BATCH_STRIDE"] == 4096
    assert result["SDP.D_DATA_FORMAT"] == 0  # int16 for an int8 result is processed as int8
    assert result["SDP_RDMA.D_FEATURE_MODE_CFG"] == 2 << 8 | 1 << 2 | 1
    wide = written(change(sdp(), src_precision=Precision.INT16, dst_precision=Precision.INT16))
    assert wide["SDP.D_DATA_FORMAT"] == 1 << 2 | 1


def test_out_converter() -> None:
    result = written(change(sdp(), out_cvt__scale=-3, out_cvt__offset=-5, out_cvt__truncate=63))
    assert result["SDP.D_CVT_SCALE"] == 0xFFFD
    assert result["SDP.D_CVT_OFFSET"] == 0xFFFF_FFFB
    assert result["SDP.D_CVT_SHIFT"] == 63


def test_values_beyond_a_field_are_refused() -> None:
    (problem,) = problems(change(sdp(), out_cvt__truncate=64))
    assert "CVT_SHIFT = 64 does not fit: 0 .. 63" in problem
