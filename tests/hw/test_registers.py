from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvdla_sim.errors import ProgramError
from nvdla_sim.hw.config import CONFIGS
from nvdla_sim.hw.registers import RegisterMap, register_map
from tests.shared import SHARED_GOLDENS

MAPS = {name: register_map(CONFIGS[name]) for name in ("nv_small", "nv_full")}


def test_configurations_share_the_map_of_their_family():
    assert register_map(CONFIGS["nv_large"]) is MAPS["nv_small"]
    assert register_map(CONFIGS["nv_full"]) is not MAPS["nv_small"]


@pytest.mark.parametrize(
    ("config", "unit", "name", "address"),
    [
        ("nv_small", "GLB", "S_INTR_STATUS", 0x100C),
        ("nv_full", "GLB", "S_INTR_STATUS", 0x000C),
        ("nv_small", "CDMA", "D_OP_ENABLE", 0x3010),
        ("nv_full", "CDMA", "D_OP_ENABLE", 0x5010),
        ("nv_small", "SDP", "S_LUT_ACCESS_DATA", 0x900C),
        ("nv_full", "RBK", "S_POINTER", 0x10004),
    ],
)
def test_addresses(config: str, unit: str, name: str, address: int):
    assert MAPS[config].address(unit, name) == address
    assert MAPS[config].decode(address) == (unit, name)


@pytest.mark.parametrize("registers", MAPS.values(), ids=list(MAPS))
def test_every_register_is_found_by_its_address_and_has_fields_that_do_not_overlap(registers: RegisterMap):
    seen = set()
    for unit in registers.bases:
        for name, register in registers.unit(unit).items():
            assert registers.at(register.address) is register
            assert (unit, name) == (register.unit, register.name)
            assert register.address == registers.bases[unit] + register.offset
            seen.add(register.address)
            bits = [bit for msb, lsb in register.fields.values() for bit in range(lsb, msb + 1)]
            assert len(bits) == len(set(bits))
            assert all(0 <= bit < 32 for bit in bits)
            covered = sum(1 << bit for bit in bits)
            assert register.write_mask & ~covered == 0
    assert len(seen) == sum(len(registers.unit(unit)) for unit in registers.bases)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(MAPS)), st.data(), st.integers(0, 2**32 - 1))
def test_fields_and_encode_are_inverse(config: str, data: st.DataObject, value: int):
    registers = MAPS[config]
    unit = data.draw(st.sampled_from(sorted(registers.bases)))
    name = data.draw(st.sampled_from(sorted(registers.unit(unit))))
    fields = registers.fields(unit, name, value)
    covered = registers.encode(
        unit, name, {f: (1 << (m - s + 1)) - 1 for f, (m, s) in _fields(registers, unit, name)}
    )
    plain = {key.removeprefix(f"{name}."): number for key, number in fields.items()}
    assert registers.encode(unit, name, plain) == value & covered


def _fields(registers: RegisterMap, unit: str, name: str) -> list[tuple[str, tuple[int, int]]]:
    return list(registers.register(unit, name).fields.items())


def test_fields_are_named_with_their_register():
    assert MAPS["nv_small"].fields("CSC", "D_BANK", 0x00030005) == {
        "D_BANK.DATA_BANK": 5,
        "D_BANK.WEIGHT_BANK": 3,
    }


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.at(0x3), "no register at byte address 0x3"),
        (lambda m: m.address("SPD", "D_CVT_SCALE"), 'did you mean "SDP"'),
        (lambda m: m.address("SDP", "D_CVT_SCAL"), 'did you mean "D_CVT_SCALE"'),
        (lambda m: m.encode("SDP", "D_CVT_SHIFT", {"SHIFT": 1}), 'no field "SHIFT"'),
        (lambda m: m.encode("SDP", "D_CVT_SHIFT", {"CVT_SHIFT": 64}), "0 .. 63 is allowed"),
        (lambda m: m.encode("SDP", "D_CVT_SHIFT", {"CVT_SHIFT": -1}), "0 .. 63 is allowed"),
    ],
)
def test_wrong_names_and_values_are_explained(call, message: str):
    with pytest.raises(ProgramError, match=message):
        call(MAPS["nv_small"])


@pytest.mark.parametrize("config", MAPS)
def test_the_map_holds_what_the_full_tables_say(config: str):
    path = SHARED_GOLDENS.parent / "facts" / "registers.json"
    if not path.exists():
        pytest.skip("the full register tables are not on this machine")
    table = json.loads(path.read_text())["nv_full_nvdlav1" if config == "nv_full" else "nv_small_master"]
    for unit, rows in table.items():
        for name, row in rows["registers"].items():
            register = MAPS[config].register(unit, name)
            got = (register.address, register.reset, register.write_mask, register.read_mask)
            assert got == (row["address"], row["reset"], row["write_mask"], row["read_mask"])
            assert {f: list(place) for f, place in register.fields.items()} == row["fields"]
