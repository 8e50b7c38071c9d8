"""What follows the accumulators of a block: SDP in one of the fast forms, or nothing, for another kernel."""

from __future__ import annotations

import numpy as np

from nvdla_sim.hw.kernels._jit import inlined
from nvdla_sim.hw.kernels._memory import int64_at
from nvdla_sim.hw.kernels._record import Int, Record, integers
from nvdla_sim.hw.kernels.block import CUBE, SKIP, SLOTS, Slots, add_points, copy_row, scatter
from nvdla_sim.hw.kernels.microkernel import GROUP, TILE_ROW
from nvdla_sim.hw.kernels.requant import TABLE_BYTES, requantise

FINISH = np.dtype(
    [
        *integers("form", "table"),  # a requant.Form and its TABLE, or RAW
        ("destination", CUBE),  # RAW: its surfaces are groups, its pixels int32 [GROUP]
        ("points", CUBE),  # a value for each element, added before the first or the second multiplication
        *integers("points_itemsize", "points_shift", "points_segment"),  # itemsize 0: none
    ]
)
RAW, CHAIN = -1, 3

# A block's memory: the tile, its result, and a second tile for what is added to it on the way.
_OUT = SLOTS * TILE_ROW
_POINTS = _OUT + SLOTS * GROUP
BLOCK_BYTES = _POINTS + SLOTS * TILE_ROW


@inlined
def finish(end: Record, group: Int, slots: Slots, first: Int, count: Int, block: Int) -> None:
    """int32 [count, GROUP] at ``block`` (BLOCK_BYTES) -> the destination, for the slots from ``first`` on."""
    if end.form == RAW:
        base = end.destination.address + group * end.destination.surf
        for i in range(count):
            if slots.out[first + i] != SKIP:
                copy_row(base + slots.out[first + i], block + i * TILE_ROW)
        return
    out, points = block + _OUT, block + _POINTS
    if end.form == CHAIN:
        zeros = int64_at(points)
        for i in range(count * TILE_ROW // 8):
            zeros[i] = 0
    if end.points_itemsize > 0:
        tile = points if end.points_segment == 1 else block
        add_points(end.points, end.points_itemsize, end.points_shift, group, slots, first, count, tile)
    requantise(end.form, block, count, end.table + group * TABLE_BYTES, points, out)
    scatter(end.destination, group, slots, first, count, out)
