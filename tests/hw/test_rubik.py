from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvdla_sim.errors import ProgramError, UnsupportedError
from nvdla_sim.hw.config import CONFIGS
from nvdla_sim.hw.rubik import RubikLayer, RubikMode, decode, reference
from nvdla_sim.hw.surface import Surface
from tests.hw.layer_case import DESTINATION, SOURCE, Bench, registers

FULL = CONFIGS["nv_full"]

Move = tuple[int, int | None]  # destination, source element (byte offsets); None: a zero


def layer_of(
    mode: RubikMode,
    width: int,
    height: int,
    channels: int,
    itemsize: int,
    deconvolution: tuple[int, int] = (1, 1),
    gap: int = 0,
) -> RubikLayer:
    """``channels`` of the contracted, the split or the merged cube; ``gap``: 32-byte units behind lines."""
    sx, sy = deconvolution
    cube_line = (width + gap) * 32
    planar_line = (-(-width * itemsize // 32) + gap) * 32
    out_line = (width * sx + gap) * 32
    source_line = planar_line if mode is RubikMode.MERGE else cube_line
    line = {RubikMode.CONTRACT: out_line, RubikMode.SPLIT: planar_line, RubikMode.MERGE: cube_line}[mode]
    return RubikLayer(
        mode=mode,
        itemsize=itemsize,
        width=width,
        height=height,
        channels=channels,
        out_channels=channels,
        source=Surface(SOURCE, source_line, source_line * height + 32 * gap, 1),
        destination=Surface(DESTINATION, line, line * height * sy + 32 * gap, 1),
        stride_x=sx,
        stride_y=sy,
        row_stride=line * sy,
    )


def feature(surface: Surface, itemsize: int, c: int, y: int, x: int) -> int:
    surf, lane = divmod(c * itemsize, 32)
    return surf * surface.surf_stride + y * surface.line_stride + x * 32 + lane


def planar(surface: Surface, itemsize: int, c: int, y: int, x: int) -> int:
    return c * surface.surf_stride + y * surface.line_stride + x * itemsize


def moves(layer: RubikLayer) -> Iterator[Move]:
    """What goes where, one element at a time."""
    source, destination, size = layer.source, layer.destination, layer.itemsize
    per_atom = 32 // size
    lanes = -(-layer.channels // per_atom) * per_atom
    if layer.mode is RubikMode.CONTRACT:
        for c, y, x in product(range(lanes), range(layer.height), range(layer.width)):
            for sy, sx in product(range(layer.stride_y), range(layer.stride_x)):
                phase = (sy * layer.stride_x + sx) * lanes
                out = feature(destination, size, c, y * layer.stride_y + sy, x * layer.stride_x + sx)
                yield out, feature(source, size, phase + c, y, x)
    elif layer.mode is RubikMode.SPLIT:
        whole = -(-layer.width // per_atom) * per_atom
        for c, y, x in product(range(layer.channels), range(layer.height), range(whole)):
            inside = x < layer.width
            yield planar(destination, size, c, y, x), feature(source, size, c, y, x) if inside else None
    else:
        for c, y, x in product(range(lanes), range(layer.height), range(layer.width)):
            inside = c < layer.channels
            yield feature(destination, size, c, y, x), planar(source, size, c, y, x) if inside else None


@st.composite
def layers(draw: st.DrawFn) -> RubikLayer:
    mode, itemsize = draw(st.sampled_from(RubikMode)), draw(st.sampled_from([1, 2]))
    few = st.integers(1, 3)
    strides = (draw(few), draw(few)) if mode is RubikMode.CONTRACT else (1, 1)
    width, channels = draw(st.integers(1, 40)), draw(st.sampled_from([1, 16, 17, 33]))
    if mode is RubikMode.CONTRACT:
        width = min(width, 6)
    return layer_of(mode, width, draw(few), channels, itemsize, strides, gap=draw(st.integers(0, 2)))


@settings(max_examples=60)
@given(layers(), st.integers(0, 9))
def test_every_element(layer: RubikLayer, seed: int) -> None:
    bench = Bench(seed=seed)
    expected = bench.areas[DESTINATION].copy()
    for out, taken in moves(layer):
        source = bench.areas[SOURCE][taken : taken + layer.itemsize] if taken is not None else 0
        expected[out : out + layer.itemsize] = source
    reference(FULL, layer, bench.ports)
    assert np.array_equal(bench.areas[DESTINATION], expected)


def test_merge_undoes_split() -> None:
    bench = Bench()
    split = layer_of(RubikMode.SPLIT, 5, 4, 20, 1)
    reference(FULL, split, bench.ports)
    planes = bench.areas[DESTINATION].copy()
    bench.areas[SOURCE][:], cube = planes, bench.areas[SOURCE].copy()
    reference(FULL, layer_of(RubikMode.MERGE, 5, 4, 20, 1), bench.ports)
    merged = bench.areas[DESTINATION][: 4 * 5 * 32].reshape(-1, 32)
    assert np.array_equal(merged[:, :20], cube[: 4 * 5 * 32].reshape(-1, 32)[:, :20])
    assert not merged[:, 20:].any()


@pytest.mark.parametrize("mode", RubikMode)
def test_nothing_is_written_outside(mode: RubikMode) -> None:
    bench = Bench(size=2048)
    layer = layer_of(mode, 8, 8, 32, 1, (2, 2) if mode is RubikMode.CONTRACT else (1, 1))
    before = bench.areas[DESTINATION].copy()
    with pytest.raises(ProgramError, match="leaves the mapped memory"):
        reference(FULL, layer, bench.ports)
    assert np.array_equal(bench.areas[DESTINATION], before)


# --- register programs: strides and addresses in units of 32 bytes ---


def decoded(**changes: Any) -> RubikLayer:
    """Contracts 2x2 phases of 4x3 pixels with 40 channels."""
    fields = {
        "D_DATAIN_SIZE_0__DATAIN_WIDTH": 3,
        "D_DATAIN_SIZE_0__DATAIN_HEIGHT": 2,
        "D_DATAIN_SIZE_1__DATAIN_CHANNEL": 255,
        "D_DATAOUT_SIZE_1__DATAOUT_CHANNEL": 39,
        "D_DECONV_STRIDE__DECONV_X_STRIDE": 1,
        "D_DECONV_STRIDE__DECONV_Y_STRIDE": 1,
        "D_DAIN_ADDR_LOW__DAIN_ADDR_LOW": 3,
        "D_DAIN_ADDR_HIGH__DAIN_ADDR_HIGH": 1,
        "D_DAIN_LINE_STRIDE__DAIN_LINE_STRIDE": 4,
        "D_DAIN_SURF_STRIDE__DAIN_SURF_STRIDE": 12,
        "D_DAIN_PLANAR_STRIDE__DAIN_PLANAR_STRIDE": 5,
        "D_DAOUT_LINE_STRIDE__DAOUT_LINE_STRIDE": 8,
        "D_DAOUT_SURF_STRIDE__DAOUT_SURF_STRIDE": 48,
        "D_DAOUT_PLANAR_STRIDE__DAOUT_PLANAR_STRIDE": 24,
        "D_CONTRACT_STRIDE_0__CONTRACT_STRIDE_0": 24,
        "D_CONTRACT_STRIDE_1__CONTRACT_STRIDE_1": 16,
    } | changes
    return decode(FULL, registers(FULL, "RBK", **fields))


def test_each_mode_has_its_own_strides() -> None:
    layer = decoded()
    assert (layer.source, layer.row_stride) == (Surface(0x1_0000_0060, 128, 384, 0), 512)
    assert layer.destination == Surface(0, 256, 1536, 0)
    split = decoded(D_MISC_CFG__RUBIK_MODE=1, D_DATAIN_SIZE_1__DATAIN_CHANNEL=39)
    assert (split.source.surf_stride, split.destination.surf_stride) == (384, 768)
    merge = decoded(D_MISC_CFG__RUBIK_MODE=2, D_MISC_CFG__IN_PRECISION=2)
    assert (merge.source.surf_stride, merge.destination.surf_stride, merge.itemsize) == (160, 1536, 2)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"D_MISC_CFG__RUBIK_MODE": 3}, "RUBIK_MODE = 3"),
        ({"D_MISC_CFG__IN_PRECISION": 3}, "IN_PRECISION = 3"),
        (
            {"D_CONTRACT_STRIDE_0__CONTRACT_STRIDE_0": 12},
            "CONTRACT_STRIDE_0 = 384: a phase has 2 surfaces, 768",
        ),
        ({"D_CONTRACT_STRIDE_1__CONTRACT_STRIDE_1": 15}, "overlaps itself"),
        ({"D_DAOUT_LINE_STRIDE__DAOUT_LINE_STRIDE": 0}, "overlaps itself"),
        ({"D_MISC_CFG__RUBIK_MODE": 1}, "DATAOUT_CHANNEL = 40: the input has 256 channels"),
        ({"D_MISC_CFG__RUBIK_MODE": 2, "D_DAOUT_SURF_STRIDE__DAOUT_SURF_STRIDE": 3}, "overlaps itself"),
    ],
)
def test_refuses(fields: dict[str, int], message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        decoded(**fields)


def test_exists_in_nv_full_only() -> None:
    with pytest.raises(UnsupportedError, match="nv_small has no Rubik engine"):
        decode(CONFIGS["nv_small"], {})
