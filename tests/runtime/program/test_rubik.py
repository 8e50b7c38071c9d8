from __future__ import annotations

from typing import Any

import pytest

from nvdla_sim.hw.config import Config
from nvdla_sim.loadable.enums import MemType, OpType, Precision, RubikMode
from nvdla_sim.runtime.operation import Operation
from tests.runtime.program.cases import FULL, LARGE, blank, change, problems, written


def reshape(mode: RubikMode) -> Operation:
    cubes = {"src__plane_stride": 320, "src__surf_stride": 640, "src__line_stride": 96}
    cubes |= {"dst__plane_stride": 352, "dst__surf_stride": 672, "dst__line_stride": 128, "dst__channel": 40}
    return change(blank(OpType.RUBIK), mode=mode, stride_x=2, stride_y=3, **cubes)


@pytest.mark.parametrize(
    ("config", "mode", "values", "message"),
    [
        (LARGE, RubikMode.CONTRACT, {}, "nv_large has no Rubik engine"),
        (FULL, RubikMode.CONTRACT, {"src__type": MemType.HW}, "src.type = on the fly"),
        (FULL, RubikMode.SPLIT, {"dst__type": MemType.HW}, "dst.type = on the fly"),
        (FULL, RubikMode.MERGE, {"src__plane_stride": 0}, "src.plane_stride = 0: a multiple of 32"),
        (FULL, RubikMode.MERGE, {"src__plane_stride": 48}, "src.plane_stride = 48"),
        (FULL, RubikMode.CONTRACT, {"stride_x": 0}, "DECONV_X_STRIDE = -1 does not fit"),
    ],
)
def test_refusals(config: Config, mode: RubikMode, values: dict[str, Any], message: str) -> None:
    assert not problems(reshape(mode))
    found = problems(change(reshape(mode), **values), config)
    assert any(message in problem for problem in found), found


def test_strides() -> None:
    contract, split, merge = (written(reshape(mode)) for mode in RubikMode)
    assert [result["RBK.D_MISC_CFG"] for result in (contract, split, merge)] == [0, 1, 2]
    assert contract["RBK.D_CONTRACT_STRIDE_0"] == 2 * 640  # 40 channels: two surfaces
    assert contract["RBK.D_CONTRACT_STRIDE_1"] == 3 * 128
    assert contract["RBK.D_DECONV_STRIDE"] == 2 << 16 | 1
    assert contract["RBK.D_DAIN_SURF_STRIDE"] == split["RBK.D_DAIN_SURF_STRIDE"] == 640
    assert contract["RBK.D_DAOUT_SURF_STRIDE"] == merge["RBK.D_DAOUT_SURF_STRIDE"] == 672
    assert split["RBK.D_DAOUT_PLANAR_STRIDE"] == 352
    assert merge["RBK.D_DAIN_PLANAR_STRIDE"] == 320


def test_wide_elements_take_twice_the_surfaces() -> None:
    operation = change(reshape(RubikMode.CONTRACT), precision=Precision.INT16)
    assert written(operation)["RBK.D_CONTRACT_STRIDE_0"] == 3 * 640
