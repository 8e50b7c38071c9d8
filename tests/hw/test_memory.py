from __future__ import annotations

import numpy as np
import pytest

from nvdla_sim.errors import ProgramError
from nvdla_sim.hw.memory import BLOCK, Memory


def test_a_view_is_the_memory_itself():
    memory = Memory()
    buffer = np.zeros(64, np.uint8)
    memory.map(0x1000, buffer)
    memory.view(0x1010, 4)[:] = 7
    assert buffer.tolist() == [0] * 16 + [7] * 4 + [0] * 44


@pytest.mark.parametrize(
    ("address", "size"),
    [(0xFFF, 1), (0xFFF, 2), (0x1000, 65), (0x1040, 1), (0x1000, -1), (-1, 1), (1 << 64, 1)],
)
def test_nothing_outside_is_seen(address: int, size: int):
    memory = Memory()
    memory.map(0x1000, np.zeros(64, np.uint8))
    with pytest.raises(ProgramError, match=r"leaves the mapped memory \(0x1000..0x1040\)"):
        memory.view(address, size)


@pytest.mark.parametrize("base", [0xFC1, 0x1000, 0x103F, -1, (1 << 64) - 63])
def test_ranges_do_not_overlap_and_have_64_bit_addresses(base: int):
    memory = Memory()
    memory.map(0x1000, np.zeros(64, np.uint8))
    with pytest.raises(ProgramError, match=r"overlaps memory mapped before|does not fit a 64-bit address"):
        memory.map(base, np.zeros(64, np.uint8))


def test_neighbours_are_mapped_but_no_view_crosses_them():
    memory = Memory()
    for base in (0x1040, 0xFC0, 0x1000):
        memory.map(base, np.zeros(64, np.uint8))
    with pytest.raises(ProgramError):
        memory.view(0x103F, 2)


def test_memory_on_demand_keeps_what_it_holds():
    memory = Memory(grow_limit=8 * BLOCK)
    memory.map(BLOCK + 100, np.arange(50, dtype=np.uint8))
    memory.view(3 * BLOCK, 4)[:] = 9
    assert memory.view(BLOCK + 98, 4).tolist() == [0, 0, 0, 1]
    assert memory.view(2 * BLOCK - 1, BLOCK + 3).tolist() == [0] * (BLOCK + 1) + [9, 9]
    assert memory.view(BLOCK + 148, 4).tolist() == [48, 49, 0, 0]


def test_memory_on_demand_has_its_limit():
    memory = Memory(grow_limit=3 * BLOCK)
    memory.view(0, BLOCK + 1)
    memory.view(10 * BLOCK, 1)
    for address, size in ((20 * BLOCK, 1), (0, 1 << 62), ((1 << 64) - 1, 2)):
        with pytest.raises(ProgramError, match="leaves the mapped memory"):
            memory.view(address, size)


def test_small_steps_share_blocks(monkeypatch: pytest.MonkeyPatch):
    memory = Memory(grow_limit=4 * BLOCK)
    grown = 0
    grow = Memory._grow

    def counting(self: Memory, address: int, size: int) -> bool:
        nonlocal grown
        grown += 1
        return grow(self, address, size)

    monkeypatch.setattr(Memory, "_grow", counting)
    for address in range(2 * BLOCK, 0, -64):
        memory.view(address - 64, 64)
    assert grown == 2
