from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nvdla_sim.errors import ProgramError, UnsupportedError
from nvdla_sim.hw.config import CONFIGS
from nvdla_sim.hw.execute import reference_executor
from tests.shared import COMMITTED_GOLDENS
from tools.golden_programs import READ, Case, Region, load, pack, play

SELECTION = COMMITTED_GOLDENS / "random"


def case_of(engine: str, config: str = "nv_small") -> Case:
    return next(case for case in load(SELECTION / f"{config}.npz") if case.engine == engine)


def with_byte_changed(case: Case, at: int) -> Case:
    """The case with one expected output byte, ``at`` behind the guard bytes, made wrong."""
    memory, address, data = case.outputs[-1]
    changed = data.copy()
    changed[32 + at] ^= 0x81
    return replace(case, outputs=(*case.outputs[:-1], Region(memory, address, changed)))


def test_a_wrong_byte_is_named_with_its_element():
    case = case_of("pdp")
    assert play(case, reference_executor) == []
    (problem,) = play(with_byte_changed(case, 8 + 3), reference_executor)
    address = case.outputs[-1].address + 32 + 11
    right = case.outputs[-1].data[32 + 11]
    assert f"0x{address:x}, (c, y, x) = (3, 0, 1) of launch 0's" in problem
    assert f": 0x{right:02x}, the chip has 0x{right ^ 0x81:02x} (1 of " in problem


@pytest.mark.parametrize("engine", ["sdp", "cdp", "fly", "rubik", "bdma", "batch"])
def test_elements_of_every_engine_have_names(engine: str):
    (problem,) = play(with_byte_changed(case_of(engine, "nv_full"), 0), reference_executor)
    assert ") of launch " in problem


def test_a_changed_guard_byte_belongs_to_no_cube():
    (problem,) = play(with_byte_changed(case_of("pdp"), -1), reference_executor)
    assert "outside every destination cube" in problem


def test_memory_that_only_is_read_must_stay():
    case = case_of("sdp")
    # the bytes under the output are an input, too; without the output they have to stay
    (problem,) = play(replace(case, outputs=()), reference_executor)
    assert "(c, y, x) = (0, 0, 0)" in problem
    assert "the chip has 0xa5" in problem


def test_a_wrong_register_read_is_named():
    case = case_of("sdp")
    ops = np.array([*case.ops.tolist(), [READ, 0x9004, 7]], np.uint32)
    (problem,) = play(replace(case, ops=ops), reference_executor)
    assert problem == f"op {len(ops) - 1}: SDP.S_POINTER reads 65536, the chip gave 7"


def test_an_unknown_code_is_refused():
    case = case_of("sdp")
    with pytest.raises(ProgramError, match="op 0: code 9 is not known"):
        play(replace(case, ops=np.array([[9, 0, 0]], np.uint32)), reference_executor)


def test_fp16_is_refused():
    case = case_of("sdp_f16", "nv_full")
    assert case.fp16
    with pytest.raises(UnsupportedError):
        play(case, reference_executor)


def test_the_selection_has_every_configuration_and_engine():
    engines = {path.stem: {case.engine for case in load(path)} for path in SELECTION.glob("*.npz")}
    assert set(engines) == set(CONFIGS)
    everywhere = {"sdp", "sdp_lut", "dc", "img", "pdp", "cdp", "fly", "chain", "reuse"}
    assert all(everywhere <= found for found in engines.values())
    assert {"dc_i16", "wino", "comp", "batch", "rubik", "bdma", "sdp_f16"} <= engines["nv_full"]


def test_pack_is_the_inverse_of_load(tmp_path: Path):
    cases = load(SELECTION / "nv_small.npz")
    path = tmp_path / "cases.npz"
    path.write_bytes(pack(cases))
    again = load(path)
    assert [case.name for case in again] == [case.name for case in cases]
    for one, other in zip(cases, again, strict=True):
        assert np.array_equal(one.ops, other.ops)
        for a, b in zip((*one.inputs, *one.outputs), (*other.inputs, *other.outputs), strict=True):
            assert a[:2] == b[:2]
            assert np.array_equal(a.data, b.data)


def test_load_takes_only_cases_that_match():
    cases = load(SELECTION / "nv_small.npz", "nv_small.dc.*")
    assert {case.engine for case in cases} == {"dc"}
    assert load(SELECTION / "nv_small.npz", "nv_large.*") == []


@pytest.mark.parametrize("content", [b"", b"not a zip file", b"PK\x03\x04 torn"])
def test_other_files_are_refused(tmp_path: Path, content: bytes):
    path = tmp_path / "x.npz"
    path.write_bytes(content)
    with pytest.raises(ProgramError, match=r"x.npz is not a file of golden programs"):
        load(path)
