"""Bounds-checked address spaces: what the chip's two memory ports see."""

from __future__ import annotations

import bisect
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.errors import ProgramError

Bytes = NDArray[np.uint8]

BLOCK = 1 << 20  # bytes: what is mapped on demand is whole blocks


class Memory:
    """One port's address space: mapped byte ranges that never overlap.

    Every access names its first address and its size and gets a view of the mapped bytes, or a
    ``ProgramError`` when any byte of it is not mapped: nothing outside is ever read or written.

    ``grow_limit``: bytes that may be mapped on demand, in whole blocks of zeros (a register trace names its
    inputs only, and the chip's model reads 0 elsewhere); 0 maps nothing on demand. Growing may move bytes
    that were mapped before, so a view is for immediate use unless ``grow_limit`` is 0.
    """

    def __init__(self, grow_limit: int = 0) -> None:
        self._bases: list[int] = []
        self._buffers: list[Bytes] = []
        self._grow_left = grow_limit

    def map(self, base: int, buffer: Bytes) -> None:
        """Make ``buffer`` (uint8, contiguous; used, not copied) visible at addresses from ``base`` on."""
        if base < 0 or base + buffer.size > 1 << 64:
            raise ProgramError(f"memory at 0x{base:x} of {buffer.size} bytes does not fit a 64-bit address")
        at = bisect.bisect_right(self._bases, base)
        if (at > 0 and self._end(at - 1) > base) or (
            at < len(self._bases) and base + buffer.size > self._bases[at]
        ):
            raise ProgramError(f"memory at 0x{base:x} of {buffer.size} bytes overlaps memory mapped before")
        self._bases.insert(at, base)
        self._buffers.insert(at, buffer)

    def view(self, address: int, size: int) -> Bytes:
        """The ``size`` bytes from ``address`` on, as a view that reads and writes the memory itself."""
        at = bisect.bisect_right(self._bases, address) - 1
        if size >= 0 and at >= 0 and address + size <= self._end(at):
            start = address - self._bases[at]
            return self._buffers[at][start : start + size]
        if size < 0 or not self._grow(address, size):
            raise ProgramError(
                f"access to {size} bytes at 0x{address:x} leaves the mapped memory ({self._mapped()})"
            )
        return self.view(address, size)

    def _end(self, at: int) -> int:
        return self._bases[at] + self._buffers[at].size

    def _grow(self, address: int, size: int) -> bool:
        """Map the blocks around [address, address + size) and every range they touch, in one new buffer.

        Blocks, so that many small steps do not copy the whole each time.
        """
        first, last = address // BLOCK * BLOCK, -(-(address + size) // BLOCK) * BLOCK
        touched = [i for i in range(len(self._bases)) if self._bases[i] <= last and first <= self._end(i)]
        base = min([first, *(self._bases[i] for i in touched)])
        end = max([last, *(self._end(i) for i in touched)])
        added = end - base - sum(self._buffers[i].size for i in touched)
        if added > self._grow_left or base < 0 or end > 1 << 64:
            return False
        self._grow_left -= added
        merged = np.zeros(end - base, np.uint8)
        for i in touched:
            merged[self._bases[i] - base : self._end(i) - base] = self._buffers[i]
        for i in reversed(touched):
            del self._bases[i], self._buffers[i]
        self.map(base, merged)
        return True

    def _mapped(self) -> str:
        ranges = [f"0x{b:x}..0x{b + m.size:x}" for b, m in zip(self._bases, self._buffers, strict=True)]
        if len(ranges) > 6:
            ranges[3:-3] = [f"{len(ranges) - 6} more"]
        return ", ".join(ranges) or "nothing is mapped"


class Ports(NamedTuple):
    """The chip's two memory ports."""

    dram: Memory
    sram: Memory

    def port(self, ram_type: int) -> Memory:
        """The memory that a RAM_TYPE register field selects: 1 is DRAM (MC), 0 the on-chip SRAM (CV)."""
        return self.dram if ram_type else self.sram
