"""What all fuzz subjects share: other numbers and bytes, memory with guard pages, findings."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Protocol

import numpy as np

from nvdla_sim.hw.execute import reference_executor
from nvdla_sim.hw.formats import round_up
from nvdla_sim.hw.memory import Bytes
from tools.golden_programs import Engine

ENGINES = ("kernels", "reference")
_NO_ACCESS = 0  # PROT_NONE


class Finding(Exception):
    """A case ended otherwise than in the right bytes or in a clear error."""


class Case(Protocol):
    """One mutated input."""

    @property
    def seed(self) -> str:
        """What it was made of."""

    def play(self, engines: Sequence[str]) -> None:
        """Run by each engine and compare; ``NvdlaError`` when all refuse it, ``Finding`` when they differ."""

    def save(self, path: Path) -> Path:
        """Write what reproduces it to ``path`` plus an ending; what was written."""


class Subject(Protocol):
    """A kind of input."""

    def case(self, rng: Random) -> Case:
        """A mutation of a seed; the same for the same state of ``rng``."""


def executor_of(engine: str, portable: bool = False) -> Engine:
    """The references, or the kernels in the form for this CPU or in the portable one."""
    if engine == "reference":
        return reference_executor
    from nvdla_sim.hw.kernels.microkernel import best_isa, isa_named
    from nvdla_sim.hw.kernels.program import kernel_executor

    isa = isa_named("portable") if portable else best_isa()
    return lambda config, ports: kernel_executor(config, ports, isa)


def other_number(rng: Random, value: int, bits: int) -> int:
    """Another unsigned number of so many bits: near, far, of an extreme, or any."""
    match rng.randrange(9):
        case 0 | 1:
            value += rng.choice((-32, -16, -8, -4, -2, -1, 1, 2, 4, 8, 16, 32))
        case 2:
            value = rng.choice((value * 2, value // 2, value * 3, -value))
        case 3:
            value = rng.choice((0, 1, -1, -2, 1 << bits - 1, (1 << bits - 1) - 1))
        case 4:
            value = (1 << rng.randrange(bits)) + rng.randrange(-1, 2)
        case 5 | 6:
            value = rng.randrange(rng.choice((3, 5, 17, 65)))
        case 7:
            value = round_up(value + 1, 32)
        case 8:
            value = rng.getrandbits(bits)
    return value & (1 << bits) - 1


def other_bytes(rng: Random, data: bytearray | memoryview) -> None:
    """Change bytes in place: a few bits, or a run to random or extreme values."""
    if not len(data):
        return
    if rng.random() < 0.4:
        for _ in range(rng.randrange(1, 9)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        return
    first = rng.randrange(len(data))
    size = min(len(data) - first, rng.choice((1, 2, 4, 8, 64, 1 << 16)))
    pattern = rng.choice((rng.randbytes(size), bytes([rng.choice((0x00, 0x7F, 0x80, 0xFF))]) * size))
    data[first : first + size] = pattern


def cut_bytes(rng: Random, data: bytearray) -> bytearray:
    """The bytes cut short, or with a piece taken out or put in twice."""
    first, last = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return rng.choice((data[:last], data[:first] + data[last:], data[:last] + data[first:]))


def guarded(size: int) -> Bytes:
    """Zeroed bytes between two pages that nobody may touch: whoever leaves them by a byte ends the process.

    That holds before the first byte, and behind the last where ``size`` is whole pages.
    """
    page = mmap.PAGESIZE
    room = mmap.mmap(-1, round_up(size, page) + 2 * page)
    array = np.frombuffer(room, np.uint8)
    begin = array.ctypes.data
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    for guard in (begin, begin + array.size - page):
        if protect(ctypes.c_void_p(guard), ctypes.c_size_t(page), _NO_ACCESS):
            raise OSError(ctypes.get_errno(), "cannot protect a page")
    return array[page : page + size]
