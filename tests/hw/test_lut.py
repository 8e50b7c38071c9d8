from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvdla_sim.errors import ProgramError
from nvdla_sim.hw.config import CONFIGS
from nvdla_sim.hw.lut import Lut, LutTables, Slope, Table, decode_cdp, decode_sdp, lookup_cdp, lookup_sdp
from nvdla_sim.hw.program import Problems
from tests.hw import exact
from tests.hw.layer_case import registers


@st.composite
def tables(draw: st.DrawFn, size: int, bits: int) -> Table:
    """A table for values of ``bits`` bits; only the small one may be exponential."""
    entries = np.random.default_rng(draw(st.integers(0, 99))).integers(-(1 << 15), 1 << 15, size, np.int16)
    exponent = size == 65 and draw(st.booleans())
    return Table(
        entries=entries,
        start=draw(exact.signed(bits)),
        exponent=exponent,
        offset=draw(st.integers(-128, bits - 1)) if exponent else 0,
        select=0 if exponent else draw(st.integers(-12, bits - 1)),
        underflow=Slope(draw(exact.signed(bits)), draw(exact.signed(16)), draw(st.integers(-16, 15))),
        overflow=Slope(draw(exact.signed(bits)), draw(exact.signed(16)), draw(st.integers(-16, 15))),
    )


def luts(bits: int) -> st.SearchStrategy[Lut]:
    flag = st.booleans()
    return st.builds(Lut, tables(65, bits), tables(257, bits), flag, flag, flag)


def position(table: Table, x: int) -> Fraction | None:
    """Where between the entries the value lies; None up to the table's start, negative below its lowest."""
    distance = x - table.start
    if distance <= 0:
        return None
    if not table.exponent:
        return Fraction(distance) / Fraction(2) ** table.select
    power = distance.bit_length() - 1
    return power - table.offset + Fraction(distance, 1 << power) - 1


def ask(table: Table, x: int, fraction_bits: int, bits: int) -> tuple[str, int]:
    """("under", "over" or "hit", value)."""
    at, last = position(table, x), len(table.entries) - 1
    entries = table.entries.tolist()
    if at is None or at < 0 or at >= last:
        under = at is None or at < 0
        slope, edge = (table.underflow, entries[0]) if under else (table.overflow, entries[last])
        step = exact.saturate(exact.nearest((x - slope.base) * slope.scale, slope.shift), 32)
        return "under" if under else "over", exact.saturate(edge + step, bits)
    index = int(at)
    fraction = int((at - index) * (1 << fraction_bits)) if table.exponent or table.select > 0 else 0
    y0, y1 = entries[index], entries[index + 1]
    if fraction_bits == 35:
        value = exact.nearest(y0 * ((1 << 35) - fraction) + y1 * fraction, 35)
    else:
        value = y0 + exact.nearest((y1 - y0) * fraction, fraction_bits)
    return "hit", exact.saturate(value, bits)


def choose(lut: Lut, le: str, lo: str) -> bool:
    """Whether LO answers."""
    if le == lo == "under":
        return lut.lo_on_underflow
    if le == lo == "over":
        return lut.lo_on_overflow
    if (le == "hit") != (lo == "hit"):
        return lo == "hit"
    return lut.lo_on_hybrid


def near(lut: Lut, bits: int) -> st.SearchStrategy[list[int]]:
    """Values anywhere, and around both tables' starts and ends."""
    edges = [
        t.start + (step << max(t.select, 0)) for t in (lut.le, lut.lo) for step in (-1, 0, 1, 63, 64, 256)
    ]
    some = st.sampled_from([exact.saturate(e + d, bits) for e in edges for d in (-1, 0, 1, 5)])
    return st.lists(exact.signed(bits) | some, min_size=8, max_size=8)


@given(luts(32), st.data())
def test_sdp(lut: Lut, data: st.DataObject) -> None:
    xs = data.draw(near(lut, 32))
    values, counts = lookup_sdp(lut, np.array(xs, np.int64))
    sides = [(ask(lut.le, x, 35, 32), ask(lut.lo, x, 35, 32)) for x in xs]
    chosen = [lo if choose(lut, le[0], lo[0]) else le for le, lo in sides]
    assert values.tolist() == [value for _, value in chosen]
    kinds = [kind for kind, _ in chosen]
    assert counts == (
        kinds.count("under"),
        kinds.count("over"),
        kinds.count("hit"),
        sum(le[0] == "hit" for le, _ in sides),
        sum(lo[0] == "hit" for _, lo in sides),
    )


@given(luts(38), st.data())
def test_cdp(lut: Lut, data: st.DataObject) -> None:
    xs = data.draw(near(lut, 38))
    values, counts = lookup_cdp(lut, np.array(xs, np.int64))
    sides = [(ask(lut.le, x, 16, 16), ask(lut.lo, x, 16, 16)) for x in xs]
    assert values.tolist() == [(lo if choose(lut, le[0], lo[0]) else le)[1] for le, lo in sides]
    pairs = [(le[0], lo[0]) for le, lo in sides]
    assert counts[:2] == (pairs.count(("under", "under")), pairs.count(("over", "over")))
    assert counts.le_hit == sum(le == "hit" != lo for le, lo in pairs)
    assert counts.lo_hit == sum(lo == "hit" != le for le, lo in pairs)
    assert sum(counts) == len(xs)


