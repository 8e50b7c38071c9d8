"""Convolution with what follows it, tile by tile: pack a chunk of the input, multiply, finish, store."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from numba import carray

from nvdla_sim.hw.kernels._jit import kernel
from nvdla_sim.hw.kernels._memory import ALIGNMENT, aligned_address, in_use, int32_at, int64_at
from nvdla_sim.hw.kernels._record import Arguments, integers
from nvdla_sim.hw.kernels.block import SLOTS, Slots
from nvdla_sim.hw.kernels.finish import BLOCK_BYTES, FINISH, finish
from nvdla_sim.hw.kernels.microkernel import TILE_ROW, Isa, tile_multiplier
from nvdla_sim.hw.kernels.pack import INPUT, pack

CONV = np.dtype(
    [
        ("input", INPUT),
        ("end", FINISH),
        # rows and runs of all chunks but the last, which may have less
        *integers("out_height", "chunk_rows", "chunk_runs"),
        # runs of ``run`` pixels: int64 offsets in a packed chunk, and Slots' members, at these addresses
        *integers("run", "run_count", "run_offset", "slot_y", "slot_x", "slot_out"),
        # packed bytes from one output pixel to the next, and of a chunk
        *integers("pixel_step", "packed_bytes"),
        # addresses of TAP [tap_count], of the packed weights and of int32 starts [groups, GROUP]
        *integers("taps", "tap_count", "groups", "weights", "group_bytes", "start"),
    ]
)


@functools.cache
def convolution(isa: Isa) -> Callable[[Arguments], None]:
    """The kernel for this kind of CPU; it takes a CONV array of one element."""
    multiply = tile_multiplier(isa)

    @kernel(f"-{isa.name}")
    def convolve(ops: Arguments) -> None:
        op = ops[0]
        run = op.run
        size = op.run_count * run
        slots = Slots(
            carray(int32_at(op.slot_y), size),
            carray(int32_at(op.slot_x), size),
            carray(int64_at(op.slot_out), size),
        )
        offsets = int64_at(op.run_offset)
        data = np.empty(SLOTS, np.int64)
        room = np.empty(op.packed_bytes + ALIGNMENT, np.uint8)
        packed = aligned_address(room)
        block_room = np.empty(BLOCK_BYTES + ALIGNMENT, np.uint8)
        block = aligned_address(block_room)
        chunk_first, block_runs = 0, SLOTS // run
        for row in range(0, op.out_height, op.chunk_rows):
            pack(op.input, row, min(op.chunk_rows, op.out_height - row), packed)
            chunk_last = min(chunk_first + op.chunk_runs, op.run_count)
            for group in range(op.groups):
                weights, start = op.weights + group * op.group_bytes, op.start + group * TILE_ROW
                for first in range(chunk_first, chunk_last, block_runs):
                    count = min(block_runs, chunk_last - first)
                    for i in range(count):
                        data[i] = packed + offsets[first + i]
                    multiply(data, count, run, op.taps, op.tap_count, op.pixel_step, weights, start, block)
                    finish(op.end, group, slots, first * run, count * run, block)
            chunk_first = chunk_last
        in_use(room)
        in_use(block_room)

    return convolve
