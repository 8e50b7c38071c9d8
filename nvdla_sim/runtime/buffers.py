"""The memories of a loadable, allocated and filled as NVIDIA's runtime does it.

All lie in one arena, so that a cube may run over from one buffer into the next as on the real stack;
nothing outside the arena is ever read or written. Buffers lie from 0x8000_0000 upwards in pages, in the
order in which NVIDIA's runtime allocates them: those of no input or output by id, inputs, outputs.

Source: compiler-facts 1.5; the bus addresses equal those recorded on the real stack.
"""

from __future__ import annotations

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
        self.fill()

    def fill(self) -> None:
        """Put every buffer into its first state: the loadable's contents, 0 elsewhere."""
        self._arena[:] = 0
        for memory in self._loadable.memories:
            if memory.flags & MemoryFlags.SET and memory.id in self._bases:
                raw = self.view(memory.id)
                for name, offset in zip(memory.contents, memory.offsets, strict=True):
                    data = self._loadable.blob(name).data
                    raw[offset : offset + data.size] = data

    def view(self, memory_id: int) -> Bytes:
        """The bytes of one memory."""
        size = self._loadable.memories[memory_id].size
        return self.ports.dram.view(self.base(memory_id), size)

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
