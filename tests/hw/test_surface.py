from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvdla_sim.errors import ProgramError
from nvdla_sim.hw.memory import Memory, Ports
from nvdla_sim.hw.surface import Surface, overlaps

BASE = 0x8000_0000


def memory(size: int) -> tuple[Ports, np.ndarray]:
    dram = np.zeros(size, np.uint8)
    ports = Ports(Memory(), Memory())
    ports.dram.map(BASE, dram)
    return ports, dram


@pytest.mark.parametrize("itemsize", [1, 2])
def test_elements_lie_where_the_format_says(itemsize: int) -> None:
    atom, line, surf = 8, 40, 200
    ports, dram = memory(1000)
    surface = Surface(BASE + 16, line, surf, ram_type=1)
    values = np.arange(2 * atom // itemsize * 3 * 4).reshape(-1, 3, 4) - 100
    surface.write(ports, values, atom, itemsize)
    per_atom = atom // itemsize
    for (c, y, x), value in np.ndenumerate(values):
        at = 16 + c // per_atom * surf + y * line + x * atom + c % per_atom * itemsize
        assert int.from_bytes(dram[at : at + itemsize].tobytes(), "little", signed=True) == value
    assert np.array_equal(surface.read(ports, 2, 3, 4, atom, itemsize), values)
    written = values.size * itemsize
    assert np.count_nonzero(dram) <= written, "gaps between lines were written"


def test_a_cube_may_end_at_the_last_byte_and_not_one_later() -> None:
    ports, _ = memory(8 + 2 * 32)
    Surface(BASE + 8, 32, 0, 1).view(ports, 1, 2, 4, 8)
    with pytest.raises(ProgramError, match="leaves the mapped memory"):
        Surface(BASE + 16, 32, 0, 1).view(ports, 1, 2, 4, 8)
    with pytest.raises(ProgramError, match="nothing is mapped"):
        Surface(BASE + 8, 32, 0, ram_type=0).view(ports, 1, 2, 4, 8)


@given(
    st.integers(1, 6),
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 4)), min_size=1, max_size=3),
)
def test_what_does_not_overlap_writes_no_byte_twice(run: int, steps: list[tuple[int, int]]) -> None:
    starts = np.zeros(1, int)
    for stride, count in steps:
        starts = (starts[:, None] + stride * np.arange(count)).ravel()
    used = (starts[:, None] + np.arange(run)).ravel()
    if len(set(used.tolist())) < used.size:
        assert overlaps(run, *steps)


def test_lines_and_surfaces_may_interleave() -> None:
    assert not Surface(0, line_stride=96, surf_stride=32, ram_type=1).overlaps_itself(3, 5, 4, 8)
    assert Surface(0, line_stride=95, surf_stride=32, ram_type=1).overlaps_itself(3, 5, 4, 8)
    assert not Surface(0, line_stride=0, surf_stride=0, ram_type=1).overlaps_itself(1, 1, 4, 8)
