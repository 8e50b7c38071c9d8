from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvdla_sim.errors import ProgramError, UnsupportedError
from nvdla_sim.hw.config import CONFIGS
from nvdla_sim.hw.pdp import PdpLayer, PoolingMethod, decode, reference
from tests.hw import exact
from tests.hw.layer_case import DESTINATION, SOURCE, Bench, packed, registers

SMALL, FULL = CONFIGS["nv_small"], CONFIGS["nv_full"]


def layer_of(
    method: PoolingMethod,
    size: tuple[int, int],
    kernel: tuple[int, int] = (1, 1),
    stride: tuple[int, int] = (1, 1),
    pads: tuple[int, int, int, int] = (0, 0, 0, 0),
    channels: int = 3,
    atom: int = 8,
    **changes: Any,
) -> PdpLayer:
    """Sizes, kernel and stride are (x, y), pads are left, right, top, bottom."""
    (width, height), (left, right, top, bottom) = size, pads
    out_width = (left + width + right - kernel[0]) // stride[0] + 1
    out_height = (top + height + bottom - kernel[1]) // stride[1] + 1
    layer = PdpLayer(
        method=method,
        width=width,
        height=height,
        channels=channels,
        out_width=out_width,
        out_height=out_height,
        itemsize=1,
        kernel_width=kernel[0],
        kernel_height=kernel[1],
        stride_x=stride[0],
        stride_y=stride[1],
        pad_left=left,
        pad_right=right,
        pad_top=top,
        pad_bottom=bottom,
        pad_sums=(0,) * 8,
        recip_width=65536 // kernel[0],
        recip_height=65536 // kernel[1],
        source=packed(SOURCE, height, width, atom),
        destination=packed(DESTINATION, out_height, out_width, atom),
    )
    return replace(layer, **changes)


def pooled(layer: PdpLayer, bench: Bench, atom: int, c: int, oy: int, ox: int) -> int:
    """One output, element by element."""
    assert layer.source is not None
    xs = range(
        ox * layer.stride_x - layer.pad_left, ox * layer.stride_x - layer.pad_left + layer.kernel_width
    )
    ys = range(oy * layer.stride_y - layer.pad_top, oy * layer.stride_y - layer.pad_top + layer.kernel_height)
    columns, rows = [x for x in xs if 0 <= x < layer.width], [y for y in ys if 0 <= y < layer.height]
    values = [bench.element(layer.source, atom, layer.itemsize, c, y, x) for y in rows for x in columns]
    if layer.method is not PoolingMethod.AVERAGE:
        return max(values) if layer.method is PoolingMethod.MAX else min(values)
    total = sum(values)
    total += len(rows) * layer.pad_sums[layer.kernel_width - len(columns)]
    total += layer.kernel_width * layer.pad_sums[layer.kernel_height - len(rows)]
    narrowed = exact.nearest(total * layer.recip_width, 16)
    return exact.wrap(exact.nearest(narrowed * layer.recip_height, 16), 8 * layer.itemsize)


@st.composite
def layers(draw: st.DrawFn) -> PdpLayer:
    def axis() -> tuple[int, int, int, int, int]:
        kernel, stride = draw(st.integers(1, 8)), draw(st.integers(1, 16))
        before, after = draw(st.integers(0, kernel - 1)), draw(st.integers(0, kernel - 1))
        size = draw(st.integers(max(1, kernel - before - after), 12))
        return size, kernel, stride, before, after

    (width, kw, sx, left, right), (height, kh, sy, top, bottom) = axis(), axis()
    method, itemsize = draw(st.sampled_from(PoolingMethod)), draw(st.sampled_from([1, 2]))
    bits = (8, 9, 10, 10, 11, 11, 11) if itemsize == 1 else (16, 17, 18, 18, 19, 19, 19)
    changes: dict[str, Any] = {"itemsize": itemsize, "pad_sums": (0, *(draw(exact.signed(b)) for b in bits))}
    if draw(st.booleans()):
        changes |= {
            "recip_width": draw(st.integers(0, 0x1FFFF)),
            "recip_height": draw(st.integers(0, 0x1FFFF)),
        }
    return layer_of(
        method, (width, height), (kw, kh), (sx, sy), (left, right, top, bottom), 17, atom=32, **changes
    )


