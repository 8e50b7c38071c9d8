"""One multiplication and one rounding, on int32 tiles in vector registers: what most layers of a network end with.

    out = saturate8(round_shift(clamp(v, low, high) * mul, shift))          for each channel its own numbers

``low`` and ``high`` hold ReLU and whatever else clamps, and never lie further out than where the result surely
saturates; that keeps the product short. Three forms, the first that fits is the fastest:

    NARROW   v * mul + half fits int32
    SPLIT    v = 256 * vh + vl:  (v * mul + half) >> s  =  (vh * mul + half / 256 + ((vl * mul) >> 8)) >> (s - 8)
    DOUBLE   float64, exact: |v * mul| < 2^48, so adding a half loses nothing, or the result is 0 anyway
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.hw.kernels._jit import part
from nvdla_sim.hw.kernels._vector import F64, I8, I32, Code, Value, routine, vector
from nvdla_sim.hw.kernels.microkernel import GROUP, TILE_ROW

Int64 = NDArray[np.int64]


class Form(IntEnum):
    NARROW = 0
    SPLIT = 1
    DOUBLE = 2


TABLE = np.dtype(
    [
        ("low", np.int32, GROUP),
        ("high", np.int32, GROUP),
        ("mul", np.int32, GROUP),
        ("half", np.int32, GROUP),
        ("shift", np.int32, GROUP),
        ("scale", np.float64, GROUP),
        ("unused", np.int32, 32),  # 1 KiB, so that every row is aligned
    ]
)
_LANES = 16
_INT32_MAX = (1 << 31) - 1


def table(low: Int64, high: Int64, mul: Int64, shift: Int64) -> tuple[NDArray[np.void], Form]:
    """TABLE [groups] and its form from per-channel numbers, each int64 [groups * GROUP]; |mul| < 2^15."""
    # halves always exist: v * mul is v * 2mul / 2
    mul, shift = np.where(shift == 0, 2 * mul, mul), np.maximum(shift, 1)
    magnitude = np.maximum(np.abs(mul), 1)
    # |v| >= this gives |result| >= 128.5; shifts above 54 saturate nothing that fits int32
    rail = np.minimum(-(-(np.int64(257) << np.minimum(shift, 54)) // (2 * magnitude)) + 1, _INT32_MAX)
    low, high = np.clip(low, -rail, rail), np.clip(high, -rail, rail)
    half = np.int64(1) << (np.minimum(shift, 54) - 1)
    form = Form.DOUBLE
    if (mul >= 0).all():
        if (shift <= 31).all() and (rail * mul + half <= _INT32_MAX).all():
            form = Form.NARROW
        elif (shift >= 8).all() and ((rail >> 8) * mul + (half >> 8) + mul <= _INT32_MAX).all():
            form = Form.SPLIT
    drop = 8 if form is Form.SPLIT else 0
    rows = np.zeros(mul.size // GROUP, TABLE)
    rows["low"] = low.reshape(-1, GROUP)
    rows["high"] = high.reshape(-1, GROUP)
    if form is not Form.DOUBLE:
        rows["mul"] = mul.reshape(-1, GROUP)
        rows["half"] = (half >> drop).reshape(-1, GROUP)
        rows["shift"] = (shift - drop).reshape(-1, GROUP)
    rows["scale"] = (mul * 0.5 ** shift.astype(np.float64)).reshape(-1, GROUP)
    return rows, form


def _narrow(code: Code, value: Value, row: dict[str, Value]) -> Value:
    builder = code.builder
    product = builder.mul(value, row["mul"])
    sign = builder.ashr(product, code.fill(I32, _LANES, 31))
    return builder.ashr(builder.add(builder.add(product, row["half"]), sign), row["shift"])


def _split(code: Code, value: Value, row: dict[str, Value]) -> Value:
    builder = code.builder
    sign = builder.ashr(value, code.fill(I32, _LANES, 31))
    low = builder.mul(builder.and_(value, code.fill(I32, _LANES, 255)), row["mul"])
    low = builder.ashr(builder.add(low, sign), code.fill(I32, _LANES, 8))
    high = builder.mul(builder.ashr(value, code.fill(I32, _LANES, 8)), row["mul"])
    return builder.ashr(builder.add(builder.add(high, low), row["half"]), row["shift"])


def _double(code: Code, value: Value, row: dict[str, Value]) -> Value:
    builder, kind = code.builder, vector(F64, _LANES)
    x = builder.fmul(builder.sitofp(value, kind), row["scale"])
    x = builder.fadd(x, code.call(f"llvm.copysign.v{_LANES}f64", kind, code.fill(F64, _LANES, 0.5), x))
    x = code.call(f"llvm.minnum.v{_LANES}f64", kind, x, code.fill(F64, _LANES, 1000.0))
    x = code.call(f"llvm.maxnum.v{_LANES}f64", kind, x, code.fill(F64, _LANES, -1000.0))
    return builder.fptosi(x, vector(I32, _LANES))  # towards zero


def _requantise(
    used: tuple[str, ...], rounded: Callable[[Code, Value, dict[str, Value]], Value]
) -> Callable[..., None]:
    def body(code: Code, tile: Value, count: Value, rows: Value, out: Value) -> None:
        def column(first: int) -> dict[str, Value]:
            values = {}
            for name in ("low", "high", *used):
                kind, offset = TABLE.fields[name][:2]
                element = F64 if name == "scale" else I32
                at = code.add(rows, offset + first * kind.base.itemsize)
                values[name] = code.load(vector(element, _LANES), at)
            return values

        columns = [column(first) for first in range(0, GROUP, _LANES)]

        def pixel(index: Value, _values: list[Value]) -> list[Value]:
            for i, row in enumerate(columns):
                at = code.add(code.add(tile, code.times(index, TILE_ROW)), 4 * _LANES * i)
                value = code.load(vector(I32, _LANES), at)
                value = code.smaller(code.larger(value, row["low"]), row["high"])
                value = rounded(code, value, row)
                value = code.larger(value, code.fill(I32, _LANES, -128))
                value = code.smaller(value, code.fill(I32, _LANES, 127))
                value = code.builder.trunc(value, vector(I8, _LANES))
                code.store(value, code.add(code.add(out, code.times(index, GROUP)), _LANES * i))
            return []

        code.loop(count, [], pixel)

    return routine(4, body)


_as_narrow = _requantise(("mul", "half", "shift"), _narrow)
_as_split = _requantise(("mul", "half", "shift"), _split)
_as_double = _requantise(("scale",), _double)


@part
def requantise(form: int, tile: int, count: int, rows: int, out: int) -> None:
    """Addresses: ``tile`` int32 [count, GROUP], ``rows`` one TABLE, ``out`` int8 [count, GROUP]; count >= 1."""
    if form == 0:
        _as_narrow(tile, count, rows, out)
    elif form == 1:
        _as_split(tile, count, rows, out)
    else:
        _as_double(tile, count, rows, out)


