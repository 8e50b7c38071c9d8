from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvdla_sim.errors import ProgramError, UnsupportedError
from nvdla_sim.hw.cdp import CdpLayer, decode, reference
from nvdla_sim.hw.config import CONFIGS
from nvdla_sim.hw.lut import Lut, LutTables, Slope, Table, lookup_cdp
from nvdla_sim.hw.surface import Surface
from tests.hw import exact
from tests.hw.layer_case import DESTINATION, SOURCE, Bench, packed, registers

SMALL, FULL = CONFIGS["nv_small"], CONFIGS["nv_full"]


def lut_of(start: int = 0, select: int = 2) -> Lut:
    """Random tables: LE exponential, LO linear, steep lines beyond the ends."""
    numbers = np.random.default_rng(abs(start))
    le, lo = (numbers.integers(-(1 << 15), 1 << 15, n, np.int16) for n in (65, 257))
    line = Slope(start, -321, 4)
    return Lut(
        Table(le, start, True, 1, 0, line, line),
        Table(lo, start, False, 0, select, line, line),
        True,
        False,
        True,
    )


def layer_of(width: int, height: int, channels: int, atom: int, itemsize: int = 1) -> CdpLayer:
    return CdpLayer(
        width=width,
        height=height,
        channels=channels,
        itemsize=itemsize,
        reach=1,
        square_sum=True,
        multiply=True,
        in_offset=0,
        in_scale=1,
        in_shift=0,
        out_offset=0,
        out_scale=1,
        out_shift=0,
        lut=lut_of(),
        source=packed(SOURCE, height, width, atom),
        destination=packed(DESTINATION, height, width, atom),
    )


def normalised(layer: CdpLayer, bench: Bench, atom: int, c: int, y: int, x: int) -> tuple[int, bool]:
    """One output, element by element, and whether the output converter clamped it."""
    bits = 8 * layer.itemsize

    def q(channel: int) -> int:
        if not 0 <= channel < layer.channels:
            return 0
        value = bench.element(layer.source, atom, layer.itemsize, channel, y, x) - layer.in_offset
        return exact.saturate(exact.nearest(value * layer.in_scale, layer.in_shift), bits + 1)

    asked = (
        sum(q(c + step) ** 2 for step in range(-layer.reach, layer.reach + 1)) if layer.square_sum else q(c)
    )
    answer = int(lookup_cdp(layer.lut, np.array([asked]))[0][0])  # checked by the tables' own tests
    product = answer * q(c) if layer.multiply else answer
    result = exact.nearest((product - layer.out_offset) * layer.out_scale, layer.out_shift)
    return exact.saturate(result, bits), exact.saturate(result, bits) != result


@st.composite
def layers(draw: st.DrawFn) -> CdpLayer:
    itemsize = draw(st.sampled_from([1, 2]))
    channels = draw(st.sampled_from([1, 2, 15, 17, 33]))
    lut = lut_of(draw(st.sampled_from([0, 50, -7])) ** itemsize, draw(st.integers(-3, 12 * itemsize)))
    return replace(
        layer_of(2, 2, channels, 32, itemsize),
        reach=draw(st.integers(1, 4)),
        square_sum=draw(st.booleans()),
        multiply=draw(st.booleans()),
        in_offset=draw(exact.signed(8 * itemsize)),
        in_scale=draw(exact.signed(16)),
        in_shift=draw(st.integers(0, 31)),
        out_offset=draw(exact.signed(25 if itemsize == 1 else 32)),
        out_scale=draw(exact.signed(16)),
        out_shift=draw(st.integers(0, 63)),
        lut=lut,
    )


