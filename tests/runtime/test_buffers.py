"""Where buffers lie, and how they get back into their first state."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvdla_sim.errors import LoadableError, UnsupportedError
from nvdla_sim.loadable.enums import Domain, MemoryFlags
from nvdla_sim.loadable.loadable import Address, Blob, Loadable, MemoryEntry, Task
from nvdla_sim.runtime.buffers import BASE_ADDRESS, MAX_ARENA, Buffers

ALLOC, SET, INPUT, OUTPUT = MemoryFlags.ALLOC, MemoryFlags.SET, MemoryFlags.INPUT, MemoryFlags.OUTPUT
CONTENT = np.arange(1, 101, dtype=np.uint8)


def loadable() -> Loadable:
    memories = [
        MemoryEntry(0, Domain.SYSTEM, ALLOC, 100),
        MemoryEntry(1, Domain.SYSTEM, ALLOC | OUTPUT, 4097),
        MemoryEntry(2, Domain.SYSTEM, ALLOC | INPUT, 10),
        MemoryEntry(3, Domain.SYSTEM, ALLOC | SET, 5000, 4096, ["weights"], [4500]),
        MemoryEntry(4, Domain.SYSTEM, MemoryFlags.NONE, 8),
    ]
    addresses = [Address(i, i, 16 * (i == 3), m.size) for i, m in enumerate(memories)]
    return Loadable(memories=memories, addresses=addresses, blobs=[Blob("weights", 0, 0, (0, 0, 0), CONTENT)])


TASK = Task(0, 1, address_list=[0, 3, 2, 1, 4])


def test_order_of_allocation() -> None:
    """Others by id, then inputs, then outputs, each at a page."""
    buffers = Buffers(loadable())
    pages = {memory: (buffers.base(memory) - BASE_ADDRESS) / 4096 for memory in (0, 3, 2, 1)}
    assert pages == {0: 0, 3: 1, 2: 3, 1: 4}
    memory = buffers.ports.dram.view(buffers.base(3), 5000)
    assert not memory[:4500].any()
    np.testing.assert_array_equal(memory[4500:4600], CONTENT)


def test_locate() -> None:
    buffers = Buffers(loadable())
    assert buffers.locate(TASK, 1, 5) == buffers.base(3) + 16 + 5
    for index in (-1, 5):
        with pytest.raises(
            LoadableError, match=f"task 0 uses entry {index} of its address list, which has 5"
        ):
            buffers.locate(TASK, index, 0)
    with pytest.raises(LoadableError, match="memory 4 is used, but neither bound nor allocated"):
        buffers.locate(TASK, 4, 0)


@given(st.lists(st.tuples(st.integers(0, 8000), st.integers(0, 3000)), max_size=6))
@settings(max_examples=100, deadline=None)
def test_first_state(extents: list[tuple[int, int]]) -> None:
    """Extents get back zeros and contents; all other bytes keep what they have."""
    buffers = Buffers(loadable())
    arena = buffers.ports.dram.view(BASE_ADDRESS, 6 * 4096)
    first = arena.copy()
    restore = buffers.first_state([(BASE_ADDRESS + start, size) for start, size in extents])
    for _ in range(2):
        arena[:] = 0x55
        restore()
        expected = np.full(arena.size, 0x55, np.uint8)
        for start, size in extents:
            expected[start : start + size] = first[start : start + size]
        np.testing.assert_array_equal(arena, expected)


def test_memory_is_limited() -> None:
    big = loadable()
    big.memories[0].size = MAX_ARENA
    with pytest.raises(LoadableError, match=f"at most {MAX_ARENA} are possible"):
        Buffers(big)


def test_other_memory_is_refused() -> None:
    other = loadable()
    other.memories[0].domain = Domain.SRAM
    with pytest.raises(UnsupportedError, match="memory 0 is in SRAM"):
        Buffers(other)
