"""nvdla-inspect: text, JSON, picture, check, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from nvdla_sim.cli.inspect import main
from tests.shared import COMMITTED_GOLDENS, TESTS

DIGITS = str(TESTS.parent / "loadables" / "digits.nv_large.per-kernel.nvdla")
REFUSED = str(COMMITTED_GOLDENS / "loadables" / "pool_max9" / "nv_large.int8-pk.nvdla")
RACY = str(COMMITTED_GOLDENS / "loadables" / "eltwise_sum_relu" / "nv_small.int8-pf.nvdla")


def test_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([DIGITS]) == 0
    told = capsys.readouterr().out
    assert "for nv_large (as its compiler noted)" in told
    assert "0 CONV    conv1" in told
    assert "task 1 on the CPU" in told
    assert 'from operation 9; gives "prob"' in told


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([DIGITS, "--json", "--configtarget", "nv_large"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["units"][0]["operations"][0]["layer"] == "conv1"
    assert told["assumption"] is None


def test_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.svg"
    assert main([REFUSED, "--svg", str(path), "--json"]) == 0
    json.loads(capsys.readouterr().out)
    root = ElementTree.parse(path).getroot()
    svg = "{http://www.w3.org/2000/svg}"
    boxes = root.findall(f"{svg}g")
    texts = [[text.text for text in box.findall(f"{svg}text")] for box in boxes]
    assert texts[1][:2] == ["PDP", "operation 0"]
    strokes = [rect.attrib["stroke"] for box in boxes for rect in box.findall(f"{svg}rect")]
    assert strokes == ["#5b6470", "#d02020", "#5b6470"]
    assert len(root.findall(f"{svg}path")) == 0  # a refused operation reads nothing


def test_picture_of_a_net(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.svg"
    assert main([DIGITS, "--svg", str(path)]) == 0
    assert f"wrote {path}" in capsys.readouterr().out
    content = path.read_text()
    assert content.count("<rect") == 1 + 9  # background; input, seven units, output
    assert content.count("<path") == 8


def test_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([DIGITS, "--check"]) == 0
    assert "0 errors, 0 warnings" in capsys.readouterr().out
    assert main([RACY, "--check"]) == 0
    told = capsys.readouterr().out
    assert "0 errors, " in told
    assert "warning: task 0: operation" in told
    assert main([REFUSED, "--check", "--configtarget", "nv_large"]) == 2
    captured = capsys.readouterr()
    assert "2 errors, 0 warnings" in captured.out
    assert "would not run on nv_large:" in captured.err
    assert "a pool of size 9 is not possible" in captured.err


def test_check_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([REFUSED, "--check", "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert len(told["errors"]) == 2
    assert told["warnings"] == []


def test_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "broken.nvdla"
    broken.write_bytes(Path(DIGITS).read_bytes()[:5000])
    assert main([str(broken), "--check"]) == 2
    assert "damaged or cut short" in capsys.readouterr().err
    assert main([DIGITS, "--configtarget", "nv_lage"]) == 2
    assert "did you mean" in capsys.readouterr().err
    assert main([DIGITS, "--check", "--svg", str(tmp_path / "x.svg")]) == 2
    assert not (tmp_path / "x.svg").exists()
