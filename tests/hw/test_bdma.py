from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvdla_sim.errors import ProgramError, UnsupportedError
from nvdla_sim.hw.bdma import BdmaLayer, Copy, decode, reference
from nvdla_sim.hw.config import CONFIGS
from nvdla_sim.hw.memory import Memory, Ports
from nvdla_sim.hw.surface import Surface
from tests.hw.layer_case import registers

FULL = CONFIGS["nv_full"]
SIZE = 1 << 14


def memory() -> tuple[Ports, tuple[np.ndarray, np.ndarray]]:
    """Both memories, SRAM (RAM type 0) and DRAM (1), with random bytes at address 0."""
    ports = Ports(Memory(), Memory())
    areas = np.random.default_rng(1).integers(0, 256, (2, SIZE), np.uint8)
    ports.sram.map(0, areas[0])
    ports.dram.map(0, areas[1])
    return ports, (areas[0], areas[1])


def sides(lines: int, line_bytes: int) -> st.SearchStrategy[Surface]:
    def build(address: int, gap: int, surf_gap: int, ram_type: int) -> Surface:
        line = line_bytes + 32 * gap
        return Surface(32 * address, line, line * lines + 32 * surf_gap, ram_type)

    return st.builds(build, st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.integers(0, 1))


@st.composite
def copies(draw: st.DrawFn) -> Copy:
    lines, surfaces, line_bytes = (
        draw(st.integers(1, 5)),
        draw(st.integers(1, 4)),
        32 * draw(st.integers(1, 4)),
    )
    side = sides(lines, line_bytes)
    return Copy(line_bytes, lines, surfaces, draw(side), draw(side))


@given(st.lists(copies(), min_size=1, max_size=3))
def test_copies_follow_each_other(done: list[Copy]) -> None:
    ports, areas = memory()
    expected = [area.copy() for area in areas]
    for copy in done:
        before = [area.copy() for area in expected]
        for s, line in np.ndindex(copy.surfaces, copy.lines):
            first, last = (
                place.address + s * place.surf_stride + line * place.line_stride
                for place in (copy.source, copy.destination)
            )
            taken = before[copy.source.ram_type][first : first + copy.line_bytes]
            expected[copy.destination.ram_type][last : last + copy.line_bytes] = taken
    reference(FULL, BdmaLayer(tuple(done)), ports)
    assert all(np.array_equal(got, wanted) for got, wanted in zip(areas, expected, strict=True))


def test_nothing_is_written_when_a_later_copy_is_outside() -> None:
    ports, areas = memory()
    before = areas[1].copy()
    good = Copy(32, 1, 1, Surface(0, 0, 0, 0), Surface(0, 0, 0, 1))
    outside = Copy(32, 2, 1, Surface(0, 0, 0, 0), Surface(SIZE - 32, 32, 0, 1))
    with pytest.raises(ProgramError, match="leaves the mapped memory"):
        reference(FULL, BdmaLayer((good, outside)), ports)
    assert np.array_equal(areas[1], before)


def descriptor(**changes: int) -> dict[str, int]:
    fields = {
        "CFG_SRC_ADDR_LOW__V32": 1,
        "CFG_SRC_ADDR_HIGH__V8": 2,
        "CFG_CMD__SRC_RAM_TYPE": 1,
        "CFG_LINE__SIZE": 3,
        "CFG_LINE_REPEAT__NUMBER": 4,
        "CFG_SURF_REPEAT__NUMBER": 5,
        "CFG_SRC_LINE__STRIDE": 6,
        "CFG_SRC_SURF__STRIDE": 7,
        "CFG_DST_LINE__STRIDE": 4,
        "CFG_DST_SURF__STRIDE": 20,
    }
    return registers(FULL, "BDMA", **(fields | changes))


def test_decodes_units_of_32_bytes() -> None:
    source, destination = Surface(0x2_0000_0020, 192, 224, 1), Surface(0, 128, 640, 0)
    assert decode(FULL, [descriptor()]) == BdmaLayer((Copy(128, 5, 6, source, destination),))


@pytest.mark.parametrize(
    ("descriptors", "message"),
    [
        ([descriptor()] * 21, "21 descriptors, the queue holds 20"),
        ([descriptor(), descriptor(CFG_DST_LINE__STRIDE=3)], "descriptor 1: .* overlap each other"),
        ([descriptor(CFG_DST_SURF__STRIDE=19)], "descriptor 0: .* overlap each other"),
    ],
    ids=["queue", "lines", "surfaces"],
)
def test_refuses(descriptors: list[dict[str, int]], message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        decode(FULL, descriptors)


def test_exists_in_nv_full_only() -> None:
    with pytest.raises(UnsupportedError, match="nv_large has no BDMA engine"):
        decode(CONFIGS["nv_large"], [])
