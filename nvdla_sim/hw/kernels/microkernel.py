"""The innermost loops of a convolution: 7 or 14 pixels times 32 kernels, in one form for each kind of CPU.

    tile[pixel, kernel] = start[kernel] + sum of data[pixel, step, lane] * weights[step, kernel, lane]

A step is four bytes of data. The data of a run of pixels lie ``pixel_step`` bytes apart in the packed input;
for one pixel they are pieces ("taps": a byte offset and a number of steps each) of it. All of that is known
at run time only, so one compiled form serves every atom, kernel size, stride and dilation.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nvdla_sim.hw.kernels._jit import inlined, target
from nvdla_sim.hw.kernels._record import Int
from nvdla_sim.hw.kernels._vector import I8, I16, I32, I64, Code, Value, routine, vector

RUN = 7  # pixels that lie next to each other: most networks' widths are multiples of 7
GROUP = 32  # kernels of a tile
TILE_ROW = GROUP * 4  # bytes of a tile for one pixel
TAP = np.dtype([("offset", np.int64), ("steps", np.int64)])


@dataclass(frozen=True)
class Isa:
    """A kind of CPU: how data and weights are packed for it, and its multiply."""

    name: str
    element: type[np.generic]  # of the packed input
    weight: type[np.generic]  # of the packed weights, as wide
    bias: int  # added to each packed element: the accumulators have to start at -bias * sum(weights)
    lanes: int  # kernels of a vector register
    vectors: int  # registers of kernels; lanes * vectors divides GROUP
    pair_runs: bool  # whether the accumulators of two runs fit the registers
    multiply: Callable[[Code, Value, Value, Value], Value]  # accumulators, data of one pixel, weights

    @property
    def itemsize(self) -> int:
        """Bytes of a packed element."""
        return np.dtype(self.element).itemsize

    @property
    def lanes_per_step(self) -> int:
        """Channels of a step."""
        return 4 // self.itemsize


def _multiply_vnni(code: Code, total: Value, data: Value, weights: Value) -> Value:
    """u8 data times s8 weights, four products in each 32-bit lane; nothing saturates."""
    bits = code.builder.bitcast
    kind = vector(I8, 4 * total.type.count)
    return code.call("llvm.x86.avx512.vpdpbusd.512", total.type, total, bits(data, kind), bits(weights, kind))


def _multiply_pairs(code: Code, total: Value, data: Value, weights: Value) -> Value:
    """int16 pairs; LLVM makes vpdpwssd, vpmaddwd, pmaddwd or widening multiplies of it: what the CPU has."""
    builder, lanes = code.builder, total.type.count
    wide = vector(I32, 2 * lanes)
    a, b = (builder.sext(builder.bitcast(v, vector(I16, 2 * lanes)), wide) for v in (data, weights))
    products = builder.mul(a, b)
    even, odd = (code.lanes(products, products, range(i, 2 * lanes, 2)) for i in (0, 1))
    return builder.add(builder.add(even, odd), total)


@functools.cache
def isa_named(name: str) -> Isa:
    """The form of this name: "vnni" (AVX-512 VNNI) or "portable"."""
    if name == "vnni":
        return Isa("vnni", np.uint8, np.int8, 128, 16, 2, True, _multiply_vnni)
    features = target()[2]
    if "avx512bw" in features:
        return Isa("portable", np.int16, np.int16, 0, 16, 2, True, _multiply_pairs)
    # 16 registers: measured, one vector of kernels is the best; two SSE registers make one
    return Isa("portable", np.int16, np.int16, 0, 8, 1, "avx2" in features, _multiply_pairs)


def best_isa() -> Isa:
    """The fastest form for this CPU. A missing instruction is no error: LLVM aborts the process on it."""
    return isa_named("vnni" if "avx512vnni" in target()[2] else "portable")


def _block(isa: Isa, runs: int, pixels: int) -> Callable[..., None]:
    """The loops for ``runs`` runs of ``pixels`` pixels and ``isa.lanes * isa.vectors`` kernels."""
    kind = vector(I32, isa.lanes)
    row = 4 * isa.lanes

    def body(code: Code, *values: Value) -> None:
        first, second, taps, tap_count, pixel_step, weights, start, tile = values
        offsets = [code.times(pixel_step, p) for p in range(pixels)]
        initial = [code.load(kind, code.add(start, row * v)) for v in range(isa.vectors)]

        def tap(index: Value, values: list[Value]) -> list[Value]:
            entry = code.add(taps, code.times(index, TAP.itemsize))
            offset, steps = code.load(I64, entry), code.load(I64, code.add(entry, 8))
            bases = [code.add(data, offset) for data in (first, second)[:runs]]

            def step(index: Value, values: list[Value]) -> list[Value]:
                at, totals = values[0], iter(values[1:])
                w = [code.load(kind, code.add(at, row * v)) for v in range(isa.vectors)]
                results = [code.add(at, TILE_ROW)]
                for base in bases:
                    place = code.add(base, code.times(index, 4))
                    for offset in offsets:
                        x = code.splat(code.load(I32, code.add(place, offset)), isa.lanes)
                        results += [isa.multiply(code, next(totals), x, w[v]) for v in range(isa.vectors)]
                return results

            return code.loop(steps, values, step)

        totals = code.loop(tap_count, [weights, *initial * (runs * pixels)], tap)[1:]
        for i, total in enumerate(totals):
            code.store(total, code.add(tile, i // isa.vectors * TILE_ROW + i % isa.vectors * row))

    return routine(8, body)


def tile_multiplier(isa: Isa) -> Callable[..., None]:
    """``multiply(data, runs, run, taps, tap_count, pixel_step, weights, start, tile)`` for kernels.

    ``data``: addresses of the first pixel of each of ``runs`` runs, each of ``run`` pixels: RUN or 1.
    ``tile``: address of int32 [runs * run, GROUP].
    """
    columns = 4 * isa.lanes * isa.vectors
    single, one = _block(isa, 1, RUN), _block(isa, 1, 1)
    double = _block(isa, 2, RUN) if isa.pair_runs else single
    pair_runs = isa.pair_runs

    @inlined
    def multiply(
        data: Sequence[int],
        runs: Int,
        run: Int,
        taps: Int,
        tap_count: Int,
        pixel_step: Int,
        weights: Int,
        start: Int,
        tile: Int,
    ) -> None:
        for column in range(0, TILE_ROW, columns):
            w, s, t, i = weights + column, start + column, tile + column, 0
            if run == RUN:
                if pair_runs:
                    while i + 1 < runs:
                        double(data[i], data[i + 1], taps, tap_count, pixel_step, w, s, t)
                        t += 2 * RUN * TILE_ROW
                        i += 2
                while i < runs:
                    single(data[i], 0, taps, tap_count, pixel_step, w, s, t)
                    t += RUN * TILE_ROW
                    i += 1
            else:
                while i < runs:
                    one(data[i], 0, taps, tap_count, pixel_step, w, s, t)
                    t += TILE_ROW
                    i += 1

    return multiply
