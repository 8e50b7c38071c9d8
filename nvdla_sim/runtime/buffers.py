"""The memories of a loadable, allocated and filled as NVIDIA's runtime does it.

All lie in one arena, so that a cube may run over from one buffer into the next as on the real stack;
nothing outside the arena is ever read or written. Buffers lie from 0x8000_0000 upwards in pages, in the
order in which NVIDIA's runtime allocates them: those of no input or output by id, inputs, outputs.

Source: compiler-facts 1.5; the bus addresses equal those recorded on the real stack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from nvdla_sim.errors import LoadableError, UnsupportedError
from nvdla_sim.hw.formats import round_up
from nvdla_sim.hw.memory import Bytes, Memory, Ports
from nvdla_sim.loadable.enums import Domain, MemoryFlags
from nvdla_sim.loadable.loadable import Loadable, MemoryEntry, Task

BASE_ADDRESS = 0x8000_0000
PAGE = 4096
MAX_ARENA = 1 << 30  # bytes


class Buffers:
    """The buffers of one loadable; ``ports`` is what the chip sees of them (DRAM only)."""

    def __init__(self, loadable: Loadable) -> None:
        """``LoadableError`` or ``UnsupportedError`` when the memories cannot be had."""
        self._loadable = loadable
        self._bases: dict[int, int] = {}  # memory id -> bus address
        end = BASE_ADDRESS
        for memory in _allocation_order(loadable):
            self._bases[memory.id] = end
            end += round_up(max(memory.size, 1), PAGE)
        size = end - BASE_ADDRESS
        if size > MAX_ARENA:
            raise LoadableError(
                f"{loadable.name}: its memories take {size} bytes together, at most {MAX_ARENA} are possible"
            )
        self._arena: Bytes = np.zeros(size, np.uint8)
        dram = Memory()
        dram.map(BASE_ADDRESS, self._arena)
        self.ports = Ports(dram, Memory())
        self.contents = list(self._placed_contents())
        for address, data in self.contents:
            dram.view(address, data.size)[:] = data

    def first_state(self, extents: Iterable[tuple[int, int]]) -> Callable[[], None]:
        """What puts (bus address, bytes) extents back into the state that they have now."""
        merged: list[tuple[int, int]] = []  # first address, address behind the last
        for start, end in sorted((address, address + size) for address, size in extents):
            if merged and start <= merged[-1][1]:
                merged[-1] = merged[-1][0], max(end, merged[-1][1])
            else:
                merged.append((start, end))
        places = [self.ports.dram.view(start, end - start) for start, end in merged]
        states = [place.copy() if place.any() else np.uint8(0) for place in places]

        def restore() -> None:
            for place, state in zip(places, states, strict=True):
                place[:] = state

        return restore

    def _placed_contents(self) -> Iterator[tuple[int, Bytes]]:
        """Bus address and bytes of everything that the loadable brings."""
        blobs = {blob.name: blob.data for blob in self._loadable.blobs}
        for memory in self._loadable.memories:
            if memory.flags & MemoryFlags.SET and memory.id in self._bases:
                for name, offset in zip(memory.contents, memory.offsets, strict=True):
                    yield self._bases[memory.id] + offset, blobs[name]

    def places(self) -> Iterator[tuple[int, MemoryEntry]]:
        """Every memory that there is, with the bus address of its first byte."""
        return ((self._bases[m.id], m) for m in self._loadable.memories if m.id in self._bases)

    def base(self, memory_id: int) -> int:
        """The bus address of a memory's first byte; ``LoadableError`` when it is not allocated."""
        try:
            return self._bases[memory_id]
        except KeyError:
            raise LoadableError(
                f"{self._loadable.name}: memory {memory_id} is used, but neither bound nor allocated"
            ) from None

    def locate(self, task: Task, index: int, offset: int) -> int:
        """The bus address of byte ``offset`` behind entry ``index`` of a task's address list."""
        if not 0 <= index < len(task.address_list):
            raise LoadableError(
                f"{self._loadable.name}: task {task.id} uses entry {index} of its address list, "
                f"which has {len(task.address_list)}"
            )
        address = self._loadable.addresses[task.address_list[index]]
        return self.base(address.mem_id) + address.offset + offset


def _allocation_order(loadable: Loadable) -> list[MemoryEntry]:
    for memory in loadable.memories:
        if memory.domain != Domain.SYSTEM:
            raise UnsupportedError(
                f"{loadable.name}: memory {memory.id} is in {Domain(memory.domain).name}; "
                "NVIDIA's runtime allocates system memory only"
            )
    bound = MemoryFlags.INPUT | MemoryFlags.OUTPUT
    return [
        *(m for m in loadable.memories if m.flags & MemoryFlags.ALLOC and not m.flags & bound),
        *bound_memories(loadable, MemoryFlags.INPUT),
        *bound_memories(loadable, MemoryFlags.OUTPUT),
    ]


def bound_memories(loadable: Loadable, direction: MemoryFlags) -> list[MemoryEntry]:
    """The memories of all network inputs or outputs in order of their bind id."""
    return sorted((m for m in loadable.memories if m.flags & direction), key=lambda m: m.bind_id)
