"""Blocks: what the convolution and SDP kernels work on between source and destination.

A block is up to SLOTS pixels ("slots") times GROUP channels: int32 tile [slot, GROUP] in, int8 [slot, GROUP]
out. GROUP channels are GROUP // atom surfaces of a cube ("pieces" of a group). ``Slots`` tell for each slot
which pixel it is, and whether it is written: it is not where it repeats another pixel or lies outside the
cube.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from nvdla_sim.hw.kernels._jit import inlined
from nvdla_sim.hw.kernels._memory import int8_at, int32_at, int64_at
from nvdla_sim.hw.kernels._record import Int, Record, integers
from nvdla_sim.hw.kernels._vector import I8, I16, I32, Code, Value, routine, vector
from nvdla_sim.hw.kernels.microkernel import GROUP, RUN, TILE_ROW

SLOTS = 4 * RUN

Ints = NDArray[np.int32]

# A cube in memory: element (surface, y, x, byte) lies at address + surface*surf + y*line + x*pixel + byte.
CUBE = np.dtype(integers("address", "surf", "line", "pixel", "surfaces"))


class Slots(NamedTuple):
    """The pixel of each slot, and where it is written: bytes from the first atom of the cube, or SKIP."""

    y: Ints
    x: Ints
    out: NDArray[np.int64]


SKIP = -1


@inlined
def scatter(cube: Record, group: Int, slots: Slots, first: Int, count: Int, out: Int) -> None:
    """Write int8 [count, GROUP] at ``out`` to ``cube``, whose pixels are atoms; slots from ``first`` on."""
    atom = cube.pixel
    pieces = GROUP // atom
    for piece in range(min(pieces, cube.surfaces - group * pieces)):
        base, of = cube.address + (group * pieces + piece) * cube.surf, out + piece * atom
        for slot in range(first, first + count):
            place = slots.out[slot]
            if place != SKIP:
                store_atom(atom, base + place, of)
            of += GROUP


@inlined
def store_atom(atom: Int, target: Int, source: Int) -> None:
    """Copy 8, 16 or 32 bytes."""
    to, of = int64_at(target), int64_at(source)
    a = of[0]
    if atom == 8:
        to[0] = a
    else:
        b = of[1]
        if atom == 16:
            to[0], to[1] = a, b
        else:
            c, d = of[2], of[3]
            to[0], to[1], to[2], to[3] = a, b, c, d


@inlined
def copy_row(target: Int, source: Int) -> None:
    """Copy one row of a tile."""
    to, of = int64_at(target), int64_at(source)
    for i in range(TILE_ROW // 8):
        to[i] = of[i]


@inlined
def gather(cube: Record, group: Int, slots: Slots, count: Int, tile: Int) -> None:
    """tile[slot, channel] = the cube's int8 values."""
    atom = cube.pixel
    pieces = GROUP // atom
    for piece in range(min(pieces, cube.surfaces - group * pieces)):
        base = cube.address + (group * pieces + piece) * cube.surf
        for i in range(count):
            values = int8_at(base + slots.y[i] * cube.line + slots.x[i] * atom)
            to = int32_at(tile + i * TILE_ROW + 4 * piece * atom)
            for lane in range(atom):
                to[lane] = values[lane]


def _add(element: ir.Type) -> Callable[..., None]:
    """int32 [8] at the first address += the elements at the second << shift."""

    def body(code: Code, tile: Value, source: Value, shift: Value) -> None:
        builder, kind = code.builder, vector(I32, 8)
        value = builder.sext(code.load(vector(element, 8), source), kind)
        value = builder.shl(value, code.splat(builder.trunc(shift, I32), 8))
        code.store(builder.add(code.load(kind, tile), value), tile)

    return routine(3, body)


_add_bytes, _add_words = _add(I8), _add(I16)


@inlined
def add_points(
    cube: Record, itemsize: Int, shift: Int, group: Int, slots: Slots, first: Int, count: Int, tile: Int
) -> None:
    """Add ``value << shift`` of a cube of int8 or int16 values to the tile; the sums fit int32."""
    atom = cube.pixel // itemsize
    pieces = GROUP // atom
    for piece in range(min(pieces, cube.surfaces - group * pieces)):
        base = cube.address + (group * pieces + piece) * cube.surf
        for i in range(count):
            place = base + slots.y[first + i] * cube.line + slots.x[first + i] * cube.pixel
            to = tile + i * TILE_ROW + 4 * piece * atom
            for _ in range(atom // 8):
                if itemsize == 1:
                    _add_bytes(to, place, shift)
                else:
                    _add_words(to, place, shift)
                to, place = to + 32, place + 8 * itemsize
