"""PDP: maximum, minimum and average pooling of int8 cubes, in memory or left in a buffer by SDP."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.hw.kernels._jit import inlined, kernel, part
from nvdla_sim.hw.kernels._memory import int8_at, int64_at
from nvdla_sim.hw.kernels._record import Arguments, Int, Record, fill, integers
from nvdla_sim.hw.kernels._vector import I8, Code, Value, routine, vector
from nvdla_sim.hw.kernels.arith import round_shift, wrap
from nvdla_sim.hw.kernels.binding import Cube
from nvdla_sim.hw.kernels.block import CUBE
from nvdla_sim.hw.pdp import PdpLayer, PoolingMethod

_SIZES = (
    "width", "height", "out_width", "out_height", "kernel_width", "kernel_height", "stride_x", "stride_y",
    "pad_left", "pad_top", "recip_width", "recip_height",
)  # fmt: skip
PDP = np.dtype(
    [
        ("source", CUBE),
        ("destination", CUBE),
        *integers("average"),
        *integers("flip"),  # 0 for the maximum; -1 turns all bits, which makes it the minimum
        *integers(*_SIZES),
        *integers("pad_sums"),  # address of int64 [8]
    ]
)


@kernel()
def run_pdp(ops: Arguments) -> None:
    """Pool one cube; ``ops``: a PDP array of one element."""
    op = ops[0]
    sums = np.empty(op.source.pixel, np.int64)
    for surface in range(op.source.surfaces):
        for oy in range(op.out_height):
            source = op.source.address + surface * op.source.surf
            target = op.destination.address + surface * op.destination.surf + oy * op.destination.line
            if op.average == 1:
                _average_line(op, oy, source, target, sums)
            else:
                _extreme_line(op, oy, source, target)


@part
def _window(at: Int, stride: Int, pad: Int, kernel: Int, size: Int) -> tuple[Int, Int]:
    """The elements [first, last) of the cube that the ``at``-th window meets along one axis."""
    first = at * stride - pad
    return max(first, 0), min(first + kernel, size)


@inlined
def _extreme_line(op: Record, oy: Int, source: Int, target: Int) -> None:
    """One output line: windows that lie inside the cube in one go, those over an edge one by one."""
    atom, line = op.source.pixel, op.source.line
    top, bottom = _window(oy, op.stride_y, op.pad_top, op.kernel_height, op.height)
    ox = 0
    while ox < op.out_width:
        left, right = _window(ox, op.stride_x, op.pad_left, op.kernel_width, op.width)
        count = 1
        if right - left == op.kernel_width:
            count = min(op.out_width, (op.width - op.kernel_width + op.pad_left) // op.stride_x + 1) - ox
        at, step = source + top * line + left * atom, op.stride_x * atom
        place = target + ox * atom
        if atom == 32:
            _extreme_32(place, at, bottom - top, line, right - left, count, step, op.flip)
        elif atom == 16:
            _extreme_16(place, at, bottom - top, line, right - left, count, step, op.flip)
        else:
            _extreme_8(place, at, bottom - top, line, right - left, count, step, op.flip)
        ox += count


def _extreme(atom: int) -> Any:
    """``count`` atoms at ``target``, each the largest of rows x columns; windows are ``step`` bytes apart."""
    kind = vector(I8, atom)

    def body(code: Code, *values: Value) -> None:
        target, source, rows, line, columns, count, step, flip = values
        builder = code.builder
        turned = code.splat(builder.trunc(flip, I8), atom)

        def window(index: Value, _values: list[Value]) -> list[Value]:
            first = code.add(source, builder.mul(index, step))

            def row(index: Value, values: list[Value]) -> list[Value]:
                at = code.add(first, builder.mul(index, line))

                def column(index: Value, values: list[Value]) -> list[Value]:
                    value = code.load(kind, code.add(at, code.times(index, atom)))
                    return [code.larger(values[0], builder.xor(value, turned))]

                return code.loop(columns, values, column)

            largest = code.loop(rows, [code.fill(I8, atom, -128)], row)[0]
            code.store(builder.xor(largest, turned), code.add(target, code.times(index, atom)))
            return []

        code.loop(count, [], window)

    return routine(8, body)


_extreme_8, _extreme_16, _extreme_32 = (_extreme(atom) for atom in (8, 16, 32))


@inlined
def _average_line(op: Record, oy: Int, source: Int, target: Int, sums: NDArray[np.int64]) -> None:
    """Sum with what the padding adds, times both reciprocals, each rounded; the result wraps."""
    atom, line, pad_sums = op.source.pixel, op.source.line, int64_at(op.pad_sums)
    top, bottom = _window(oy, op.stride_y, op.pad_top, op.kernel_height, op.height)
    below = op.kernel_width * pad_sums[op.kernel_height - (bottom - top)]
    for ox in range(op.out_width):
        left, right = _window(ox, op.stride_x, op.pad_left, op.kernel_width, op.width)
        sums[:] = (bottom - top) * pad_sums[op.kernel_width - (right - left)] + below
        for y in range(top, bottom):
            for x in range(left, right):
                values = int8_at(source + y * line + x * atom)
                for lane in range(atom):
                    sums[lane] += values[lane]
        out = int8_at(target + ox * atom)
        for lane in range(atom):
            narrowed = round_shift(sums[lane] * op.recip_width, 16)
            out[lane] = wrap(round_shift(narrowed * op.recip_height, 16), 8)


def fill_pdp(layer: PdpLayer, op: Any, source: Cube, destination: Cube, pad_sums: int) -> None:
    """Fill a PDP record; ``pad_sums``: the address of the layer's eight sums."""
    source.fill(op["source"])
    destination.fill(op["destination"])
    fill(op, {name: getattr(layer, name) for name in _SIZES})
    average, least = (layer.method is method for method in (PoolingMethod.AVERAGE, PoolingMethod.MIN))
    fill(op, {"average": average, "flip": -least, "pad_sums": pad_sums})
