"""The two interpolated tables that SDP's stage Y and CDP share the idea of: LE and LO.

LE has 65 entries and a linear or an exponential index, LO has 257 entries and a linear index. Both are asked
for every value; a priority rule picks the answer.

Source: hardware-facts 4.3 to 4.5 (SDP) and 5.2 (CDP), checked against the chip's model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.hw.fixed_point import sign_extend
from nvdla_sim.hw.program import Group

Int16 = NDArray[np.int16]

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
    """The straight line that continues a table on one side: ``(x - base) * scale / 2^shift``."""

    scale: int  # int16
    shift: int  # -16..15; negative shifts left


@dataclass(frozen=True, eq=False)
class Table:
    """One table: ``entries`` int16 and how an index is made of a value.

    exponent: index = floor(log2(x - start)) - offset; otherwise index = (x - start) >> select.
    ``end`` is only the base of the overflow slope.
    """

    entries: Int16
    exponent: bool
    offset: int
    select: int
    start: int
    end: int
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


def decode_sdp(tables: LutTables) -> Lut:
    """SDP's tables: bounds are 32 bits, selects 8 bits signed."""

    def bound(group: Group, name: str) -> int:
        return group.signed(f"S_LUT_{name}.LUT_{name}", 32)

    group = Group("SDP", tables.registers, 0)
    return _decode(tables, group, {n: bound(group, n) for n in _BOUNDS}, select_bits=8)


def decode_cdp(tables: LutTables, itemsize: int) -> Lut:
    """CDP's tables: bounds are 38 bits in two registers, selects 6 bits signed (7 in int16)."""

    def bound(group: Group, name: str) -> int:
        low = group[f"S_LUT_{name}_LOW.LUT_{name}_LOW"]
        high = group[f"S_LUT_{name}_HIGH.LUT_{name}_HIGH"]
        return int(sign_extend(high << 32 | low, 38))

    group = Group("CDP", tables.registers, 0)
    return _decode(tables, group, {n: bound(group, n) for n in _BOUNDS}, select_bits=5 + itemsize)


_BOUNDS = ("LE_START", "LE_END", "LO_START", "LO_END")


def _decode(tables: LutTables, group: Group, bounds: dict[str, int], select_bits: int) -> Lut:
    def slope(table: str, side: str) -> Slope:
        name = f"{table}_SLOPE"
        return Slope(
            group.signed(f"S_LUT_{name}_SCALE.LUT_{name}_{side}_SCALE", 16),
            group.signed(f"S_LUT_{name}_SHIFT.LUT_{name}_{side}_SHIFT", 5),
        )

    def table(name: str, entries: Int16, exponent: bool) -> Table:
        return Table(
            entries=entries,
            exponent=exponent,
            offset=group.signed("S_LUT_INFO.LUT_LE_INDEX_OFFSET", 8) if exponent else 0,
            select=group.signed(f"S_LUT_INFO.LUT_{name}_INDEX_SELECT", select_bits) if not exponent else 0,
            start=bounds[f"{name}_START"],
            end=bounds[f"{name}_END"],
            underflow=slope(name, "UFLOW"),
            overflow=slope(name, "OFLOW"),
        )

    return Lut(
        le=table("LE", tables.le, exponent=group["S_LUT_CFG.LUT_LE_FUNCTION"] == 0),
        lo=table("LO", tables.lo, exponent=False),
        lo_on_underflow=group["S_LUT_CFG.LUT_UFLOW_PRIORITY"] == 1,
        lo_on_overflow=group["S_LUT_CFG.LUT_OFLOW_PRIORITY"] == 1,
        lo_on_hybrid=group["S_LUT_CFG.LUT_HYBRID_PRIORITY"] == 1,
    )
