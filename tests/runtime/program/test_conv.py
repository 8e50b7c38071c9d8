from __future__ import annotations

from typing import Any

import pytest

from nvdla_sim.hw.config import Config
from nvdla_sim.loadable.enums import ConvMode, MemType, WeightFormat
from nvdla_sim.runtime.operation import Operation
from tests.runtime.program.cases import FULL, LARGE, change, problems, real, written


def convolution() -> Operation:
    return real("conv_bias_bn_scale", "nv_full.int8-pf", 0)


@pytest.mark.parametrize(
    ("config", "values", "message"),
    [
        (FULL, {"out_cvt__scale": 2}, "out_cvt.scale = 2: only 1"),
        (FULL, {"out_cvt__offset": -1}, "out_cvt.offset = -1: only 0"),
        (FULL, {"dst__width": 1, "dst__height": 1}, "a 1x1 cube needs 32"),
        (LARGE, {"weight_format": WeightFormat.COMPRESSED}, "nv_large cannot read compressed weights"),
        (
            FULL,
            {"weight_format": WeightFormat.COMPRESSED, "wmb__address": -1},
            "wmb.address = -1: compressed weights need it",
        ),
        (FULL, {"data_bank": 0}, "CSC.D_BANK.DATA_BANK = -1 does not fit"),
        (FULL, {"dst__channel": 9000}, "does not fit: 0 .. 8191"),
        (FULL, {"stride_x": 9}, "CONV_X_STRIDE_EXT = 8 does not fit"),
    ],
)
def test_refusals(config: Config, values: dict[str, Any], message: str) -> None:
    assert not problems(convolution(), config)
    found = problems(change(convolution(), **values), config)
    assert any(message in problem for problem in found), found


def test_all_problems_are_told() -> None:
    assert len(problems(change(convolution(), out_cvt__scale=2, out_cvt__offset=1))) == 2


def test_mean_and_converter_are_written_where_enabled() -> None:
    plain = written(change(convolution(), mean_format=0, in_cvt__enable=0))
    assert not {name for name in plain if "MEAN_GLOBAL" in name or name == "CDMA.D_CVT_SCALE"}
    assert plain["CDMA.D_CVT_CFG"] == 0
    means = {"mean_ry": -1, "mean_gu": 2, "mean_bv": 3, "mean_ax": -4}
    cvt = {"in_cvt__enable": 1, "in_cvt__scale": -5, "in_cvt__offset": -6, "in_cvt__truncate": 7}
    full = written(change(convolution(), mean_format=1, **means, **cvt))
    assert full["CDMA.D_MEAN_GLOBAL_0"] == 0x0002_FFFF
    assert full["CDMA.D_MEAN_GLOBAL_1"] == 0xFFFC_0003
    assert full["CDMA.D_CVT_CFG"] == 7 << 4 | 1
    assert (full["CDMA.D_CVT_OFFSET"], full["CDMA.D_CVT_SCALE"]) == (0xFFFF_FFFA, 0xFFFB)


def test_compressed_weights() -> None:
    values = {"wmb__address": 2, "wmb__size": 256, "wgs__address": 3, "wgs__offset": 64}
    result = written(change(convolution(), weight_format=WeightFormat.COMPRESSED, **values))
    assert (result["CDMA.D_WMB_ADDR_HIGH"], result["CDMA.D_WMB_ADDR_LOW"]) == (1, 0x8002_0000)
    assert result["CDMA.D_WGS_ADDR_LOW"] == 0x8003_0040
    assert result["CDMA.D_WMB_BYTES"] == result["CSC.D_WMB_BYTES"] == 256


def test_winograd_leaves_stride_and_padding_to_the_input_stage() -> None:
    values = {"stride_x": 2, "stride_y": 3, "pad_left": 1, "pad_right": 2, "pad_top": 3, "pad_bottom": 4}
    result = written(change(convolution(), conv_mode=ConvMode.WINOGRAD, **values))
    assert result["CSC.D_CONV_STRIDE_EXT"] == result["CSC.D_ZERO_PADDING"] == 0
    assert result["CDMA.D_CONV_STRIDE"] == 2 << 16 | 1
    assert result["CDMA.D_ZERO_PADDING"] == 4 << 24 | 3 << 16 | 2 << 8 | 1
    direct = written(change(convolution(), **values))
    assert direct["CSC.D_CONV_STRIDE_EXT"] == 2 << 16 | 1
    assert direct["CSC.D_ZERO_PADDING"] == 3 << 16 | 1


@pytest.mark.parametrize(
    ("strides", "packed"),
    [((160, 640), 0x10001), ((160, 672), 0x00001), ((192, 640), 0x10000), ((192, 768), 0)],
)
def test_packed_lines_and_surfaces(strides: tuple[int, int], packed: int) -> None:
    sizes = {"src__width": 5, "src__height": 4}
    operation = change(convolution(), src__line_stride=strides[0], src__surf_stride=strides[1], **sizes)
    assert written(operation)["CDMA.D_DAIN_MAP"] == packed


def test_sram_and_second_plane() -> None:
    operation = change(convolution(), src__type=MemType.CV, weight__type=MemType.CV, src__address=1)
    operation.surface.src.offset, operation.surface.offset_u = 32, 4096
    result = written(operation)
    assert result["CDMA.D_DAIN_RAM_TYPE"] == result["CDMA.D_WEIGHT_RAM_TYPE"] == 0
    assert (result["CDMA.D_DAIN_ADDR_HIGH_0"], result["CDMA.D_DAIN_ADDR_LOW_0"]) == (1, 0x8001_0020)
    assert result["CDMA.D_DAIN_ADDR_LOW_1"] == 0x8001_1020
