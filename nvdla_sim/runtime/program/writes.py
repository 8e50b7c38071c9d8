"""The register writes of one operation, gathered in order together with what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nvdla_sim.errors import ProgramError
from nvdla_sim.hw.config import Config
from nvdla_sim.hw.registers import register_map
from nvdla_sim.loadable.enums import MemType

Descriptor = Any  # a descriptor's fields as attributes (runtime/task.py)


class Writes:
    """``writes`` is the list of (byte address, value) so far; ``problems`` what the firmware would refuse.

    ``locate`` gives a cube's bus address: ``locate(address list index, offset in bytes)``.
    """

    def __init__(self, config: Config, locate: Callable[[int, int], int]) -> None:
        self.config = config
        self.writes: list[tuple[int, int]] = []
        self.problems: list[str] = []
        self.locate = locate
        self._map = register_map(config)

    def require(self, condition: bool, problem: str) -> None:
        """Note ``problem`` unless ``condition`` holds."""
        if not condition:
            self.problems.append(problem)

    def fields(self, unit: str, register: str, **fields: int) -> None:
        """Write a register field by field; fields not named are 0."""
        try:
            self.word(unit, register, self._map.encode(unit, register, fields))
        except ProgramError as problem:
            self.problems.append(str(problem))

    def word(self, unit: str, register: str, value: int) -> None:
        """Write a whole register; of a wider or negative number its low 32 bits."""
        self.writes.append((self._map.address(unit, register), value & 0xFFFFFFFF))

    def unmask_interrupts(self) -> None:
        """Let every done interrupt through."""
        self.word("GLB", "S_INTR_MASK", 0)

    def address(self, cube: Descriptor) -> int:
        """The bus address of a cube in memory."""
        return self.locate(cube.address, cube.offset)

    def base(self, unit: str, name: str, cube: Descriptor, high_first: bool = False) -> None:
        """Write a cube's address to ``D_<name>_LOW`` and ``D_<name>_HIGH``."""
        address = self.address(cube)
        words = [(f"D_{name}_LOW", address), (f"D_{name}_HIGH", address >> 32)]
        for register, value in reversed(words) if high_first else words:
            self.word(unit, register, value)


def ram_type(cube: Descriptor) -> int:
    """The RAM_TYPE field for a cube's memory: 1 DRAM, 0 SRAM."""
    return 1 if cube.type == MemType.MC else 0