@settings(max_examples=60)
@given(layers(), st.integers(0, 9))
def test_every_element(layer: PdpLayer, seed: int) -> None:
    """All lanes of the last atom, too; recips of any size wrap the result."""
    bench = Bench(seed=seed)
    reference(FULL, layer, bench.ports, None)
    lanes = 32 // layer.itemsize * (-(-layer.channels * layer.itemsize // 32))
    for c in {0, 16, layer.channels - 1, lanes - 1}:
        for oy in range(layer.out_height):
            for ox in range(layer.out_width):
                got = bench.element(layer.destination, 32, layer.itemsize, c, oy, ox)
                assert got == pooled(layer, bench, 32, c, oy, ox), (c, oy, ox)


@pytest.mark.parametrize("method", PoolingMethod)
def test_one_pixel(method: PoolingMethod) -> None:
    bench = Bench()
    reference(SMALL, layer_of(method, (1, 1), channels=1), bench.ports, None)
    assert np.array_equal(bench.areas[DESTINATION][:8], bench.areas[SOURCE][:8])


@pytest.mark.parametrize("method", [PoolingMethod.MAX, PoolingMethod.MIN])
def test_padding_never_wins(method: PoolingMethod) -> None:
    """-128 is a value like others for a maximum whose window is mostly padding, and 127 for a minimum."""
    bench = Bench()
    bench.areas[SOURCE][:] = 0x80 if method is PoolingMethod.MAX else 0x7F
    layer = layer_of(method, (2, 2), (3, 3), pads=(2, 2, 2, 2), pad_sums=(0, 9, 9, 9, 9, 9, 9, 9))
    reference(SMALL, layer, bench.ports, None)
    assert set(bench.areas[DESTINATION][: 4 * 4 * 8].tolist()) == {bench.areas[SOURCE][0]}


@pytest.mark.parametrize(("value", "result"), [(127, 127), (-128, -128), (1, 1), (0, 0)])
def test_constant_averages_of_3x3(value: int, result: int) -> None:
    """9 * 127 = 1143, times 0x5555 / 65536 is 380.99, and again 126.99: both are rounded."""
    bench = Bench()
    bench.areas[SOURCE][:] = value & 0xFF
    reference(SMALL, layer_of(PoolingMethod.AVERAGE, (3, 3), (3, 3)), bench.ports, None)
    assert bench.at(DESTINATION, 1) == result


def test_an_average_wraps() -> None:
    bench = Bench()
    bench.areas[SOURCE][:] = 100
    layer = layer_of(PoolingMethod.AVERAGE, (2, 1), (2, 1), recip_width=0x10000)
    reference(SMALL, layer, bench.ports, None)
    assert bench.at(DESTINATION, 1) == 200 - 256


def test_8192_wide() -> None:
    bench = Bench()
    reference(SMALL, layer_of(PoolingMethod.MAX, (8192, 1), (2, 1), (2, 1)), bench.ports, None)
    pixels = bench.areas[SOURCE].view(np.int8).reshape(4096, 2, 8)
    out = bench.areas[DESTINATION][: 4096 * 8].view(np.int8)
    assert np.array_equal(out.reshape(4096, 8), pixels.max(axis=1))


def test_takes_sdps_stream() -> None:
    bench = Bench()
    layer = layer_of(PoolingMethod.MIN, (3, 2), (2, 2))
    assert layer.source is not None
    stream = layer.source.read(bench.ports, 1, 2, 3, 8, 1)[np.newaxis]
    reference(SMALL, replace(layer, source=None), bench.ports, stream)
    for c in range(8):
        for ox in range(2):
            assert bench.element(layer.destination, 8, 1, c, 0, ox) == pooled(layer, bench, 8, c, 0, ox)


def test_nothing_is_written_outside() -> None:
    bench, layer = Bench(), layer_of(PoolingMethod.MAX, (4, 4))
    before = bench.areas[DESTINATION].copy()
    outside = replace(layer.destination, address=DESTINATION + (1 << 16) - 8)
    with pytest.raises(ProgramError, match="leaves the mapped memory"):
        reference(SMALL, replace(layer, destination=outside), bench.ports, None)
    assert np.array_equal(bench.areas[DESTINATION], before)


