"""nvdla-lint: what it prints, and its exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from nvdla_sim.cli.lint import main

NET = """
input: "data" input_shape { dim: 1 dim: 8 dim: 40 dim: 40 }
layer { name: "first" type: "ReLU" bottom: "data" top: "first" }
layer {
  name: "coarse" type: "Convolution" bottom: "first" top: "coarse"
  convolution_param { num_output: 4 kernel_size: 3 stride: %d }
}
"""


def written(tmp_path: Path, stride: int) -> str:
    path = tmp_path / "net.prototxt"
    path.write_text(NET % stride)
    return str(path)


def test_a_net_that_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, 8)
    assert main(["--prototxt", path, "--configtarget", "nv_small"]) == 0
    assert capsys.readouterr().out == f"{path}: all 2 layers can run on nv_small\n"


def test_a_net_that_does_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, 9)
    assert main(["--prototxt", path]) == 2
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        'line 4: layer "coarse" (Convolution): A convolution\'s stride is at most 8. Here: stride 9x9.',
        "  works: a part of the stride, and the rest in a MAX Pooling behind it: kernel 1, round_mode FLOOR.",
    ]
    assert told.err == f"nvdla-lint: error: {path}: 1 of 2 layers cannot run on nv_full\n"


def test_layers_that_nobody_knows_are_told_with_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "net.prototxt"
    reorg = 'layer { name: "reorg" type: "Reorg" bottom: "coarse" top: "reorg" }\n'
    behind = 'layer { name: "behind" type: "ReLU" bottom: "reorg" top: "behind" }\n'
    path.write_text(NET % 9 + reorg + behind)
    assert main(["--prototxt", str(path)]) == 2
    told = capsys.readouterr()
    first, second, _ = told.out.splitlines()
    assert first.startswith('line 8, layer "reorg" (Reorg): this type of layer is not supported; instead: ')
    assert second.startswith('line 4: layer "coarse" (Convolution)')
    assert "2 of 3 layers cannot run on nv_full, and those behind unknown ones" in told.err
    path.write_text((NET % 9 + reorg).replace("num_output", "num_outputs"))
    assert main(["--prototxt", str(path)]) == 2
    assert 'did you mean "num_output"?' in capsys.readouterr().err


def test_wrong_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, 8)
    assert main(["--prototxt", path, "--configtarget", "nv_tiny"]) == 2
    assert main(["--prototxt", path, "--informat", "NCHW"]) == 0
    assert main(["--prototxt", path, "--informat", "nchv"]) == 2
    assert main(["--prototxt", str(tmp_path / "missing.prototxt")]) == 2
    assert capsys.readouterr().err.count("nvdla-lint: error: ") == 3
