"""SDP's stages folded into one multiplication, where they are no more than that: X1, X2 and the output converter.

    v = source + sums [+ a value for each element];  out = saturate8(round_shift(clamp(v) * mul, shift))

Additions and clamps (ReLU, MAX, MIN) may come before the one multiplication, and a ReLU behind it. Nothing on the
way may saturate: the caller tells how large the source can get.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.hw.fixed_point import left_shift_saturate
from nvdla_sim.hw.sdp import AluOp, SdpLayer, XStage

Int64 = NDArray[np.int64]
_FAR = np.int64(1) << 40  # beyond anything that 32-bit values reach


@dataclass
class Folded:
    """One multiplication; arrays are int64 [lane]."""

    start: Int64
    low: Int64
    high: Int64
    mul: Int64
    shift: Int64
    points: XStage | None = None  # the stage that adds a value for each element

    def add(self, values: Int64) -> None:
        self.start, self.low, self.high = self.start + values, self.low + values, self.high + values

    def at_least(self, values: Int64 | int) -> None:
        self.low, self.high = np.maximum(self.low, values), np.maximum(self.high, values)

    def at_most(self, values: Int64 | int) -> None:
        self.low, self.high = np.minimum(self.low, values), np.minimum(self.high, values)


def fold(layer: SdpLayer, operands: list[tuple[Int64, Int64] | None], largest: Int64) -> Folded | None:
    """The layer as one multiplication, or None.

    ``operands``: for X1 and X2 the ALU's and the MUL's operand of each lane, None where a stage has operands for
    each element. ``largest``: bound of |source| for each lane.
    """
    if layer.y is not None:
        return None
    zeros = np.zeros_like(largest)
    folded = Folded(zeros, zeros - _FAR, zeros + _FAR, zeros + 1, zeros)
    multiplied = clamped = False
    for stage, operand in zip((layer.x1, layer.x2), operands, strict=True):
        if stage is None:
            continue
        per_element = operand is None
        alu, mul = operand or (zeros, zeros)
        if stage.prelu or (per_element and (stage.mul or clamped or folded.points is not None)):
            return None
        if stage.alu is not None:
            if multiplied or (per_element and stage.alu is not AluOp.SUM):
                return None
            if per_element:
                assert stage.memory is not None
                folded.points = stage
                largest = largest + (np.int64(1) << min(8 * stage.memory.itemsize - 1 + stage.alu_shift, 40))
            else:
                value = left_shift_saturate(alu, stage.alu_shift, 32)
                largest = largest + np.abs(value)
                if stage.alu is AluOp.SUM:
                    folded.add(value)
                elif stage.alu is AluOp.MAX:
                    folded.at_least(value)
                    clamped = True
                else:
                    folded.at_most(value)
                    clamped = True
        if not stage.mul:
            mul = zeros + 1
        if stage.truncate or (mul != 1).any():
            if multiplied:
                return None
            folded.mul, folded.shift, multiplied = mul, zeros + stage.truncate, True
        if stage.relu:
            clamped = True
            positive = folded.mul > 0
            # of a negative multiplier the values below 0 give what is left
            folded.low = np.where(positive, np.maximum(folded.low, 0), np.minimum(folded.low, 0))
            folded.high = np.where(positive, np.maximum(folded.high, 0), np.minimum(folded.high, 0))
    cvt = layer.cvt
    if (cvt.offset, cvt.scale, cvt.truncate) != (0, 1, 0):
        if multiplied:
            return None
        folded.add(zeros - cvt.offset)
        largest = largest + abs(cvt.offset)
        folded.mul, folded.shift = zeros + cvt.scale, zeros + cvt.truncate
    return folded if (largest < 1 << 31).all() else None
