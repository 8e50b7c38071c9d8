"""Memory and register programs for the tests of single engines."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.hw.config import Config
from nvdla_sim.hw.memory import Memory, Ports
from nvdla_sim.hw.registers import register_map
from nvdla_sim.hw.surface import Surface

SOURCE, OPERANDS, DESTINATION = 0x100_0000, 0x200_0000, 0x400_0000


@dataclass
class Bench:
    """A chip's DRAM with random bytes at three places, and access to single elements of it."""

    size: int = 1 << 16
    seed: int = 0
    areas: dict[int, NDArray[np.uint8]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ports = Ports(Memory(), Memory())
        for base in (SOURCE, OPERANDS, DESTINATION):
            numbers = np.random.default_rng((self.seed, base))
            self.areas[base] = numbers.integers(0, 256, self.size, np.uint8)
            self.ports.dram.map(base, self.areas[base])

    def at(self, address: int, itemsize: int) -> int:
        """The signed element at an address."""
        base = max(base for base in self.areas if base <= address)
        raw = self.areas[base][address - base : address - base + itemsize]
        return int.from_bytes(raw.tobytes(), "little", signed=True)

    def element(self, surface: Surface, atom: int, itemsize: int, c: int, y: int, x: int) -> int:
        """The element (c, y, x) of a feature cube."""
        surf, lane = divmod(c * itemsize, atom)
        offset = surf * surface.surf_stride + y * surface.line_stride + x * atom + lane
        return self.at(surface.address + offset, itemsize)


def packed(base: int, height: int, width: int, atom: int) -> Surface:
    """A cube in DRAM without gaps."""
    return Surface(base, width * atom, height * width * atom, 1)


def registers(config: Config, unit: str, **fields: int) -> dict[str, int]:
    """A unit's fields, 0 but for those given as ``REGISTER__FIELD``."""
    values = {f"{name}.{f}": 0 for name, r in register_map(config).unit(unit).items() for f in r.fields}
    for name, value in fields.items():
        key = name.replace("__", ".")
        assert key in values, key
        values[key] = value
    return values
