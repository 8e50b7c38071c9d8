"""Convolution with what follows it, tile by tile: pack a chunk of the input, multiply, finish, store."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.hw.kernels._jit import kernel, part
from nvdla_sim.hw.kernels._memory import ALIGNMENT, aligned_address, in_use
from nvdla_sim.hw.kernels.block import SLOTS, Slots
from nvdla_sim.hw.kernels.finish import FINISH, finish
from nvdla_sim.hw.kernels.microkernel import GROUP, RUN, TILE_ROW, Isa, tile_multiplier
from nvdla_sim.hw.kernels.pack import INPUT, pack

Record = Any  # a numba record

CONV = np.dtype(
    [("input", INPUT), ("end", FINISH)]
    + [
        (name, np.int64)
        for name in (
            "out_width", "out_height", "chunk_rows", "groups",
            "packed_bytes",
            "run",  # pixels of a run: RUN or 1
            "joined",  # 1: runs go on from one output row to the next, over the packed columns in between
            "row_pixels",  # joined: pixels from one output row to the next
            "pixel_step",  # packed bytes from one output pixel to the next
            "taps", "tap_count",  # address of TAP [tap_count]
            "weights", "group_bytes",  # address of the packed weights, bytes of a group of kernels
            "start",  # address of int32 [groups, GROUP]: where the accumulators start
        )
    ]
)  # fmt: skip


@part
def _place_runs(op: Record, first_row: int, rows: int, packed: int, data: NDArray[np.int64], slots: Slots) -> int:
    """Cut a chunk's output pixels into runs; fill in each run's input address and its slots' pixels."""
    run, width = op.run, op.out_width
    row_bytes = op.input.rows_per_output * op.input.row_bytes
    lines, length, pitch = rows, width, width
    if op.joined == 1:
        lines, length, pitch = 1, (rows - 1) * op.row_pixels + width, op.row_pixels
    runs = 0
    for line in range(lines):
        begin = 0
        while begin < length:
            # the last run repeats pixels of the one before, or reaches over the end of a short line
            at = max(0, min(begin, length - run))
            data[runs] = packed + line * row_bytes + at * op.pixel_step
            y, x = at // pitch, at % pitch
            for i in range(run):
                inside = x < width and at + i < length
                slot = runs * run + i
                slots.skip[slot] = 0 if inside and at + i >= begin else 1
                slots.y[slot] = first_row + line + y if inside else first_row
                slots.x[slot] = x if inside else 0
                x += 1
                if x == pitch:
                    x, y = 0, y + 1
            runs += 1
            begin += run
    return runs


@functools.cache
def convolution(isa: Isa) -> Callable[[NDArray[np.void]], None]:
    """The kernel for this kind of CPU; it takes a CONV array of one element."""
    multiply = tile_multiplier(isa)

    @kernel(f"-{isa.name}")
    def convolve(ops: NDArray[np.void]) -> None:
        op = ops[0]
        chunk, run = op.chunk_rows, op.run
        pixels = chunk * max(op.out_width, op.row_pixels)
        most_runs = chunk + pixels // run
        data = np.empty(most_runs, np.int64)
        most = most_runs * run
        slots = Slots(np.empty(most, np.int32), np.empty(most, np.int32), np.empty(most, np.int32))
        room = np.empty(op.packed_bytes + ALIGNMENT, np.uint8)
        packed = aligned_address(room)
        tile_room = np.empty(SLOTS * (TILE_ROW + GROUP) + ALIGNMENT, np.uint8)
        tile = aligned_address(tile_room)
        runs_per_block = SLOTS // run
        for row in range(0, op.out_height, chunk):
            rows = min(chunk, op.out_height - row)
            pack(op.input, row, rows, packed)
            runs = _place_runs(op, row, rows, packed, data, slots)
            for group in range(op.groups):
                weights, start = op.weights + group * op.group_bytes, op.start + group * TILE_ROW
                for first in range(0, runs, runs_per_block):
                    n = min(runs_per_block, runs - first)
                    multiply(data[first:], n, run, op.taps, op.tap_count, op.pixel_step, weights, start, tile)
                    finish(op.end, group, slots, first * run, n * run, tile, tile + SLOTS * TILE_ROW)
        in_use(room)
        in_use(tile_room)

    return convolve
