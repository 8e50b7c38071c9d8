from __future__ import annotations

from typing import Any

import pytest

from nvdla_sim.loadable.enums import MemType, Precision
from nvdla_sim.runtime.program import needs_rdma
from tests.runtime.program.cases import SMALL, change, problems, real, written


def pooling() -> Any:
    return real("pool_ave_pad", "nv_small.int8-pk", 0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"dst__type": MemType.HW}, "dst.type = on the fly"),
        ({"src__type": 3}, "src.type = 3: 0, 1 or 2"),
        ({"src__width": 8193}, "src.width = 8193: at most 8192"),
        ({"dst__channel": 65535}, "dst.channel = 65535"),
        ({"pool_width": 8}, "pool_width: a pool of size 9 is not possible, at most 8"),
        ({"pool_height": 255}, "pool_height: a pool of size 256"),
        ({"stride_x": 0}, "stride_x = 0: 1 to 8"),
        ({"stride_y": 9}, "stride_y = 9: 1 to 8"),
        ({"pool_mode": 3}, "pool_mode = 3"),
        ({"precision": 3}, "precision = 3"),
        ({"split_num": 65}, "split_num = 65: at most 64"),
        ({"src__type": MemType.HW, "split_num": 2}, "a source on the fly cannot be split"),
        ({"precision": Precision.FP16, "padding_value": (0, 0, 1, 0, 0, 0, 0)}, "pads with 0 only"),
        ({"split_num": 0}, "SPLIT_NUM = -1 does not fit"),
        ({"pad_left": 8}, "PAD_LEFT = 8 does not fit"),
    ],
)
def test_refusals(values: dict[str, Any], message: str) -> None:
    assert not problems(pooling(), SMALL)
    found = problems(change(pooling(), **values), SMALL)
    assert any(message in problem for problem in found), found


@pytest.mark.parametrize(
    ("code", "reciprocal"), list(enumerate([65536, 32768, 21845, 16384, 13107, 10922, 9362, 8192]))
)
def test_reciprocals(code: int, reciprocal: int) -> None:
    result = written(change(pooling(), pool_width=code, pool_height=7 - code), SMALL)
    assert result["PDP.D_RECIP_KERNEL_WIDTH"] == reciprocal
    assert result["PDP.D_POOLING_KERNEL_CFG"] & 0xF0F == (7 - code) << 8 | code


def test_on_the_fly() -> None:
    operation = change(pooling(), src__type=MemType.HW)
    assert not needs_rdma(operation)
    result = written(operation, SMALL)
    assert not {name for name in result if name.startswith("PDP_RDMA")}
    assert result["PDP.D_OPERATION_MODE_CFG"] & 0x10 == 0


def test_split_widths_and_paddings() -> None:
    widths = {"partial_in_width_first": 5, "partial_in_width_mid": 0, "partial_in_width_last": 7}
    out = {"partial_width_first": 2, "partial_width_mid": 3, "partial_width_last": 4}
    operation = change(pooling(), split_num=3, padding_value=(-1, 2, 3, 4, 5, 6, 7), **widths, **out)
    result = written(operation, SMALL)
    assert result["PDP.D_PARTIAL_WIDTH_IN"] == result["PDP_RDMA.D_PARTIAL_WIDTH_IN"] == 6 << 10 | 4
    assert result["PDP.D_PARTIAL_WIDTH_OUT"] == 2 << 20 | 3 << 10 | 1
    assert result["PDP.D_OPERATION_MODE_CFG"] >> 8 == result["PDP_RDMA.D_OPERATION_MODE_CFG"] == 2
    assert result["PDP.D_POOLING_PADDING_VALUE_1_CFG"] == 0xFFFF_FFFF
    assert result["PDP.D_POOLING_PADDING_VALUE_7_CFG"] == 7
