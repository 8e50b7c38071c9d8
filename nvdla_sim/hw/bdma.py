"""BDMA: copies blocks of lines between and within the two memories. It exists in nv_full only.

Source: hardware-facts 5.4, checked against the chip's model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nvdla_sim.errors import UnsupportedError
from nvdla_sim.hw.config import Config
from nvdla_sim.hw.memory import Bytes, Ports
from nvdla_sim.hw.program import Group, Problems, Registers
from nvdla_sim.hw.surface import Surface

UNIT = 32  # bytes: lines are whole units
SLOTS = 20  # descriptors that can be queued


@dataclass(frozen=True)
class Copy:
    """One descriptor: ``surfaces`` x ``lines`` lines of ``line_bytes``."""

    line_bytes: int
    lines: int
    surfaces: int
    source: Surface
    destination: Surface


@dataclass(frozen=True)
class BdmaLayer:
    """The descriptors of one launched group, in order."""

    copies: tuple[Copy, ...]


def decode(config: Config, descriptors: Sequence[Registers]) -> BdmaLayer:
    """The copies that were queued (the CFG_* registers at each write of CFG_OP) for one launched group.

    Raises ``ProgramError`` for more than the queue holds and for lines that overlap each other,
    ``UnsupportedError`` where the chip has no BDMA.
    """
    if not config.bdma:
        raise UnsupportedError(f"{config.name} has no BDMA engine; only nv_full has")
    problems = Problems("BDMA")
    problems.require(len(descriptors) <= SLOTS, f"{len(descriptors)} descriptors, the queue holds {SLOTS}")
    copies = tuple(_copy(Group("BDMA", registers, reserved_bits=5)) for registers in descriptors)
    for number, copy in enumerate(copies):
        problems.require(
            not copy.destination.overlaps_itself(copy.surfaces, copy.lines, copy.line_bytes // UNIT, UNIT),
            f"descriptor {number}: the {copy.surfaces} x {copy.lines} lines of {copy.line_bytes} bytes at "
            f"{copy.destination} overlap each other",
        )
    problems.stop()
    return BdmaLayer(copies)


def _copy(core: Group) -> Copy:
    def place(side: str) -> Surface:
        low = core.stride(f"CFG_{side}_ADDR_LOW", "V32")
        return Surface(
            address=core[f"CFG_{side}_ADDR_HIGH.V8"] << 32 | low,
            line_stride=core.stride(f"CFG_{side}_LINE", "STRIDE"),
            surf_stride=core.stride(f"CFG_{side}_SURF", "STRIDE"),
            ram_type=core[f"CFG_CMD.{side}_RAM_TYPE"],
        )

    return Copy(
        line_bytes=core.size("CFG_LINE.SIZE") * UNIT,
        lines=core.size("CFG_LINE_REPEAT.NUMBER"),
        surfaces=core.size("CFG_SURF_REPEAT.NUMBER"),
        source=place("SRC"),
        destination=place("DST"),
    )


def reference(config: Config, layer: BdmaLayer, ports: Ports) -> None:
    """Run the copies, one after the other.

    ``ProgramError`` when any of them leaves the mapped memory: nothing is written then.
    """
    for copy in layer.copies:
        for side in (copy.source, copy.destination):
            _block(copy, side, ports)
    for copy in layer.copies:
        _block(copy, copy.destination, ports)[:] = _block(copy, copy.source, ports)


def _block(copy: Copy, side: Surface, ports: Ports) -> Bytes:
    """One side's bytes [surface, line, unit, byte]."""
    return side.view(ports, copy.surfaces, copy.lines, copy.line_bytes // UNIT, UNIT)
