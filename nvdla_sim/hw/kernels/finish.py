"""What follows the accumulator or the source: SDP on one block, by the fast form where it fits, into the
cube.
"""

from __future__ import annotations

import numpy as np

from nvdla_sim.hw.kernels._jit import part
from nvdla_sim.hw.kernels._memory import int64_at
from nvdla_sim.hw.kernels._record import Int, Record, integers
from nvdla_sim.hw.kernels.block import CUBE, SLOTS, Slots, add_points, scatter
from nvdla_sim.hw.kernels.microkernel import GROUP, TILE_ROW
from nvdla_sim.hw.kernels.requant import TABLE_BYTES, requantise
from nvdla_sim.hw.kernels.stages import STAGES, run_stages

FINISH = np.dtype(
    [
        ("destination", CUBE),
        *integers("form", "table"),  # ALL_STAGES runs ``stages``; otherwise a requant.Form and its TABLE
        ("points", CUBE),  # a value for each element, added before the first or the second multiplication
        *integers("points_itemsize", "points_shift", "points_segment"),  # itemsize 0: none
        ("stages", STAGES),
    ]
)
ALL_STAGES, CHAIN = -1, 3

# A block's memory: the tile, its result, and a second tile for what is added to it on the way.
_OUT = SLOTS * TILE_ROW
_POINTS = _OUT + SLOTS * GROUP
BLOCK_BYTES = _POINTS + SLOTS * TILE_ROW


@part
def finish(end: Record, group: Int, slots: Slots, first: Int, count: Int, block: Int) -> None:
    """int32 [count, GROUP] at ``block`` (BLOCK_BYTES) -> the destination, for the slots from ``first`` on."""
    out, points = block + _OUT, block + _POINTS
    if end.form == ALL_STAGES:
        run_stages(end.stages, group, slots, first, count, block, out)
    else:
        if end.form == CHAIN:
            zeros = int64_at(points)
            for i in range(count * TILE_ROW // 8):
                zeros[i] = 0
        if end.points_itemsize > 0:
            tile = points if end.points_segment == 1 else block
            add_points(end.points, end.points_itemsize, end.points_shift, group, slots, first, count, tile)
        requantise(end.form, block, count, end.table + group * TABLE_BYTES, points, out)
    scatter(end.destination, group, slots, first, count, out)