def snapshot(unit: str, **fields: int) -> LutTables:
    values = registers(CONFIGS["nv_full"], unit)
    for name, value in fields.items():
        register = next(key for key in values if key.endswith(f".LUT_{name}"))
        values[register] = value
    return LutTables(registers=values)


def decoded(unit: str, itemsize: int = 1, **fields: int) -> Lut:
    problems = Problems(unit)
    tables = snapshot(unit, **fields)
    lut = decode_sdp(tables, problems) if unit == "SDP" else decode_cdp(tables, itemsize, problems)
    problems.stop()
    return lut


def test_fields_are_signed() -> None:
    lut = decoded("SDP", LE_START=0x8000_0000, LE_END=0xFFFF_FFFF, LO_INDEX_SELECT=0xFE)
    assert (lut.le.start, lut.le.overflow.base, lut.lo.select) == (-(1 << 31), -1, -2)
    lut = decoded("SDP", LO_SLOPE_OFLOW_SCALE=0x8000, LO_SLOPE_OFLOW_SHIFT=0x1F)
    assert lut.lo.overflow == Slope(0, -32768, -1)
    lut = decoded("CDP", LE_START_HIGH=0x20, LE_START_LOW=1, LO_END_HIGH=0x1F, LO_END_LOW=0xFFFF_FFFF)
    assert (lut.le.start, lut.lo.overflow.base) == (-(1 << 37) + 1, (1 << 37) - 1)


@pytest.mark.parametrize(("itemsize", "raw", "select"), [(1, 0x20, -32), (2, 0x20, 32), (2, 0x40, -64)])
def test_cdp_selects_have_a_width_of_their_own(itemsize: int, raw: int, select: int) -> None:
    assert decoded("CDP", itemsize, LO_INDEX_SELECT=raw).lo.select == select


@pytest.mark.parametrize(
    ("unit", "offset", "base"),
    [
        ("SDP", 0xFF, 100),
        ("SDP", 0, 100),
        ("SDP", 1, 102),
        ("CDP", 0xFF, 100),
        ("CDP", 0, 101),
        ("CDP", 3, 108),
    ],
)
def test_the_underflow_of_an_exponential_table_starts_at_its_lowest_power(
    unit: str, offset: int, base: int
) -> None:
    start = "LE_START" if unit == "SDP" else "LE_START_LOW"
    fields = {start: 100, "LE_INDEX_OFFSET": offset}
    assert decoded(unit, **fields).le.underflow.base == base
    assert decoded(unit, **fields, LE_FUNCTION=1).le.underflow.base == 100


def test_a_linear_table_takes_its_first_values_as_hits() -> None:
    """The test for an underflow is made before the shift: index 0 is reached from start + 1 on."""
    slope = Slope(0, 0, 0)
    table = Table(np.full(65, 7, np.int16), 10, False, 0, 4, slope, slope)
    below = replace(table, entries=np.full(65, 9, np.int16))
    lut = Lut(table, below, False, False, False)
    assert lookup_sdp(lut, np.array([10, 11]))[1] == (1, 0, 1, 1, 1)
    assert lookup_cdp(lut, np.array([10, 11]))[1] == (1, 0, 1, 0, 0)


def test_an_exponential_table_starts_at_its_lowest_power() -> None:
    """With offset 3 the values start + 1 to start + 7 are an underflow, start + 8 is the first entry."""
    slope = Slope(0, 0, 0)
    le = Table(np.full(65, 7, np.int16), 10, True, 3, 0, slope, slope)
    lo = Table(np.full(257, 9, np.int16), 100, False, 0, 0, slope, slope)
    lut = Lut(le, lo, False, False, False)
    for lookup in (lookup_sdp, lookup_cdp):
        assert [lookup(lut, np.array([10 + d]))[1].underflow for d in (1, 3, 4, 7, 8)] == [1, 1, 1, 1, 0]


@pytest.mark.parametrize(
    ("unit", "fields", "message"),
    [
        ("SDP", {"LE_INDEX_OFFSET": 32}, "LUT_LE_INDEX_OFFSET = 32"),
        ("SDP", {"LE_INDEX_SELECT": 32, "LE_FUNCTION": 1}, "LUT_LE_INDEX_SELECT = 32"),
        ("SDP", {"LO_INDEX_SELECT": 127}, "LUT_LO_INDEX_SELECT = 127"),
        ("CDP", {"LE_INDEX_OFFSET": 38}, "LUT_LE_INDEX_OFFSET = 38"),
    ],
)
def test_refuses_an_index_that_no_value_has(unit: str, fields: dict[str, int], message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        decoded(unit, **fields)


def test_takes_the_largest_offsets_and_selects() -> None:
    assert decoded("SDP", LE_INDEX_OFFSET=31, LO_INDEX_SELECT=31).lo.select == 31
    assert decoded("SDP", LE_INDEX_SELECT=31, LE_FUNCTION=1).le.select == 31
    assert decoded("CDP", LE_INDEX_OFFSET=37).le.offset == 37
