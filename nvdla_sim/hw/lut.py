"""The two interpolated tables of SDP's stage Y and of CDP: LE and LO.

LE has 65 entries and a linear or an exponential index, LO has 257 entries and a linear index. Both are asked
for every value; a priority rule picks the answer.

Source: hardware-facts 4.3 to 4.6 (SDP) and 5.2 (CDP), checked against the chip's model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.hw.fixed_point import round_shift, saturate, sign_extend, signed_shift_saturate
from nvdla_sim.hw.program import Group, Problems

Int16 = NDArray[np.int16]
Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

LE_ENTRIES = 65
LO_ENTRIES = 257


@dataclass(frozen=True, eq=False)
class LutTables:
    """A snapshot of one engine's table state: it exists once, both register groups use it.

    ``registers``: the engine's S_LUT_* registers as ``"REGISTER.FIELD"`` -> raw value.
    """

    le: Int16 = field(default_factory=lambda: np.zeros(LE_ENTRIES, np.int16))
    lo: Int16 = field(default_factory=lambda: np.zeros(LO_ENTRIES, np.int16))
    registers: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Slope:
    """The line that continues a table beyond one end: ``entry + (x - base) * scale / 2^shift``."""

    base: int
    scale: int  # int16
    shift: int  # -16..15; negative shifts left


@dataclass(frozen=True, eq=False)
class Table:
    """One table: ``entries`` int16 and how an index is made of a value.

    exponent: index = floor(log2(x - start)) - offset; otherwise index = (x - start) >> select, where a
    negative select shifts left. Values up to ``start`` are an underflow.
    """

    entries: Int16
    start: int
    exponent: bool
    offset: int
    select: int
    underflow: Slope
    overflow: Slope


@dataclass(frozen=True, eq=False)
class Lut:
    """Both tables and who answers when both miss on the same side, or when neither or both hit."""

    le: Table
    lo: Table
    lo_on_underflow: bool
    lo_on_overflow: bool
    lo_on_hybrid: bool


_COUNTERS = ("UFLOW", "OFLOW", "HYBRID", "LE_HIT", "LO_HIT")


class LutCounts(NamedTuple):
    """How many values were answered how, as the engine's performance counters tell it."""

    underflow: int
    overflow: int
    hybrid: int
    le_hit: int
    lo_hit: int

    def registers(self, unit: str) -> dict[str, int]:
        """The unit's counters that hold them, "UNIT.REGISTER" -> value."""
        return {f"{unit}.D_PERF_LUT_{name}": count for name, count in zip(_COUNTERS, self, strict=True)}


def decode_sdp(tables: LutTables, problems: Problems) -> Lut:
    """SDP's tables: bounds are 32 bits, selects 8 bits signed."""
    group = Group("SDP", tables.registers, 0)

    def bound(name: str) -> int:
        return group.signed(f"S_LUT_{name}.LUT_{name}", 32)

    lut = _decode(tables, group, bound, select_bits=8, lowest_power=1)
    problems.require(
        lut.le.offset <= 31, f"LUT_LE_INDEX_OFFSET = {lut.le.offset}: 32-bit values have exponents up to 31"
    )
    for name, table in (("LE", lut.le), ("LO", lut.lo)):
        problems.require(
            table.select <= 31, f"LUT_{name}_INDEX_SELECT = {table.select}: 32-bit values shift by 31 at most"
        )
    return lut


def decode_cdp(tables: LutTables, itemsize: int, problems: Problems) -> Lut:
    """CDP's tables: bounds are 38 bits in two registers, selects 6 bits signed (7 in int16)."""
    group = Group("CDP", tables.registers, 0)

    def bound(name: str) -> int:
        low = group[f"S_LUT_{name}_LOW.LUT_{name}_LOW"]
        high = group[f"S_LUT_{name}_HIGH.LUT_{name}_HIGH"]
        return int(sign_extend(high << 32 | low, 38))

    lut = _decode(tables, group, bound, select_bits=5 + itemsize, lowest_power=0)
    problems.require(
        lut.le.offset <= 37, f"LUT_LE_INDEX_OFFSET = {lut.le.offset}: 38-bit values have exponents up to 37"
    )
    return lut


def _decode(
    tables: LutTables, group: Group, bound: Callable[[str], int], select_bits: int, lowest_power: int
) -> Lut:
    """``lowest_power``: from this offset on an exponential table's lowest value starts its slope."""

    def slope(table: str, side: str, base: int) -> Slope:
        return Slope(
            base,
            group.signed(f"S_LUT_{table}_SLOPE_SCALE.LUT_{table}_SLOPE_{side}_SCALE", 16),
            group.signed(f"S_LUT_{table}_SLOPE_SHIFT.LUT_{table}_SLOPE_{side}_SHIFT", 5),
        )

    def table(name: str, entries: Int16, exponent: bool) -> Table:
        start = bound(f"{name}_START")
        offset = group.signed("S_LUT_INFO.LUT_LE_INDEX_OFFSET", 8) if exponent else 0
        select = 0 if exponent else group.signed(f"S_LUT_INFO.LUT_{name}_INDEX_SELECT", select_bits)
        lowest = 1 << offset if exponent and offset >= lowest_power else 0
        return Table(
            entries=entries,
            start=start,
            exponent=exponent,
            offset=offset,
            select=select,
            underflow=slope(name, "UFLOW", start + lowest),
            overflow=slope(name, "OFLOW", bound(f"{name}_END")),
        )

    return Lut(
        le=table("LE", tables.le, exponent=group["S_LUT_CFG.LUT_LE_FUNCTION"] == 0),
        lo=table("LO", tables.lo, exponent=False),
        lo_on_underflow=group["S_LUT_CFG.LUT_UFLOW_PRIORITY"] == 1,
        lo_on_overflow=group["S_LUT_CFG.LUT_OFLOW_PRIORITY"] == 1,
        lo_on_hybrid=group["S_LUT_CFG.LUT_HYBRID_PRIORITY"] == 1,
    )


