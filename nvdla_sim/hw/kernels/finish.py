"""What follows the accumulator or the source: SDP on one block, by the fast form where it fits, into the cube."""

from __future__ import annotations

from typing import Any

import numpy as np

from nvdla_sim.hw.kernels._jit import part
from nvdla_sim.hw.kernels.block import CUBE, Slots, add_points, scatter
from nvdla_sim.hw.kernels.requant import TABLE, requantise
from nvdla_sim.hw.kernels.stages import STAGES, run_stages

Record = Any  # a numba record

FINISH = np.dtype(
    [("destination", CUBE)]
    + [("form", np.int64), ("table", np.int64)]  # form ALL_STAGES: run ``stages``, otherwise requant.Form
    + [("points", CUBE), ("points_itemsize", np.int64), ("points_shift", np.int64)]  # itemsize 0: nothing to add
    + [("stages", STAGES)]
)
ALL_STAGES = -1
_TABLE_BYTES = TABLE.itemsize


@part
def finish(end: Record, group: int, slots: Slots, first: int, count: int, tile: int, out: int) -> None:
    """int32 [count, GROUP] at ``tile`` -> the destination; ``out``: room for int8 [count, GROUP]."""
    if end.form == ALL_STAGES:
        run_stages(end.stages, group, slots, first, count, tile, out)
    else:
        if end.points_itemsize > 0:
            shift = end.points_shift
            add_points(end.points, end.points_itemsize, shift, group, slots, first, count, tile)
        requantise(end.form, tile, count, end.table + group * _TABLE_BYTES, out)
    scatter(end.destination, group, slots, first, count, out)