@settings(max_examples=60)
@given(layers(), st.integers(0, 9))
def test_every_element(layer: CdpLayer, seed: int) -> None:
    """Unused lanes count as 0, but are written: they see the channels beside them."""
    bench, counters, clamped = Bench(seed=seed), {}, 0
    reference(FULL, layer, bench.ports, counters)
    lanes = -(-layer.channels * layer.itemsize // 32) * 32 // layer.itemsize
    for c, y, x in np.ndindex(lanes, layer.height, layer.width):
        expected, clamp = normalised(layer, bench, 32, c, y, x)
        assert bench.element(layer.destination, 32, layer.itemsize, c, y, x) == expected, (c, y, x)
        clamped += clamp
    assert counters.pop("CDP.D_OUT_SATURATION") == clamped
    assert sum(counters.values()) == lanes * layer.height * layer.width
    assert set(counters) == {
        f"CDP.D_PERF_LUT_{name}" for name in ("UFLOW", "OFLOW", "HYBRID", "LE_HIT", "LO_HIT")
    }


@pytest.mark.parametrize("itemsize", [1, 2])
def test_the_largest_square_sum(itemsize: int) -> None:
    """Nine times (-2^8)^2 or (-2^16)^2, which both tables must take as it is."""
    bench = Bench()
    largest = 9 << 16 * itemsize
    line = Slope(largest - 5, 1, 0)  # x - base = 5 on top of the last entry
    table = Table(np.zeros(257, np.int16), -1, False, 0, 0, line, line)
    layer = replace(layer_of(1, 1, 32, 32, itemsize), reach=4, multiply=False, in_scale=2)
    layer = replace(layer, lut=Lut(replace(table, entries=np.zeros(65, np.int16)), table, True, True, True))
    bench.areas[SOURCE].view(f"<i{itemsize}")[:] = -1 << 8 * itemsize - 1
    reference(FULL, layer, bench.ports, {})
    assert bench.element(layer.destination, 32, itemsize, 10, 0, 0) == 5


def test_one_pixel_of_one_channel_and_8192_wide() -> None:
    for width, last in ((1, 0), (8192, 8191)):
        bench, layer = Bench(), replace(layer_of(width, 1, 1, 8), out_shift=7)
        before = bench.areas[DESTINATION].copy()
        reference(SMALL, layer, bench.ports, {})
        for c in (0, 1, 7):
            assert (
                bench.element(layer.destination, 8, 1, c, 0, last)
                == normalised(layer, bench, 8, c, 0, last)[0]
            )
        assert np.array_equal(bench.areas[DESTINATION][width * 8 :], before[width * 8 :])


def test_nothing_is_written_outside() -> None:
    bench, layer = Bench(), layer_of(4, 4, 8, 8)
    before = bench.areas[DESTINATION].copy()
    outside = replace(layer.destination, address=DESTINATION + (1 << 16) - 8)
    with pytest.raises(ProgramError, match="leaves the mapped memory"):
        reference(SMALL, replace(layer, destination=outside), bench.ports, {})
    assert np.array_equal(bench.areas[DESTINATION], before)


# --- register programs ---


def decoded(config: str, read_precision: int = 0, **fields: int) -> CdpLayer:
    """A packed 2x2x4 cube."""
    chip = CONFIGS[config]
    shift = 5 if config == "nv_full" else 0
    strides = {"LINE": 2 * chip.atom >> shift, "SURFACE": 4 * chip.atom >> shift}
    core = registers(
        chip, "CDP", **({f"D_DST_{n}_STRIDE__DST_{n}_STRIDE": s for n, s in strides.items()} | fields)
    )
    read = registers(
        chip,
        "CDP_RDMA",
        **{f"D_SRC_{n}_STRIDE__SRC_{n}_STRIDE": s for n, s in strides.items()},
        D_DATA_CUBE_WIDTH__WIDTH=1,
        D_DATA_CUBE_HEIGHT__HEIGHT=1,
        D_DATA_CUBE_CHANNEL__CHANNEL=3,
        D_DATA_FORMAT__INPUT_DATA=read_precision,
    )
    return decode(chip, core, read, LutTables(registers=registers(chip, "CDP")))


def test_decodes_signs_and_widths() -> None:
    offsets = {"D_DATIN_OFFSET__DATIN_OFFSET": 0x180, "D_DATOUT_OFFSET__DATOUT_OFFSET": 0x0100_0000}
    layer = decoded("nv_full", **offsets, D_LRN_CFG__NORMALZ_LEN=3, D_FUNC_BYPASS__MUL_BYPASS=1)
    assert (layer.in_offset, layer.out_offset) == (-128, -(1 << 24))
    assert (layer.reach, layer.square_sum, layer.multiply) == (4, True, False)
    assert layer.destination == Surface(0, 64, 128, 0)
    layer = decoded("nv_full", 1, **offsets, D_DATA_FORMAT__INPUT_DATA_TYPE=1)
    assert (layer.in_offset, layer.out_offset) == (0x180, 1 << 24)


@pytest.mark.parametrize(
    ("config", "fields", "message"),
    [
        ("nv_full", {"D_DATA_FORMAT__INPUT_DATA_TYPE": 1}, "INPUT_DATA: CDP_RDMA has 0, CDP 1"),
        ("nv_full", {"D_DATA_FORMAT__INPUT_DATA_TYPE": 3, "read_precision": 3}, "INPUT_DATA_TYPE = reserved"),
        ("nv_small", {"D_DATA_FORMAT__INPUT_DATA_TYPE": 1, "read_precision": 1}, "nv_small has only INT8"),
        ("nv_small", {"D_DST_LINE_STRIDE__DST_LINE_STRIDE": 15}, "the destination .* overlaps itself"),
    ],
)
def test_refuses(config: str, fields: dict[str, int], message: str) -> None:
    decoded(config)
    with pytest.raises(ProgramError, match=message):
        decoded(config, **fields)


def test_fp16_is_told_apart_from_nonsense() -> None:
    with pytest.raises(UnsupportedError, match="does not run fp16 yet"):
        decoded("nv_full", 2, D_DATA_FORMAT__INPUT_DATA_TYPE=2)
