"""A cube's place in memory."""

from __future__ import annotations

from dataclasses import dataclass

from nvdla_sim.hw.formats import feature_extent, feature_view
from nvdla_sim.hw.memory import Bytes, Ports


@dataclass(frozen=True)
class Surface:
    """Where a cube lies: address, bytes from line to line and from surface to surface, RAM type."""

    address: int
    line_stride: int
    surf_stride: int
    ram_type: int

    def view(self, ports: Ports, surfaces: int, height: int, width: int, atom: int, offset: int = 0) -> Bytes:
        """Writable uint8 [surface, y, x, byte of the atom], ``offset`` bytes behind ``address``.

        ``ProgramError`` when any byte of the cube's extent is not mapped.
        """
        shape = (surfaces * atom, height, width, atom, self.line_stride, self.surf_stride)
        raw = ports.port(self.ram_type).view(self.address + offset, feature_extent(*shape))
        return feature_view(raw, *shape)

    def overlaps_itself(self, surfaces: int, height: int, width: int, atom: int) -> bool:
        """Whether two elements of the cube share a byte: lines and surfaces may interleave, not collide."""
        steps = sorted((s, n) for s, n in ((self.line_stride, height), (self.surf_stride, surfaces)) if n > 1)
        span = width * atom
        for stride, count in steps:
            if stride < span:
                return True
            span += stride * (count - 1)
        return False