# --- register programs ---


def program(config: str = "nv_small", **fields: int) -> tuple[dict[str, int], dict[str, int]]:
    """A 3x3 average with padding 1 of a 9x5x4 cube; the first word of a field tells the unit."""
    chip = CONFIGS[config]
    shift = 5 if config == "nv_full" else 0
    cube = {f"D_DATA_CUBE_IN_{n}__CUBE_IN_{n}": s for n, s in (("WIDTH", 8), ("HEIGHT", 4), ("CHANNEL", 3))}
    out = {f"D_DATA_CUBE_OUT_{n}__CUBE_OUT_{n}": s for n, s in (("WIDTH", 8), ("HEIGHT", 4), ("CHANNEL", 3))}
    strides = {"LINE": 9 * chip.atom >> shift, "SURFACE": 45 * chip.atom >> shift}
    core = registers(
        chip,
        "PDP",
        **cube,
        **out,
        **{f"D_DST_{n}_STRIDE__DST_{n}_STRIDE": s for n, s in strides.items()},
        **{f"D_POOLING_KERNEL_CFG__KERNEL_{n}": 2 for n in ("WIDTH", "HEIGHT")},
        **{f"D_POOLING_PADDING_CFG__PAD_{n}": 1 for n in ("LEFT", "RIGHT", "TOP", "BOTTOM")},
        D_OPERATION_MODE_CFG__FLYING_MODE=1,
    )
    read = registers(
        chip,
        "PDP_RDMA",
        **cube,
        **{f"D_SRC_{n}_STRIDE__SRC_{n}_STRIDE": s for n, s in strides.items()},
        D_POOLING_KERNEL_CFG__KERNEL_WIDTH=2,
    )
    for name, value in fields.items():
        unit, key = name.split("__", 1)
        key = key.replace("__", ".")
        for group in {"PDP": [core], "RDMA": [read], "BOTH": [core, read]}[unit]:
            assert key in group, key
            group[key] = value
    return core, read


def decoded(config: str = "nv_small", **fields: int) -> PdpLayer:
    return decode(CONFIGS[config], *program(config, **fields))


def split(first: tuple[int, int], mid: tuple[int, int], last: tuple[int, int], parts: int) -> dict[str, int]:
    """Parts as (columns in, columns out)."""
    fields = {"BOTH__D_OPERATION_MODE_CFG__SPLIT_NUM": parts - 1}
    for part, (taken, made) in (("FIRST", first), ("MID", mid), ("LAST", last)):
        fields[f"BOTH__D_PARTIAL_WIDTH_IN__PARTIAL_WIDTH_IN_{part}"] = taken - 1
        fields[f"PDP__D_PARTIAL_WIDTH_OUT__PARTIAL_WIDTH_OUT_{part}"] = made - 1
    return fields


def test_pad_values_have_widths_of_their_own() -> None:
    fields = {f"PDP__D_POOLING_PADDING_VALUE_{n}_CFG__PAD_VALUE_{n}X": 0x7FF80 for n in range(1, 8)}
    assert decoded(**fields).pad_sums == (0, -128, -128, -128, -128, -128, -128, -128)
    fields = {f"PDP__D_POOLING_PADDING_VALUE_{n}_CFG__PAD_VALUE_{n}X": 0x80 for n in range(1, 8)}
    assert decoded(**fields).pad_sums == (0, -128, 128, 128, 128, 128, 128, 128)
    fields |= {"BOTH__D_DATA_FORMAT__INPUT_DATA": 1}
    assert decoded("nv_full", **fields).pad_sums == (0, *(7 * (128,)))


def test_a_split_that_tiles_the_width_is_the_whole_width() -> None:
    """Padding 1 and kernel 3: the first part needs one column more than it gives."""
    whole = decoded()
    assert decoded(**split((4, 3), (3, 3), (2, 3), parts=3)) == whole
    assert decoded(**split((6, 5), (1023, 7), (3, 4), parts=2)) == whole


