from __future__ import annotations

from typing import Any

import pytest

from nvdla_sim.loadable.enums import MemType, OpType, Precision
from nvdla_sim.runtime.operation import Operation
from tests.runtime.program.cases import blank, change, problems, written


def cross_channel() -> Operation:
    return change(blank(OpType.CDP), local_size=5, in_cvt__scale=1, out_cvt__scale=1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"src__type": MemType.HW}, "src.type = on the fly"),
        ({"dst__type": MemType.HW}, "dst.type = on the fly"),
        ({"in_precision": Precision.INT16}, "in_precision = 1, out_precision = 0"),
        ({"local_size": 4}, "local_size = 4: 3, 5, 7 or 9"),
        ({"local_size": 0}, "local_size = 0"),
        ({"out_cvt__truncate": 64}, "DATOUT_SHIFTER = 64 does not fit"),
    ],
)
def test_refusals(values: dict[str, Any], message: str) -> None:
    assert not problems(cross_channel())
    found = problems(change(cross_channel(), **values))
    assert any(message in problem for problem in found), found


def test_registers() -> None:
    operation = change(
        cross_channel(),
        local_size=9, bypass_sqsum=1, bypass_out_mul=0,
        in_cvt__offset=-1, in_cvt__scale=-2, in_cvt__truncate=3,
        out_cvt__offset=-4, out_cvt__scale=-5, out_cvt__truncate=6,
        src__width=3, src__height=4, src__channel=5, src__address=1, src__line_stride=96,
        dst__address=2, dst__offset=64, dst__line_stride=128, dst__surf_stride=512, dst__type=MemType.CV,
    )  # fmt: skip
    result = written(operation)
    assert result["CDP.D_LRN_CFG"] == 3
    assert result["CDP.D_FUNC_BYPASS"] == 0b01
    assert result["CDP.D_DATIN_OFFSET"] == 0xFFFF
    assert result["CDP.D_DATIN_SCALE"] == 0xFFFE
    assert result["CDP.D_DATIN_SHIFTER"] == 3
    assert result["CDP.D_DATOUT_OFFSET"] == 0xFFFF_FFFC
    assert result["CDP.D_DATOUT_SCALE"] == 0xFFFB
    assert result["CDP.D_DATOUT_SHIFTER"] == 6
    sides = [result[f"CDP_RDMA.D_DATA_CUBE_{side}"] for side in ("WIDTH", "HEIGHT", "CHANNEL")]
    assert sides == [2, 3, 4]
    assert (result["CDP_RDMA.D_SRC_BASE_ADDR_LOW"], result["CDP_RDMA.D_SRC_DMA_CFG"]) == (0x8001_0000, 1)
    assert (result["CDP.D_DST_BASE_ADDR_LOW"], result["CDP.D_DST_DMA_CFG"]) == (0x8002_0040, 0)
    assert (result["CDP_RDMA.D_SRC_LINE_STRIDE"], result["CDP.D_DST_SURFACE_STRIDE"]) == (96, 512)
