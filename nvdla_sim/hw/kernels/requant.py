"""One or two multiplications with rounding, on int32 tiles in vector registers: what most layers end with.

    out = saturate8(round_shift(clamp(v, low, high) * mul, shift))          for each channel its own numbers

``low`` and ``high`` hold ReLU and whatever else clamps, and never lie further out than where the result
surely saturates; that keeps the product short. The first form that fits is the fastest:

    NARROW   v * mul + half fits int32
    SPLIT    v = 256 * vh + vl:  (v * mul + half) >> s  =  (vh * mul + half / 256 + ((vl * mul) >> 8)) >> (s -
    8) DOUBLE   float64, exact: |v * mul| < 2^48, so adding a half loses nothing, or the result is 0 anyway
    CHAIN    two multiplications in float64: the products are below 2^49
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.hw.kernels._jit import inlined
from nvdla_sim.hw.kernels._record import Int
from nvdla_sim.hw.kernels._vector import F64, I8, I32, Code, Value, routine, vector
from nvdla_sim.hw.kernels.fold import Segment
from nvdla_sim.hw.kernels.microkernel import GROUP, TILE_ROW

Int64 = NDArray[np.int64]
Row = dict[str, Value]


class Form(IntEnum):
    NARROW = 0
    SPLIT = 1
    DOUBLE = 2
    CHAIN = 3


_INTEGERS = ("low", "high", "mul", "half", "shift")
_FLOATS = ("scale", "add", "second_low", "second_high", "second_scale")
TABLE = np.dtype(
    [(name, np.int32, GROUP) for name in _INTEGERS]
    + [(name, np.float64, GROUP) for name in _FLOATS]
    + [("unused", np.int32, 32)]  # 2 KiB, so that every row is aligned
)
TABLE_BYTES = TABLE.itemsize
_LANES = 16
_INT32_MAX = (1 << 31) - 1


def table(segments: list[Segment]) -> tuple[NDArray[np.void], Form]:
    """TABLE [groups] and its form; the segments have GROUP lanes for each group and |mul| <= 2^15."""
    first = segments[0]
    rows = np.zeros(first.mul.size // GROUP, TABLE)

    def put(name: str, values: Int64 | NDArray[np.float64]) -> None:
        rows[name] = values.reshape(-1, GROUP)

    low, high, mul = first.low, first.high, first.mul
    put("scale", mul * 0.5 ** first.shift.astype(np.float64))
    if len(segments) == 2:
        second = segments[1]
        put("low", np.clip(low, -_INT32_MAX - 1, _INT32_MAX))
        put("high", np.clip(high, -_INT32_MAX - 1, _INT32_MAX))
        put("add", second.start)
        put("second_low", second.low)
        put("second_high", second.high)
        put("second_scale", second.mul * 0.5 ** second.shift.astype(np.float64))
        return rows, Form.CHAIN
    # halves always exist: v * mul is v * 2mul / 2
    mul, shift = np.where(first.shift == 0, 2 * mul, mul), np.maximum(first.shift, 1)
    # |v| >= this gives |result| >= 128.5; shifts above 54 saturate nothing that fits int32
    magnitude = np.maximum(np.abs(mul), 1)
    rail = np.minimum(-(-(np.int64(257) << np.minimum(shift, 54)) // (2 * magnitude)) + 1, _INT32_MAX)
    put("low", np.clip(low, -rail, rail))
    put("high", np.clip(high, -rail, rail))
    half = np.int64(1) << (np.minimum(shift, 54) - 1)
    if (mul < 0).any():
        return rows, Form.DOUBLE
    if (shift <= 31).all() and (rail * mul + half <= _INT32_MAX).all():
        form, drop = Form.NARROW, 0
    elif (shift >= 8).all() and ((rail >> 8) * mul + (half >> 8) + mul <= _INT32_MAX).all():
        form, drop = Form.SPLIT, 8
    else:
        return rows, Form.DOUBLE
    put("mul", mul)
    put("half", half >> drop)
    put("shift", shift - drop)
    return rows, form


def _narrow(code: Code, value: Value, row: Row, _points: Value) -> Value:
    builder = code.builder
    product = builder.mul(value, row["mul"])
    sign = builder.ashr(product, code.fill(I32, _LANES, 31))
    return builder.ashr(builder.add(builder.add(product, row["half"]), sign), row["shift"])


def _split(code: Code, value: Value, row: Row, _points: Value) -> Value:
    builder = code.builder
    sign = builder.ashr(value, code.fill(I32, _LANES, 31))
    low = builder.mul(builder.and_(value, code.fill(I32, _LANES, 255)), row["mul"])
    low = builder.ashr(builder.add(low, sign), code.fill(I32, _LANES, 8))
    high = builder.mul(builder.ashr(value, code.fill(I32, _LANES, 8)), row["mul"])
    return builder.ashr(builder.add(builder.add(high, low), row["half"]), row["shift"])


def _double(code: Code, value: Value, row: Row, _points: Value) -> Value:
    product = code.builder.fmul(code.builder.sitofp(value, vector(F64, _LANES)), row["scale"])
    return _cut(code, product)


def _chain(code: Code, value: Value, row: Row, points: Value) -> Value:
    builder, kind = code.builder, vector(F64, _LANES)
    x = code.with_half(builder.fmul(builder.sitofp(value, kind), row["scale"]))
    x = code.call(f"llvm.trunc.v{_LANES}f64", kind, x)
    x = code.lesser(x, code.fill(F64, _LANES, float(_INT32_MAX)))
    x = code.greater(x, code.fill(F64, _LANES, float(-_INT32_MAX - 1)))
    x = builder.fadd(builder.fadd(x, row["add"]), builder.sitofp(points, kind))
    x = code.greater(code.lesser(x, row["second_high"]), row["second_low"])
    return _cut(code, builder.fmul(x, row["second_scale"]))


def _cut(code: Code, x: Value) -> Value:
    """Rounded to int32, by way of a clamp that saturating to 8 bits does not notice."""
    x = code.lesser(code.with_half(x), code.fill(F64, _LANES, 1000.0))
    x = code.greater(x, code.fill(F64, _LANES, -1000.0))
    return code.builder.fptosi(x, vector(I32, _LANES))  # towards zero


def _requantise(
    used: tuple[str, ...], rounded: Callable[[Code, Value, Row, Value], Value], with_points: bool = False
) -> Callable[..., None]:
    """``(tile, count, table row, points, out)``, all but ``count`` addresses."""

    def body(code: Code, tile: Value, count: Value, rows: Value, points: Value, out: Value) -> None:
        def columns(first: int) -> Row:
            values = {}
            for name in ("low", "high", *used):
                kind: Any = TABLE.fields and TABLE.fields[name]
                element, offset = (F64, 8 * first) if name in _FLOATS else (I32, 4 * first)
                values[name] = code.load(vector(element, _LANES), code.add(rows, kind[1] + offset))
            return values

        lanes = [(first, columns(first)) for first in range(0, GROUP, _LANES)]

        def pixel(index: Value, _values: list[Value]) -> list[Value]:
            line = code.times(index, TILE_ROW)
            for first, row in lanes:
                value = code.load(vector(I32, _LANES), code.add(code.add(tile, line), 4 * first))
                value = code.smaller(code.larger(value, row["low"]), row["high"])
                extra = None
                if with_points:
                    extra = code.load(vector(I32, _LANES), code.add(code.add(points, line), 4 * first))
                value = rounded(code, value, row, extra)
                value = code.larger(value, code.fill(I32, _LANES, -128))
                value = code.smaller(value, code.fill(I32, _LANES, 127))
                value = code.builder.trunc(value, vector(I8, _LANES))
                code.store(value, code.add(code.add(out, code.times(index, GROUP)), first))
            return []

        code.loop(count, [], pixel)

    return routine(5, body)


_as_narrow = _requantise(("mul", "half", "shift"), _narrow)
_as_split = _requantise(("mul", "half", "shift"), _split)
_as_double = _requantise(("scale",), _double)
_as_chain = _requantise(_FLOATS, _chain, with_points=True)


@inlined
def requantise(form: Int, tile: Int, count: Int, row: Int, points: Int, out: Int) -> None:
    """int32 [count, GROUP] at ``tile`` -> int8 [count, GROUP] at ``out``; count >= 1.

    ``row``: address of one TABLE. ``points``: of int32 [count, GROUP] to be added before the second
    multiplication of CHAIN; the other forms do not look at it.
    """
    if form == 0:
        _as_narrow(tile, count, row, points, out)
    elif form == 1:
        _as_split(tile, count, row, points, out)
    elif form == 2:
        _as_double(tile, count, row, points, out)
    else:
        _as_chain(tile, count, row, points, out)
