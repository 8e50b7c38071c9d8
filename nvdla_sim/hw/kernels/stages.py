"""All of SDP's stages, value by value in int64: any modes, from memory or from raw accumulators.

The formulas are those of ``nvdla_sim.hw.sdp``; a stage's operands are fetched for a block of pixels at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.hw.kernels._jit import inlined, kernel, part
from nvdla_sim.hw.kernels._memory import ALIGNMENT, aligned_address, in_use, int8_at, int16_at, int32_at
from nvdla_sim.hw.kernels._record import Arguments, Int, Record, integers
from nvdla_sim.hw.kernels.arith import (
    left_shift_saturate,
    round_shift,
    round_shift_saturate,
    saturate,
    wrap,
)
from nvdla_sim.hw.kernels.block import CUBE, SLOTS, Slots, gather, scatter
from nvdla_sim.hw.kernels.lut import LUT, lookup_sdp
from nvdla_sim.hw.kernels.microkernel import GROUP, TILE_ROW

Int64 = NDArray[np.int64]

CONVERTER = np.dtype(integers("offset", "scale", "truncate"))
OPERAND = np.dtype(
    [
        *integers("memory", "value"),  # memory 0: the register's value
        ("cube", CUBE),  # of operand atoms; per channel, all pixels share one
        *integers("itemsize", "step"),  # bytes of an item, and from one lane to the next
        *integers("convert"),
        ("converter", CONVERTER),
    ]
)
STAGE = np.dtype(
    [
        *integers("used", "alu_op", "alu_shift", "mul_used"),  # alu_op: MAX, MIN, SUM or NONE
        ("alu", OPERAND),
        ("mul", OPERAND),
        *integers("prelu", "truncate", "relu", "lookup"),
    ]
)
STAGES = np.dtype(
    [
        ("source", CUBE),  # raw: its surfaces are groups, its pixels int32 [GROUP]
        ("destination", CUBE),
        *integers("raw", "width", "height", "groups", "clip_truncate"),
        ("x1", STAGE),
        ("x2", STAGE),
        ("y", STAGE),
        ("lut", LUT),
        ("cvt", CONVERTER),
    ]
)
MAX, MIN, SUM, NONE = 0, 1, 2, -1


@kernel()
def run_stages(ops: Arguments) -> None:
    """``ops``: a STAGES array of one element."""
    op = ops[0]
    slots = Slots(np.empty(SLOTS, np.int32), np.empty(SLOTS, np.int32), np.empty(SLOTS, np.int64))
    room = np.empty(SLOTS * (TILE_ROW + GROUP) + ALIGNMENT, np.uint8)
    tile = aligned_address(room)
    out = tile + SLOTS * TILE_ROW
    size = SLOTS * GROUP
    values, alu, mul = np.zeros(size, np.int64), np.zeros(size, np.int64), np.zeros(size, np.int64)
    pixels = op.width * op.height
    y, x = 0, 0
    for begin in range(0, pixels, SLOTS):
        count = min(SLOTS, pixels - begin)
        for slot in range(count):
            slots.y[slot], slots.x[slot] = y, x
            slots.out[slot] = y * op.destination.line + x * op.destination.pixel
            x += 1
            if x == op.width:
                x, y = 0, y + 1
        for group in range(op.groups):
            source = tile
            if op.raw == 1:
                source = op.source.address + group * op.source.surf + begin * TILE_ROW
            else:
                gather(op.source, group, slots, count, tile)
            _run_block(op, group, slots, count, source, values, alu, mul)
            target = int8_at(out)
            for i in range(count * GROUP):
                target[i] = values[i]
            scatter(op.destination, group, slots, 0, count, out)
    in_use(room)


@inlined
def _run_block(
    op: Record, group: Int, slots: Slots, count: Int, tile: Int, values: Int64, alu: Int64, mul: Int64
) -> None:
    """int32 [count, GROUP] at ``tile`` -> ``values`` of 8 bits; ``alu`` and ``mul`` are room for operands."""
    atom, size = op.destination.pixel, count * GROUP
    source = int32_at(tile)
    for i in range(size):
        values[i] = round_shift_saturate(np.int64(source[i]), op.clip_truncate, 32)
    for stage in (op.x1, op.x2):
        if stage.used == 1:
            _fetch(stage.alu, atom, group, slots, count, alu)
            _fetch(stage.mul, atom, group, slots, count, mul)
            for i in range(size):
                values[i] = _x_stage(stage, values[i], alu[i], mul[i])
    y = op.y
    if y.used == 1:
        _fetch(y.alu, atom, group, slots, count, alu)
        _fetch(y.mul, atom, group, slots, count, mul)
        for i in range(size):
            values[i] = _y_stage(y, values[i], alu[i], mul[i])
            if y.lookup == 1:
                values[i] = lookup_sdp(op.lut, values[i])
    cvt = op.cvt
    for i in range(size):
        values[i] = saturate(round_shift((values[i] - cvt.offset) * cvt.scale, cvt.truncate), 8)


@part
def _fetch(operand: Record, atom: Int, group: Int, slots: Slots, count: Int, values: Int64) -> None:
    """One operand for each value of the block; lanes beyond the cube's surfaces are left as they are."""
    if operand.memory == 0:
        values[:] = operand.value
        return
    cube, pieces = operand.cube, GROUP // atom
    for piece in range(min(pieces, cube.surfaces - group * pieces)):
        base = cube.address + (group * pieces + piece) * cube.surf
        for slot in range(count):
            place = base + slots.y[slot] * cube.line + slots.x[slot] * cube.pixel
            at = slot * GROUP + piece * atom
            for lane in range(atom):
                item = place + lane * operand.step
                values[at + lane] = int8_at(item)[0] if operand.itemsize == 1 else int16_at(item)[0]
    if operand.convert == 1:
        c = operand.converter
        for i in range(count * GROUP):
            values[i] = round_shift_saturate((values[i] - c.offset) * c.scale, c.truncate, 32)


@inlined
def _x_stage(stage: Record, v: Int, alu: Int, mul: Int) -> Int:
    """32 bits -> ALU 33 bits -> MUL 49 bits -> shift, 32 bits -> ReLU."""
    if stage.alu_op != NONE:
        v = _alu(stage.alu_op, v, left_shift_saturate(alu, stage.alu_shift, 32))
    if stage.prelu == 1 and v >= 0:
        v = wrap(v, 32)
    else:
        v = round_shift_saturate(v * mul if stage.mul_used == 1 else v, stage.truncate, 32)
    return max(v, 0) if stage.relu == 1 else v


@inlined
def _y_stage(stage: Record, v: Int, alu: Int, mul: Int) -> Int:
    """32 bits -> MUL 64 bits -> shift, 32 bits -> ALU, 32 bits."""
    if stage.mul_used == 1 and not (stage.prelu == 1 and v >= 0):
        v = round_shift_saturate(v * mul, stage.truncate, 32)
    if stage.alu_op != NONE:
        v = saturate(_alu(stage.alu_op, v, alu), 32)
    return v


@part
def _alu(op: Int, v: Int, operand: Int) -> Int:
    if op == MAX:
        return max(v, operand)
    if op == MIN:
        return min(v, operand)
    return v + operand
