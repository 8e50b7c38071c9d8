"""CDP: local response normalisation of int8 cubes, pixel by pixel over all channels."""

from __future__ import annotations

from typing import Any

import numpy as np

from nvdla_sim.hw.cdp import CdpLayer
from nvdla_sim.hw.kernels import lut
from nvdla_sim.hw.kernels._jit import kernel
from nvdla_sim.hw.kernels._memory import int8_at
from nvdla_sim.hw.kernels._record import Arguments, fill, integers
from nvdla_sim.hw.kernels.arith import round_shift_saturate
from nvdla_sim.hw.kernels.binding import Binding, Cube
from nvdla_sim.hw.kernels.block import CUBE

_NUMBERS = (
    "width", "height", "channels", "reach", "square_sum", "multiply",
    "in_offset", "in_scale", "in_shift", "out_offset", "out_scale", "out_shift",
)  # fmt: skip
CDP = np.dtype([("source", CUBE), ("destination", CUBE), ("lut", lut.LUT), *integers(*_NUMBERS)])


@kernel()
def run_cdp(ops: Arguments) -> None:
    """Normalise one cube; ``ops``: a CDP array of one element."""
    op = ops[0]
    atom, reach = op.source.pixel, op.reach
    lanes = op.source.surfaces * atom
    q = np.zeros(lanes + 2 * reach, np.int64)  # lanes beyond the channels, and those outside, stay 0
    for y in range(op.height):
        for x in range(op.width):
            source = op.source.address + y * op.source.line + x * atom
            target = op.destination.address + y * op.destination.line + x * atom
            for c in range(op.channels):
                value = int8_at(source + c // atom * op.source.surf)[c % atom]
                scaled = (np.int64(value) - op.in_offset) * op.in_scale
                q[reach + c] = round_shift_saturate(scaled, op.in_shift, 9)
            for c in range(lanes):
                centre = q[reach + c]
                index = centre
                if op.square_sum == 1:
                    index = np.int64(0)
                    for i in range(2 * reach + 1):
                        index += q[c + i] * q[c + i]
                answer = lut.lookup_cdp(op.lut, index)
                result = answer * centre if op.multiply == 1 else answer
                scaled = (result - op.out_offset) * op.out_scale
                place = int8_at(target + c // atom * op.destination.surf)
                place[c % atom] = round_shift_saturate(scaled, op.out_shift, 8)


def fill_cdp(layer: CdpLayer, binding: Binding, op: Any, source: Cube, destination: Cube) -> None:
    """Fill a CDP record."""
    source.fill(op["source"])
    destination.fill(op["destination"])
    for entries in lut.fill_lut(op["lut"], layer.lut):
        binding.keep(entries)
    fill(op, {name: getattr(layer, name) for name in _NUMBERS})
