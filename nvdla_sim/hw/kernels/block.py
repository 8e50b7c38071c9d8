"""Blocks: what the convolution and SDP kernels work on between source and destination.

A block is up to SLOTS pixels ("slots") times GROUP channels: int32 tile [slot, GROUP] in, int8 [slot, GROUP] out.
GROUP channels are GROUP // atom surfaces of a cube ("pieces" of a group). ``Slots`` tell for each slot which pixel
it is; one with ``skip`` repeats another pixel or lies outside the cube, and is not written.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.hw.kernels._jit import part
from nvdla_sim.hw.kernels._memory import int8_at, int16_at, int32_at, int64_at
from nvdla_sim.hw.kernels.microkernel import GROUP, RUN

SLOTS = 4 * RUN

Record = Any  # a numba record
Ints = NDArray[np.int32]

# A cube in memory: element (surface, y, x, byte) lies at address + surface*surf + y*line + x*pixel + byte.
CUBE = np.dtype([(name, np.int64) for name in ("address", "surf", "line", "pixel", "surfaces")])


class Slots(NamedTuple):
    """The pixel of each slot, and whether it is not to be written."""

    y: Ints
    x: Ints
    skip: Ints


@part
def copy_atoms(target: int, source: int, count: int) -> None:
    """``count`` bytes, a multiple of 8."""
    to, of = int64_at(target), int64_at(source)
    for i in range(count >> 3):
        to[i] = of[i]


@part
def scatter(cube: Record, group: int, slots: Slots, first: int, count: int, out: int) -> None:
    """Write int8 [count, GROUP] at ``out`` to ``cube``, whose pixels are atoms; slots from ``first`` on."""
    atom = cube.pixel
    pieces = GROUP // atom
    for piece in range(min(pieces, cube.surfaces - group * pieces)):
        base = cube.address + (group * pieces + piece) * cube.surf
        for i in range(count):
            if slots.skip[first + i] == 0:
                place = base + slots.y[first + i] * cube.line + slots.x[first + i] * atom
                copy_atoms(place, out + i * GROUP + piece * atom, atom)


@part
def gather(cube: Record, group: int, slots: Slots, first: int, count: int, start: int, tile: int) -> None:
    """tile[slot, channel] = start[channel] + the cube's int8 values; ``start``: int32 [GROUP]."""
    atom = cube.pixel
    pieces = GROUP // atom
    for piece in range(min(pieces, cube.surfaces - group * pieces)):
        base = cube.address + (group * pieces + piece) * cube.surf
        for lane in range(0, atom, 8):
            begin = int32_at(start + 4 * (piece * atom + lane))
            for i in range(count):
                values = int8_at(base + slots.y[first + i] * cube.line + slots.x[first + i] * atom + lane)
                to = int32_at(tile + 4 * (i * GROUP + piece * atom + lane))
                for c in range(8):
                    to[c] = begin[c] + np.int32(values[c])


@part
def add_points(
    cube: Record, itemsize: int, shift: int, group: int, slots: Slots, first: int, count: int, tile: int
) -> None:
    """Add ``value << shift`` of a cube of int8 or int16 values to the tile; the sums fit int32."""
    atom = cube.pixel // itemsize
    pieces = GROUP // atom
    for piece in range(min(pieces, cube.surfaces - group * pieces)):
        base = cube.address + (group * pieces + piece) * cube.surf
        for lane in range(0, atom, 8):
            for i in range(count):
                place = base + slots.y[first + i] * cube.line + slots.x[first + i] * cube.pixel + lane * itemsize
                to = int32_at(tile + 4 * (i * GROUP + piece * atom + lane))
                if itemsize == 1:
                    narrow = int8_at(place)
                    for c in range(8):
                        to[c] += np.int32(narrow[c]) << shift
                else:
                    wide = int16_at(place)
                    for c in range(8):
                        to[c] += np.int32(wide[c]) << shift