def lookup_sdp(lut: Lut, x: Int64) -> tuple[Int64, LutCounts]:
    """Stage Y's answer for 32-bit values: 32 bits, from a fraction of 35 bits."""

    def between(y0: Int64, y1: Int64, fraction: Int64) -> Int64:
        return round_shift(y0 * ((1 << 35) - fraction) + y1 * fraction, 35)

    le, lo = (_ask(table, x, 35, between, 32) for table in (lut.le, lut.lo))
    use_lo = _pick_lo(lut, le, lo)
    underflow = np.where(use_lo, lo.underflow, le.underflow)
    overflow = np.where(use_lo, lo.overflow, le.overflow)
    counts = LutCounts(
        underflow=int(np.count_nonzero(underflow)),
        overflow=int(np.count_nonzero(overflow)),
        hybrid=int(np.count_nonzero(~(underflow | overflow))),
        le_hit=int(np.count_nonzero(le.hit)),
        lo_hit=int(np.count_nonzero(lo.hit)),
    )
    return np.where(use_lo, lo.value, le.value), counts


def lookup_cdp(lut: Lut, x: Int64) -> tuple[Int64, LutCounts]:
    """CDP's answer for 38-bit values: 16 bits, from a fraction of 16 bits."""

    def between(y0: Int64, y1: Int64, fraction: Int64) -> Int64:
        return y0 + round_shift((y1 - y0) * fraction, 16)

    le, lo = (_ask(table, x, 16, between, 16) for table in (lut.le, lut.lo))
    use_lo = _pick_lo(lut, le, lo)
    underflow, overflow = le.underflow & lo.underflow, le.overflow & lo.overflow
    le_only, lo_only = le.hit & ~lo.hit, lo.hit & ~le.hit
    counts = LutCounts(
        underflow=int(np.count_nonzero(underflow)),
        overflow=int(np.count_nonzero(overflow)),
        hybrid=int(np.count_nonzero(~(underflow | overflow | le_only | lo_only))),
        le_hit=int(np.count_nonzero(le_only)),
        lo_hit=int(np.count_nonzero(lo_only)),
    )
    return np.where(use_lo, lo.value, le.value), counts


class _Answer(NamedTuple):
    value: Int64
    underflow: Bool
    overflow: Bool

    @property
    def hit(self) -> Bool:
        return ~(self.underflow | self.overflow)


def _ask(
    table: Table, x: Int64, fraction_bits: int, between: Callable[[Int64, Int64, Int64], Int64], bits: int
) -> _Answer:
    """One table's answer, saturated to ``bits``."""
    distance = x - table.start
    index, rest, rest_bits = _index(table, np.maximum(distance, 1))
    fraction = rest << np.maximum(fraction_bits - rest_bits, 0) >> np.maximum(rest_bits - fraction_bits, 0)
    last = table.entries.size - 1
    underflow = (distance <= 0) | (index < 0)
    overflow = ~underflow & (index >= last)

    entries = table.entries.astype(np.int64)
    low = np.clip(index, 0, last - 1)
    hit = saturate(between(entries[low], entries[low + 1], fraction), bits)
    below = _continue(table.underflow, entries[0], x, bits)
    above = _continue(table.overflow, entries[last], x, bits)
    return _Answer(np.where(underflow, below, np.where(overflow, above, hit)), underflow, overflow)


def _index(table: Table, distance: Int64) -> tuple[Int64, Int64, Int64 | int]:
    """The index of distances >= 1 from the table's start, what is left over, and the bits that has."""
    if table.exponent:
        exponent = np.frexp(distance.astype(np.float64))[1].astype(np.int64) - 1  # exact below 2^53
        return exponent - table.offset, distance - (np.int64(1) << exponent), exponent
    if table.select >= 0:
        return distance >> table.select, distance & ((1 << table.select) - 1), table.select
    # 2^9 is beyond both tables: a longer left shift changes nothing
    return distance << min(-table.select, 9), np.zeros_like(distance), 0


def _continue(slope: Slope, edge: Int64, x: Int64, bits: int) -> Int64:
    step = signed_shift_saturate((x - slope.base) * slope.scale, slope.shift, 32)
    return saturate(edge + step, bits)


def _pick_lo(lut: Lut, le: _Answer, lo: _Answer) -> Bool:
    """Where LO answers: where it alone hits, or has the priority: see ``Lut``."""
    only_one = le.hit ^ lo.hit
    return np.where(
        le.underflow & lo.underflow,
        lut.lo_on_underflow,
        np.where(le.overflow & lo.overflow, lut.lo_on_overflow, np.where(only_one, lo.hit, lut.lo_on_hybrid)),
    )