SPLIT_REFUSED = [
    (split((4, 3), (3, 3), (3, 3), parts=3), "PARTIAL_WIDTH_IN: 3 parts make 10, not 9"),
    (split((4, 3), (3, 3), (2, 4), parts=3), "PARTIAL_WIDTH_OUT: 3 parts make 10, not 9"),
    (split((3, 3), (3, 3), (3, 3), parts=3), "PARTIAL_WIDTH_IN_FIRST = 3: 3 outputs take 4 columns"),
    (split((4, 3), (2, 3), (3, 3), parts=3), "PARTIAL_WIDTH_IN_MID = 2: 3 outputs step over 3"),
    (
        split((4, 3), (3, 3), (2, 3), parts=3) | {"RDMA__D_OPERATION_MODE_CFG__SPLIT_NUM": 1},
        "SPLIT_NUM: PDP_RDMA has 1, PDP 2",
    ),
    (
        split((4, 3), (3, 3), (2, 3), parts=3) | {"RDMA__D_POOLING_KERNEL_CFG__KERNEL_STRIDE_WIDTH": 1},
        "KERNEL_STRIDE_WIDTH: PDP_RDMA has 1, PDP 0",
    ),
    (
        split((4, 3), (3, 3), (2, 3), parts=3) | {"PDP__D_OPERATION_MODE_CFG__FLYING_MODE": 0},
        "no split on the fly",
    ),
]

REFUSED = [
    ({"PDP__D_OPERATION_MODE_CFG__POOLING_METHOD": 3}, "POOLING_METHOD = 3"),
    ({"PDP__D_POOLING_KERNEL_CFG__KERNEL_HEIGHT": 8}, "KERNEL_HEIGHT = 9: a kernel has 1 to 8"),
    ({"PDP__D_POOLING_PADDING_CFG__PAD_LEFT": 3}, "PAD_LEFT = 3: must be less than the kernel, 3"),
    ({"PDP__D_DATA_CUBE_OUT_WIDTH__CUBE_OUT_WIDTH": 9}, "CUBE_OUT_WIDTH = 10: .* gives 9"),
    ({"PDP__D_DATA_CUBE_OUT_HEIGHT__CUBE_OUT_HEIGHT": 3}, "CUBE_OUT_HEIGHT = 4: .* gives 5"),
    ({"PDP__D_DATA_CUBE_OUT_CHANNEL__CUBE_OUT_CHANNEL": 8}, "CUBE_OUT_CHANNEL = 9: pooling keeps 4"),
    ({"RDMA__D_DATA_CUBE_IN_WIDTH__CUBE_IN_WIDTH": 9}, "CUBE_IN_WIDTH: PDP_RDMA has 9, PDP 8"),
    ({"BOTH__D_DATA_FORMAT__INPUT_DATA": 1}, "INPUT_DATA = INT16: nv_small has only INT8"),
    ({"PDP__D_DST_LINE_STRIDE__DST_LINE_STRIDE": 71}, "the destination .* overlaps itself"),
    ({"RDMA__D_SRC_LINE_STRIDE__SRC_LINE_STRIDE": 0}, "the source .* overlaps itself"),
]


@pytest.mark.parametrize(("fields", "message"), REFUSED + SPLIT_REFUSED, ids=lambda value: str(value)[-40:])
def test_refuses(fields: dict[str, int], message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        decoded(**fields)


def test_the_second_part_must_not_start_in_the_padding() -> None:
    fields = {
        "PDP__D_POOLING_PADDING_CFG__PAD_LEFT": 2,
        "PDP__D_POOLING_PADDING_CFG__PAD_RIGHT": 0,
    } | split((1, 1), (1, 1), (8, 8), parts=2)
    with pytest.raises(ProgramError, match="the second part starts in the padding"):
        decoded(**fields)


def test_a_source_in_memory_needs_the_read_dma() -> None:
    core, _ = program()
    with pytest.raises(ProgramError, match="PDP_RDMA is not enabled"):
        decode(SMALL, core, None)


def test_fp16_is_told_apart_from_nonsense() -> None:
    with pytest.raises(UnsupportedError, match="does not run fp16 yet"):
        decoded("nv_full", BOTH__D_DATA_FORMAT__INPUT_DATA=2)
