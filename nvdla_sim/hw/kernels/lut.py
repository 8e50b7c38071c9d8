"""The tables of SDP's stage Y and of CDP for kernels: ``nvdla_sim.hw.lut`` one value at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.hw import lut as reference
from nvdla_sim.hw.kernels._jit import part
from nvdla_sim.hw.kernels._memory import address_of, int16_at
from nvdla_sim.hw.kernels._record import Int, Record, fill, integers
from nvdla_sim.hw.kernels.arith import round_shift, saturate, signed_shift_saturate

_SLOPE = np.dtype(integers("base", "scale", "shift"))
_TABLE = np.dtype(
    [
        *integers("entries", "last", "exponent", "offset", "select", "start"),
        ("underflow", _SLOPE),
        ("overflow", _SLOPE),
    ]
)
LUT = np.dtype(
    [("le", _TABLE), ("lo", _TABLE), *integers("lo_on_underflow", "lo_on_overflow", "lo_on_hybrid")]
)


def fill_lut(record: Any, lut: reference.Lut) -> list[NDArray[np.int16]]:
    """Set a LUT record; the arrays returned have to live as long as the record is used."""
    kept = []
    for name, table in (("le", lut.le), ("lo", lut.lo)):
        entries = np.ascontiguousarray(table.entries, np.int16)
        kept.append(entries)
        place = record[name]
        fill(place, {"entries": address_of(entries), "last": entries.size - 1, "exponent": table.exponent})
        fill(place, {"offset": table.offset, "select": table.select, "start": table.start})
        fill(place["underflow"], vars(table.underflow))
        fill(place["overflow"], vars(table.overflow))
    priorities = ("lo_on_underflow", "lo_on_overflow", "lo_on_hybrid")
    fill(record, {field: getattr(lut, field) for field in priorities})
    return kept


_UNDERFLOW, _HIT, _OVERFLOW = -1, 0, 1


@part
def lookup_sdp(lut: Record, x: Int) -> Int:
    """Stage Y's answer for a 32-bit value: 32 bits, from a fraction of 35 bits."""
    return _lookup(lut, x, 35, 32)


@part
def lookup_cdp(lut: Record, x: Int) -> Int:
    """CDP's answer for a 38-bit value: 16 bits, from a fraction of 16 bits."""
    return _lookup(lut, x, 16, 16)


@part
def _lookup(lut: Record, x: Int, fraction_bits: Int, bits: Int) -> Int:
    le, le_state = _ask(lut.le, x, fraction_bits, bits)
    lo, lo_state = _ask(lut.lo, x, fraction_bits, bits)
    if le_state == lo_state:
        use_lo = lut.lo_on_hybrid
        if le_state == _UNDERFLOW:
            use_lo = lut.lo_on_underflow
        elif le_state == _OVERFLOW:
            use_lo = lut.lo_on_overflow
    elif le_state != _HIT and lo_state != _HIT:
        use_lo = lut.lo_on_hybrid
    else:
        use_lo = np.int64(lo_state == _HIT)
    return lo if use_lo == 1 else le


@part
def _ask(table: Record, x: Int, fraction_bits: Int, bits: Int) -> tuple[Int, Int]:
    """One table's answer, saturated to ``bits``, and whether it underflowed, hit or overflowed."""
    entries = int16_at(table.entries)
    distance = x - table.start
    index, rest, rest_bits = np.int64(-1), np.int64(0), np.int64(0)
    if distance > 0:
        if table.exponent == 1:
            rest_bits = np.int64(math.frexp(np.float64(distance))[1] - 1)
            index, rest = rest_bits - table.offset, distance - (np.int64(1) << rest_bits)
        elif table.select >= 0:
            # a distance has at most 39 bits
            rest_bits = min(table.select, np.int64(62))
            index, rest = distance >> rest_bits, distance & ((np.int64(1) << rest_bits) - 1)
        else:
            index = distance << min(-table.select, np.int64(9))
    if index < 0:
        return _continue(table.underflow, np.int64(entries[0]), x, bits), _UNDERFLOW
    if index >= table.last:
        return _continue(table.overflow, np.int64(entries[table.last]), x, bits), _OVERFLOW
    fraction = rest << max(fraction_bits - rest_bits, 0) >> max(rest_bits - fraction_bits, 0)
    y0, y1 = np.int64(entries[index]), np.int64(entries[index + 1])
    # SDP's y0 * (1 - f) + y1 * f is y0 + (y1 - y0) * f before its one rounding; CDP rounds the second term
    if fraction_bits == 35:
        value = round_shift(y0 * ((np.int64(1) << 35) - fraction) + y1 * fraction, 35)
    else:
        value = y0 + round_shift((y1 - y0) * fraction, 16)
    return saturate(value, bits), _HIT


@part
def _continue(slope: Record, edge: Int, x: Int, bits: Int) -> Int:
    step = signed_shift_saturate((x - slope.base) * slope.scale, slope.shift, 32)
    return saturate(edge + step, bits)
