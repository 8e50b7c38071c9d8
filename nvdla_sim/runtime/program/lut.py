"""Lookup table descriptors -> registers and table entries of SDP's or CDP's LUT."""

from __future__ import annotations

from nvdla_sim.loadable.enums import LutMethod
from nvdla_sim.runtime.program.writes import Descriptor, Writes


def program(unit: str, lut: Descriptor, writes: Writes) -> None:
    """Write both tables and their configuration. ``unit``: SDP or CDP."""
    for table_id, entries in enumerate((lut.le, lut.lo)):
        writes.fields(unit, "S_LUT_ACCESS_CFG", LUT_TABLE_ID=table_id, LUT_ACCESS_TYPE=1)
        for entry in entries:
            writes.word(unit, "S_LUT_ACCESS_DATA", entry & 0xFFFF)
    writes.fields(
        unit,
        "S_LUT_CFG",
        LUT_LE_FUNCTION=lut.method,
        LUT_UFLOW_PRIORITY=lut.underflow_priority,
        LUT_OFLOW_PRIORITY=lut.overflow_priority,
        LUT_HYBRID_PRIORITY=lut.hybrid_priority,
    )
    exponential = lut.method == LutMethod.EXPONENTIAL
    writes.fields(
        unit,
        "S_LUT_INFO",
        LUT_LE_INDEX_OFFSET=lut.le_index & 0xFF if exponential else 0,
        LUT_LE_INDEX_SELECT=0 if exponential else lut.le_index & 0xFF,
        LUT_LO_INDEX_SELECT=lut.lo_index & 0xFF,
    )
    for name in ("le_start", "le_end", "lo_start", "lo_end"):
        register, bound = f"S_LUT_{name.upper()}", getattr(lut, name)
        if unit == "CDP":
            writes.word(unit, f"{register}_LOW", bound)
            writes.word(unit, f"{register}_HIGH", bound >> 32)
        else:
            writes.word(unit, register, bound)
    for table in ("le", "lo"):
        under, over = getattr(lut, f"{table}_underflow"), getattr(lut, f"{table}_overflow")
        writes.word(
            unit, f"S_LUT_{table.upper()}_SLOPE_SCALE", (over.scale & 0xFFFF) << 16 | under.scale & 0xFFFF
        )
        writes.word(
            unit, f"S_LUT_{table.upper()}_SLOPE_SHIFT", (over.shifter & 0x1F) << 5 | under.shifter & 0x1F
        )
