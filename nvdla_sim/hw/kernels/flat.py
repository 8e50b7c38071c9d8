"""SDP of an int8 cube in memory in one of the fast forms, straight along the lines of each surface.

Slots are 32 bytes here, whatever the atom: two or four pixels of a surface where it is smaller. Tables and
starts repeat a surface's channels accordingly.
"""

from __future__ import annotations

import numpy as np

from nvdla_sim.hw.kernels._jit import kernel, part
from nvdla_sim.hw.kernels._memory import ALIGNMENT, aligned_address, in_use, int64_at
from nvdla_sim.hw.kernels._record import Arguments, Int, integers
from nvdla_sim.hw.kernels._vector import I8, I32, Code, Value, routine, vector
from nvdla_sim.hw.kernels.block import CUBE, SLOTS
from nvdla_sim.hw.kernels.microkernel import GROUP, TILE_ROW
from nvdla_sim.hw.kernels.requant import TABLE_BYTES, requantise

FLAT = np.dtype(
    [
        ("source", CUBE),
        ("points", CUBE),
        ("destination", CUBE),
        *integers("lines", "line_bytes"),  # of a surface
        *integers("form", "table", "start"),  # addresses of TABLE [surface] and int32 [surface, GROUP]
        *integers("points_segment", "points_shift"),  # segment -1: no points
    ]
)


def _widen(
    code: Code, source: Value, shift: Value, base: Value, base_step: Value, tile: Value, count: Value
) -> None:
    """tile[i] = base[i * base_step] + (source[i] << shift) for rows of GROUP."""
    builder = code.builder
    kind = vector(I32, GROUP)
    places = code.splat(builder.trunc(shift, I32), GROUP)

    def row(index: Value, _values: list[Value]) -> list[Value]:
        value = builder.sext(code.load(vector(I8, GROUP), code.add(source, code.times(index, GROUP))), kind)
        begin = code.load(kind, code.add(base, builder.mul(index, base_step)))
        code.store(
            builder.add(begin, builder.shl(value, places)), code.add(tile, code.times(index, TILE_ROW))
        )
        return []

    code.loop(count, [], row)


_widen_rows = routine(6, _widen)


@part
def _copy(target: Int, source: Int, count: Int) -> None:
    to, of = int64_at(target), int64_at(source)
    for i in range(count >> 3):
        to[i] = of[i]


@kernel()
def run_flat(ops: Arguments) -> None:
    """``ops``: a FLAT array of one element."""
    op = ops[0]
    room = np.zeros(2 * SLOTS * TILE_ROW + TILE_ROW + 3 * GROUP + ALIGNMENT, np.uint8)
    tile = aligned_address(room)
    points_tile = tile + SLOTS * TILE_ROW
    zeros = points_tile + SLOTS * TILE_ROW
    tail_source = zeros + TILE_ROW
    tail_points, tail_out = tail_source + GROUP, tail_source + 2 * GROUP
    for surface in range(op.source.surfaces):
        row, start = op.table + surface * TABLE_BYTES, op.start + surface * TILE_ROW
        for line in range(op.lines):
            source = op.source.address + surface * op.source.surf + line * op.source.line
            points = op.points.address + surface * op.points.surf + line * op.points.line
            target = op.destination.address + surface * op.destination.surf + line * op.destination.line
            left = op.line_bytes
            while left > 0:
                count = min(SLOTS, left // GROUP)
                a, b, out = source, points, target
                if count == 0:  # the last bytes of the line, by way of whole slots
                    count, a, out = 1, tail_source, tail_out
                    _copy(a, source, left)
                    if op.points_segment >= 0:
                        b = tail_points
                        _copy(b, points, left)
                _widen_rows(a, 0, start, 0, tile, count)
                if op.points_segment == 0:
                    _widen_rows(b, op.points_shift, tile, TILE_ROW, tile, count)
                elif op.points_segment == 1:
                    _widen_rows(b, op.points_shift, zeros, 0, points_tile, count)
                requantise(op.form, tile, count, row, points_tile, out)
                if out == tail_out:
                    _copy(target, out, left)
                step = count * GROUP
                source, points, target, left = source + step, points + step, target + step, left - step
    in_use(room)
