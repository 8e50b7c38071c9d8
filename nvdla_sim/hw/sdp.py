"""SDP, the single data point processor: scale, add, activate and requantise, element by element.

source -> X1 -> X2 -> Y -> output converter -> memory or PDP. The values between the stages are 32 bits.

Source: hardware-facts section 4, checked against the chip's model.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.hw.config import Config
from nvdla_sim.hw.fixed_point import (
    Int,
    left_shift_saturate,
    round_shift,
    round_shift_saturate,
    saturate,
    wrap,
)
from nvdla_sim.hw.lut import lookup_sdp
from nvdla_sim.hw.memory import Ports
from nvdla_sim.hw.sdp_program import (
    AluOp,
    Converter,
    OperandMemory,
    SdpLayer,
    XStage,
    YStage,
    decode,
)

__all__ = [
    "AluOp",
    "Converter",
    "OperandMemory",
    "SdpLayer",
    "XStage",
    "YStage",
    "decode",
    "reference",
]

Int64 = NDArray[np.int64]


def reference(
    config: Config, layer: SdpLayer, ports: Ports, stream: Int64 | None, counters: dict[str, int]
) -> Int64 | None:
    """Run one layer; ``stream``: the accumulator's int64 [batch, lane, y, x] when ``layer.source`` is None.

    Gives the stream for PDP, int64 [batch, lane, y, x], or None when the result went to memory or is only the
    status bit. Unused lanes of the last atom are computed and written like all others. Counters and status
    bits go to ``counters``. ``ProgramError`` when the layer leaves the mapped memory: it writes nothing then.
    """
    surfaces = -(-layer.channels * layer.itemsize // config.atom)
    _check_destination(config, layer, ports, surfaces)
    if layer.source is None:
        assert stream is not None
        values = stream
    else:
        shape = (surfaces * layer.source_itemsize // layer.itemsize, layer.height, layer.width)
        values = layer.source.read(ports, *shape, config.atom, layer.source_itemsize)[np.newaxis]
    for stage in (layer.x1, layer.x2):
        if stage is not None:
            values = x_stage(stage, values, *_operands(config, layer, stage, ports, surfaces))
    if layer.y is not None:
        values = y_stage(
            layer.y, values, *_operands(config, layer, layer.y, ports, surfaces), layer.count_lut, counters
        )
    if layer.compares:
        counters["SDP.D_STATUS"] = int(np.any(wrap(values, 16) != 0))
        return None
    values, saturated = output_converter(layer.cvt, values, 8 * layer.out_itemsize)
    if layer.count_saturation:
        counters["SDP.D_PERF_OUT_SATURATION"] = saturated
    if layer.destination is None:
        return values
    for batch in range(layer.batches):
        offset = batch * layer.destination_batch_stride
        layer.destination.write(ports, values[batch], config.atom, layer.out_itemsize, offset)
    return None


def x_stage(stage: XStage, v: Int64, alu_operand: Int, mul_operand: Int) -> Int64:
    """X1 or X2 on 32-bit values: ALU (33 bits), MUL (49 bits), shift and saturation (32 bits), ReLU."""
    if stage.alu is not None:
        a = left_shift_saturate(alu_operand, stage.alu_shift, 32)
        v = _alu(stage.alu, v, a)
    product = v * mul_operand if stage.mul else v
    shifted = round_shift_saturate(product, stage.truncate, 32)  # also when nothing was multiplied
    if stage.prelu:
        shifted = np.where(v >= 0, wrap(v, 32), shifted)
    return np.maximum(shifted, 0) if stage.relu else shifted


def y_stage(
    stage: YStage,
    v: Int64,
    alu_operand: Int,
    mul_operand: Int,
    count_lut: bool,
    counters: dict[str, int],
) -> Int64:
    """Y on 32-bit values: MUL (64 bits), shift and saturation (32 bits), ALU (32 bits), tables."""
    if stage.mul:
        m = mul_operand if stage.mul_cvt is None else _convert(stage.mul_cvt, mul_operand, 32)
        scaled = round_shift_saturate(v * m, stage.truncate, 32)
        v = np.where(v >= 0, v, scaled) if stage.prelu else scaled
    if stage.alu is not None:
        a = alu_operand if stage.alu_cvt is None else _convert(stage.alu_cvt, alu_operand, 32)
        v = saturate(_alu(stage.alu, v, a), 32)
    if stage.lut is not None:
        v, counts = lookup_sdp(stage.lut, v)
        if count_lut:
            counters |= counts.registers("SDP")
    return v


def output_converter(cvt: Converter, v: Int64, bits: int) -> tuple[Int64, int]:
    """``bits`` wide results by way of 17 bits, and how many values the 17 bits clamped.

    (v - offset) is 33 bits, the product 49; the clamp to ``bits`` is not counted.
    """
    exact = round_shift((v - cvt.offset) * cvt.scale, cvt.truncate)
    clamped = saturate(exact, 17)
    return saturate(clamped, bits), int(np.count_nonzero(clamped != exact))


def _alu(op: AluOp, v: Int64, a: Int) -> Int64:
    if op is AluOp.MAX:
        return np.maximum(v, a)
    if op is AluOp.MIN:
        return np.minimum(v, a)
    if op is AluOp.SUM:
        return v + a
    return (v != a).astype(np.int64)  # EQL


def _convert(cvt: Converter, value: Int, bits: int) -> Int:
    return round_shift_saturate((value - cvt.offset) * cvt.scale, cvt.truncate, bits)


def _operands(
    config: Config, layer: SdpLayer, stage: XStage | YStage, ports: Ports, surfaces: int
) -> tuple[Int, Int]:
    """ALU's and MUL's operand: a register's int, or int64 [lane, y, x] or [lane, 1, 1] from memory."""
    memory = stage.memory
    if memory is None:
        return stage.alu_operand, stage.mul_operand
    atom = memory.atom(config.atom, layer.itemsize)
    if memory.per_element:
        height, width, surface = layer.height, layer.width, memory.surface
    else:
        height, width, surface = 1, 1, replace(memory.surface, line_stride=atom, surf_stride=atom)
    values = surface.read(ports, surfaces, height, width, atom, memory.itemsize)
    values = values.reshape(-1, 2 if memory.pairs else 1, height, width)
    return (
        values[:, 0] if stage.alu_operand is None else stage.alu_operand,
        values[:, -1] if stage.mul_operand is None else stage.mul_operand,
    )


def _check_destination(config: Config, layer: SdpLayer, ports: Ports, surfaces: int) -> None:
    """``ProgramError`` unless all batches' cubes are mapped."""
    if layer.destination is not None:
        out_surfaces = surfaces * layer.out_itemsize // layer.itemsize
        for batch in range(layer.batches):
            offset = batch * layer.destination_batch_stride
            layer.destination.view(ports, out_surfaces, layer.height, layer.width, config.atom, offset)
