"""The command ``tools/trace.py``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.shared import COMMITTED_GOLDENS
from tools.golden_programs import Region, load, pack
from tools.trace import main

SELECTION = COMMITTED_GOLDENS / "random"


@pytest.mark.parametrize("engine", ["reference", "kernels"])
def test_golden_programs_are_counted(engine: str, capsys: pytest.CaptureFixture[str]):
    assert main(["--goldens", str(SELECTION), "--match", "nv_full.sdp*", "--engine", engine]) == 0
    assert capsys.readouterr().out.splitlines() == ["4 not yet supported (fp16)", "10 passed, 0 failed"]


def test_failing_golden_programs_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    cases = load(SELECTION / "nv_small.npz", "nv_small.pdp.*")
    memory, address, data = cases[0].outputs[0]
    wrong = replace(cases[0], outputs=(Region(memory, address, data ^ 1), *cases[0].outputs[1:]))
    (tmp_path / "x.npz").write_bytes(pack([wrong, *cases[1:]]))
    assert main(["--goldens", str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == cases[0].name
    assert f"0x{address:x}" in lines[1]
    assert lines[-1] == f"{len(cases) - 1} passed, 1 failed"


def test_text_traces_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    good, wrong = tmp_path / "good.cfg", tmp_path / "wrong.cfg"
    good.write_text("reg_read_check(NVDLA_GLB.S_INTR_MASK_0, 0);\n")
    wrong.write_text("reg_read_check(NVDLA_GLB.S_INTR_MASK_0, 1);\n")
    waiting = tmp_path / "waiting.cfg"
    waiting.write_text("sync_wait(NVDLA_SDP, never);\n")
    assert main([*map(str, (good, wrong, waiting)), "--target", "nv_large"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        str(wrong),
        "    line 1: reg_read_check: GLB.S_INTR_MASK reads 0x0, expected is 0x1",
        str(waiting),
    ]
    assert lines[-1] == "1 passed, 2 failed"


def test_traces_that_cannot_be_read_are_told_before_any_is_played(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    good, binary, missing = tmp_path / "good.cfg", tmp_path / "binary.cfg", tmp_path / "missing.cfg"
    good.write_text("reg_read_check(NVDLA_GLB.S_INTR_MASK_0, 0);\n")
    binary.write_bytes(bytes(range(256)))
    paths = (good, binary, missing, tmp_path, Path("/dev/zero"))
    assert main([*map(str, paths), "--target", "nv_large"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert f"{binary}:1: " in told.err
    assert f"{missing}: No such file or directory" in told.err
    assert f"{tmp_path}: Is a directory" in told.err
    assert "/dev/zero: a device, which may never end" in told.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "say what to do"),
        (["x.cfg", "--goldens", "x"], "say what to do"),
        (["x.cfg"], "give --target"),
        (["x.cfg", "--target", "nv_smal"], 'did you mean "nv_small"'),
        (["--goldens", "/nowhere"], "/nowhere holds no golden programs"),
        (["--goldens", str(SELECTION), "--match", "nothing*"], "holds no program named nothing*"),
    ],
)
def test_wrong_requests_are_explained(words: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    assert main(words) == 2
    assert message in capsys.readouterr().err
