"""A cube's place in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.hw.formats import feature_extent, feature_view
from nvdla_sim.hw.memory import Bytes, Ports


@dataclass(frozen=True)
class Surface:
    """Where a cube lies: address, bytes from line to line and from surface to surface, RAM type."""

    address: int
    line_stride: int
    surf_stride: int
    ram_type: int

    def __str__(self) -> str:
        return f"0x{self.address:x} (lines {self.line_stride} bytes apart, surfaces {self.surf_stride})"

    def view(self, ports: Ports, surfaces: int, height: int, width: int, atom: int, offset: int = 0) -> Bytes:
        """Writable uint8 [surface, y, x, byte of the atom], ``offset`` bytes behind ``address``.

        ``ProgramError`` when any byte of the cube's extent is not mapped.
        """
        shape = (surfaces * atom, height, width, atom, self.line_stride, self.surf_stride)
        raw = ports.port(self.ram_type).view(self.address + offset, feature_extent(*shape))
        return feature_view(raw, *shape)

    def read(
        self, ports: Ports, surfaces: int, height: int, width: int, atom: int, itemsize: int
    ) -> NDArray[np.int64]:
        """The cube's signed values, int64 [lane, y, x]: all lanes of all atoms, used or not."""
        items = self.view(ports, surfaces, height, width, atom).view(f"<i{itemsize}")
        return items.transpose(0, 3, 1, 2).reshape(-1, height, width).astype(np.int64)

    def write(
        self, ports: Ports, values: NDArray[np.int64], atom: int, itemsize: int, offset: int = 0
    ) -> None:
        """Write int64 [lane, y, x], whole atoms of values that fit their items; the inverse of ``read``."""
        lanes, height, width = values.shape
        per_atom = atom // itemsize
        view = self.view(ports, lanes // per_atom, height, width, atom, offset)
        view.view(f"<i{itemsize}")[:] = values.reshape(-1, per_atom, height, width).transpose(0, 2, 3, 1)

    def overlaps_itself(self, surfaces: int, height: int, width: int, atom: int) -> bool:
        """Whether two elements of the cube share a byte: lines and surfaces may interleave, not collide."""
        return overlaps(width * atom, (self.line_stride, height), (self.surf_stride, surfaces))


def overlaps(run: int, *steps: tuple[int, int]) -> bool:
    """Whether two of the runs of ``run`` bytes, repeated by nested (stride in bytes, count), share a byte."""
    for stride, count in sorted(step for step in steps if step[1] > 1):
        if stride < run:
            return True
        run += stride * (count - 1)
    return False
