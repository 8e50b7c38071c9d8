"""SDP's stages folded into one or two multiplications, where they are no more than that.

    v = source + sums [+ a value for each element]
    v = saturate32(round_shift(clamp(v) * mul, shift)) + sums [+ a value for each element]     where there are
    two out = saturate8(round_shift(clamp(v) * mul, shift))

Additions and clamps (ReLU, MAX, MIN, saturation) may come before each multiplication, and a ReLU behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.hw.fixed_point import left_shift_saturate
from nvdla_sim.hw.sdp import AluOp, SdpLayer, XStage

Int64 = NDArray[np.int64]
FAR = np.int64(1) << 40  # beyond anything that 32-bit values reach
_RAIL = 1 << 31


@dataclass
class Segment:
    """What happens up to and with one multiplication; arrays are int64 [lane]."""

    start: Int64
    low: Int64
    high: Int64
    mul: Int64
    shift: Int64
    multiplied: bool = False
    points: XStage | None = None  # the stage that adds a value for each element

    @classmethod
    def empty(cls, lanes: int) -> Segment:
        zeros = np.zeros(lanes, np.int64)
        return cls(zeros, zeros - FAR, zeros + FAR, zeros + 1, zeros)

    def arranged(self, arrange: Callable[[Int64], Int64]) -> Segment:
        """The same with its lanes in another order or number."""
        start, low, high = arrange(self.start), arrange(self.low), arrange(self.high)
        return replace(
            self, start=start, low=low, high=high, mul=arrange(self.mul), shift=arrange(self.shift)
        )

    @property
    def clamped(self) -> bool:
        return bool((self.low > -FAR // 2).any() or (self.high < FAR // 2).any())

    def add(self, values: Int64 | int) -> None:
        self.start, self.low, self.high = self.start + values, self.low + values, self.high + values

    def at_least(self, values: Int64 | int) -> None:
        self.low, self.high = np.maximum(self.low, values), np.maximum(self.high, values)

    def at_most(self, values: Int64 | int) -> None:
        self.low, self.high = np.minimum(self.low, values), np.minimum(self.high, values)

    def multiply(self, mul: Int64 | int, shift: int) -> None:
        self.mul, self.shift, self.multiplied = self.mul * mul, self.shift + shift, True

    def relu(self) -> None:
        """Of what the multiplication gives: for a negative multiplier of what is not above 0 before it."""
        falling = self.mul < 0
        self.low = np.where(falling, np.minimum(self.low, 0), np.maximum(self.low, 0))
        self.high = np.where(falling, np.minimum(self.high, 0), np.maximum(self.high, 0))


def fold(layer: SdpLayer, operands: list[tuple[Int64, Int64] | None], largest: Int64) -> list[Segment] | None:
    """The layer as one or two segments, or None.

    ``operands``: for X1 and X2 the ALU's and the MUL's operand of each lane, None where a stage has operands
    for each element. ``largest``: bound of |source| for each lane. Before the first multiplication nothing
    may reach 32 bits, so that it can be done without looking at overflow.
    """
    if layer.y is not None:
        return None
    segments = [Segment.empty(largest.size)]
    for stage, operand in zip((layer.x1, layer.x2), operands, strict=True):
        if stage is None:
            continue
        if stage.prelu or (operand is None and stage.mul):
            return None
        if segments[-1].multiplied and (stage.alu is not None or stage.mul or stage.truncate):
            segments.append(Segment.empty(largest.size))
        segment = segments[-1]
        added = _add(segment, stage, operand)
        if added is None:
            return None
        if len(segments) == 1:
            largest = largest + added
        if stage.mul or stage.truncate:
            segment.multiply(operand[1] if stage.mul and operand else 1, stage.truncate)
        elif len(segments) > 1:
            segment.at_least(-_RAIL)
            segment.at_most(_RAIL - 1)
        if stage.relu:
            segment.relu()
    cvt = layer.cvt
    if (cvt.offset, cvt.scale, cvt.truncate) != (0, 1, 0):
        if segments[-1].multiplied:
            segments.append(Segment.empty(largest.size))
        elif len(segments) == 1:
            largest = largest + abs(cvt.offset)
        segments[-1].add(-cvt.offset)
        segments[-1].multiply(cvt.scale, cvt.truncate)
    return segments if len(segments) <= 2 and (largest < _RAIL).all() else None


def _add(segment: Segment, stage: XStage, operand: tuple[Int64, Int64] | None) -> Int64 | None:
    """The stage's ALU before the segment's multiplication; a bound of what it adds, or None."""
    none = np.zeros_like(segment.start)
    if stage.alu is None:
        return none
    if operand is None:
        assert stage.memory is not None
        bits = 8 * stage.memory.itemsize - 1 + stage.alu_shift
        if stage.alu is not AluOp.SUM or segment.clamped or segment.points is not None or bits > 31:
            return None
        segment.points = stage
        return none + (1 << bits)
    value = left_shift_saturate(operand[0], stage.alu_shift, 32)
    if stage.alu is AluOp.SUM:
        segment.add(value)
    elif stage.alu is AluOp.MAX:
        segment.at_least(value)
    else:
        segment.at_most(value)
    return np.abs(value)
