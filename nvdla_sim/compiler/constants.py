"""The memory of constants: weights and operands, laid down one after the other.

The runtime copies any number of contents into a memory, so bytes that repeat are stored once and listed as
often as they come: the convolution with ones that takes an average has the same weights at every tap.

Source: compiler-facts section 1.5 ("Load").
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from nvdla_sim.compiler.allocate import ALIGNMENT
from nvdla_sim.compiler.encode import Bytes, Place
from nvdla_sim.hw.formats import round_up

MAX_TIMES = 1024  # a content is repeated: as many taps as a kernel can have
LISTED = 12  # bytes that each further mention of a content takes in the file
LEAST = 4096  # bytes that must be saved


class Content(NamedTuple):
    """``data`` at ``offset`` of the memory, ``times`` times behind each other."""

    offset: int
    data: Bytes
    times: int = 1


class Constants:
    """Constants in the memory number ``memory``; equal ones are there once. ``size``: bytes so far."""

    def __init__(self, memory: int) -> None:
        self.memory = memory
        self.size = 0
        self._pieces: dict[bytes, Content] = {}  # by digest, in the order of their offsets

    def place(self, data: Bytes) -> Place:
        digest = hashlib.sha256(data.data).digest()
        if digest not in self._pieces:
            offset = round_up(self.size, ALIGNMENT)
            self._pieces[digest] = Content(offset, data)
            self.size = offset + data.size
        return self.memory, self._pieces[digest].offset

    def contents(self) -> Iterator[Content]:
        """What fills the memory from its first byte to its last: gaps between the constants are zeros."""
        start = 0
        for offset, data, _ in self._pieces.values():
            unit = repeated_unit(data)
            if unit < data.size:
                if start < offset:
                    yield self._joined(start, offset)
                yield Content(offset, data[:unit], data.size // unit)
                start = offset + data.size
        if start < self.size:
            yield self._joined(start, self.size)

    def _joined(self, start: int, stop: int) -> Content:
        """The constants from byte ``start`` to byte ``stop``."""
        joined = np.zeros(stop - start, np.uint8)
        for offset, data, _ in self._pieces.values():
            if start <= offset < stop:
                joined[offset - start : offset - start + data.size] = data
        return Content(start, joined)


def repeated_unit(data: Bytes) -> int:
    """How many of its first bytes give ``data`` when they are repeated; all where that saves little."""
    parts = [(times, data.size // times) for times in range(2, MAX_TIMES + 1) if data.size % times == 0]
    costs = sorted((unit + LISTED * times, unit) for times, unit in parts)
    small = (unit for cost, unit in costs if cost < data.size - LEAST)
    return next((unit for unit in small if _repeats(data, unit)), data.size)


def _repeats(data: Bytes, unit: int) -> bool:
    few = slice(unit, unit + 64)  # most differ there already
    return np.array_equal(data[few], data[: data[few].size]) and np.array_equal(data[unit:], data[:-unit])
