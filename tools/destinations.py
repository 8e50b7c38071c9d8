"""The cubes that a launch writes, to name the element behind an address."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from nvdla_sim.hw.bdma import UNIT
from nvdla_sim.hw.config import Config
from nvdla_sim.hw.formats import round_up
from nvdla_sim.hw.launch import Launch
from nvdla_sim.hw.rubik import RubikMode
from nvdla_sim.hw.surface import Surface


class Destination(NamedTuple):
    """A cube in memory: sizes are elements, ``itemsize`` and ``atom`` (of a surface's element) bytes."""

    surface: Surface
    width: int
    height: int
    channels: int
    itemsize: int
    atom: int

    def element(self, memory: int, address: int) -> tuple[int, int, int] | None:
        """(c, y, x) of the element that a byte belongs to, None if to none; ``memory`` 0 is DRAM, 1 SRAM."""
        if (self.surface.ram_type == 0) != (memory == 1):
            return None
        for s in range(-(-self.channels * self.itemsize // self.atom)):
            offset = address - self.surface.address - s * self.surface.surf_stride
            y, inside = divmod(offset, self.surface.line_stride) if self.height > 1 else (0, offset)
            if 0 <= y < self.height and 0 <= inside < self.width * self.atom:
                x, byte = divmod(inside, self.atom)
                return (s * self.atom + byte) // self.itemsize, y, x
        return None

    def __str__(self) -> str:
        return f"{self.width}x{self.height}x{self.channels}"


def destinations(config: Config, launch: Launch) -> Iterator[Destination]:
    """The cubes that a launch writes."""
    atom = config.atom
    sdp, pdp, cdp, rubik, bdma = launch.sdp, launch.pdp, launch.cdp, launch.rubik, launch.bdma
    if sdp is not None and sdp.destination is not None:
        for batch in range(sdp.batches):
            address = sdp.destination.address + batch * sdp.destination_batch_stride
            surface = Surface(
                address,
                sdp.destination.line_stride,
                sdp.destination.surf_stride,
                sdp.destination.ram_type,
            )
            yield Destination(surface, sdp.width, sdp.height, sdp.channels, sdp.out_itemsize, atom)
    if pdp is not None:
        yield Destination(pdp.destination, pdp.out_width, pdp.out_height, pdp.channels, pdp.itemsize, atom)
    if cdp is not None:
        yield Destination(cdp.destination, cdp.width, cdp.height, cdp.channels, cdp.itemsize, atom)
    if rubik is not None:
        width, height = rubik.width, rubik.height
        if rubik.mode is RubikMode.CONTRACT:
            width, height = width * rubik.stride_x, height * rubik.stride_y
        if rubik.mode is RubikMode.SPLIT:
            # planes: an element of one channel is the atom, lines are written in whole 32 bytes
            width, atom = round_up(width * rubik.itemsize, UNIT) // rubik.itemsize, rubik.itemsize
        yield Destination(rubik.destination, width, height, rubik.out_channels, rubik.itemsize, atom)
    if bdma is not None:
        for copy in bdma.copies:
            yield Destination(
                copy.destination, copy.line_bytes // UNIT, copy.lines, copy.surfaces * UNIT, 1, UNIT
            )
