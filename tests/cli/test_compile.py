"""nvdla-compile as a user meets it: files, messages, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nvdla_sim.caffe.exporter import save_caffe
from nvdla_sim.cli.compile import main
from nvdla_sim.graph.graph import Graph
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.loadable.loadable import Loadable


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The needed options, and a working directory without anything else."""
    graph = Graph("net")
    graph.add_input("data", (3, 8, 8))
    weight = np.random.default_rng(1).normal(size=(4, 3, 3, 3)).astype(np.float32)
    graph.add("conv", Convolution(4, (3, 3), bias=False), ["data"], {"weight": weight})
    graph.outputs = ("conv",)
    save_caffe(graph, tmp_path / "net.prototxt", tmp_path / "net.caffemodel")
    (tmp_path / "Table.json").write_text(json.dumps({"data": {"scale": 1.0}, "conv": {"scale": 0.5}}))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    names = {"prototxt": "net.prototxt", "caffemodel": "net.caffemodel", "calibtable": "Table.json"}
    return [word for option, file in names.items() for word in (f"--{option}", str(tmp_path / file))]


def files() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def test_defaults_are_printed_and_the_profile_names_the_loadable(net, capsys) -> None:
    assert main(net) == 0
    assert files() == ["fast-math.nvdla"]
    out = capsys.readouterr().out
    for word in ("int8", "per-kernel", "fast-math", "nv_full", "batch 1", "nhwc"):
        assert word in out.splitlines()[0]
    (tensor, _) = Loadable.load("fast-math.nvdla").tensors
    assert tensor.pixel_format == 12


def test_options_reach_the_loadable(net, capsys) -> None:
    options = ["--configtarget", "nv_small", "--quantizationMode", "Per-Filter", "--informat", "NCHW"]
    assert main([*net, *options, "--profile", "basic", "--cprecision", "INT8", "--batch", "1"]) == 0
    assert files() == ["basic.nvdla"]
    (tensor, _) = Loadable.load("basic.nvdla").tensors
    assert (tensor.c, tensor.pixel_format) == (3, 37)
    assert "per-filter, basic, nv_small" in capsys.readouterr().out


def test_a_batch(net, capsys) -> None:
    assert main([*net, "--batch", "3"]) == 0
    assert [tensor.n for tensor in Loadable.load("fast-math.nvdla").tensors] == [3, 3]
    assert "batch 3" in capsys.readouterr().out.splitlines()[0]


def test_an_unknown_profile_is_an_output_name(net, capsys) -> None:
    assert main([*net, "--profile", "imagenet-int8.kernel"]) == 0
    assert files() == ["imagenet-int8.kernel.nvdla"]
    lines = [line for line in capsys.readouterr().out.splitlines() if "imagenet-int8.kernel" in line]
    assert "fast-math" in lines[0]


def test_o_is_the_file(net) -> None:
    assert main([*net, "-o", "net.bin", "--profile", "other"]) == 0
    assert files() == ["net.bin"]


def test_the_same_input_gives_the_same_bytes(net) -> None:
    assert main([*net, "-o", "a"]) == main([*net, "-o", "b"]) == 0
    assert Path("a").read_bytes() == Path("b").read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--configtarget", "nv_smal"], 'did you mean "nv_small"'),
        (["--quantizationMode", "per-channel"], "per-kernel, per-filter"),
        (["--informat", "nhcw"], 'did you mean "nhwc"'),
        (["--cprecision", "int16"], 'did you mean "int8"'),
        (["--cprecision", "fp16"], "fp16 is not built yet"),
        (["--batch", "0"], '--batch "0" is not a whole number from 1 on'),
        (["--batch", "-1"], '--batch "-1" is not a whole number from 1 on'),
        (["--batch", "two"], '--batch "two" is not a whole number from 1 on'),
        (["--batch", "99999999999"], '--batch "99999999999" is not a whole number'),
        (["--batch", "999999999"], "this net's largest batch is "),
        (["-o", "missing/net.nvdla"], "missing/net.nvdla"),
    ],
)
def test_wrong_values(net, capsys, options: list[str], message: str) -> None:
    assert main([*net, *options]) == 2
    error = capsys.readouterr().err
    assert error.startswith("nvdla-compile: error: ")
    assert message in error
    assert files() == []


def test_all_wrong_options_are_told_at_once(net, capsys) -> None:
    words = ["--configtarget", "nv-small", "--quantizationMode", "x", "--informat", "y", "--batch", "0"]
    assert main([*net[:4], *words, "--cprecision", "fp16"]) == 2
    headline, *problems = capsys.readouterr().err.splitlines()
    assert headline == "nvdla-compile: error: 6 options cannot be used:"
    for problem, word in zip(
        problems, ("nv-small", "Mode", "informat", "fp16", "batch", "calib"), strict=True
    ):
        assert word in problem
    assert files() == []


def test_wrong_and_missing_entries_are_told_at_once(net, capsys) -> None:
    Path(net[5]).write_text(json.dumps({"data": {"scale": -1}, "Conv": {"scale": 0.5}, "other": {}}))
    assert main(net) == 2
    headline, *problems = capsys.readouterr().err.splitlines()
    assert headline == f"nvdla-compile: error: calibration table {net[5]} cannot be used:"
    assert problems == [
        '  - "data" has scale -1: it must be above 0',
        '  - "other" needs "scale", or "min" and "max"',
        '  - no scale for layer "conv" (Convolution) did you mean "Conv"?',
    ]
    assert files() == []


def test_int8_needs_a_table(net, capsys) -> None:
    assert main(net[:4]) == 2
    error = capsys.readouterr().err
    assert "--calibtable" in error
    assert "nvdla-calibrate" in error


def test_files_that_are_not_there(net, capsys) -> None:
    for position in (1, 3, 5):
        options = list(net)
        options[position] += ".missing"
        assert main(options) == 2
        assert options[position] in capsys.readouterr().err
    assert files() == []


def test_the_case_of_the_table_counts(net) -> None:
    table = Path(net[5])
    table.rename(table.with_name("table.json"))
    exists = table.exists()  # on a file system that does not tell case apart
    assert main(net) == (0 if exists else 2)


def test_a_missing_option_is_told(capsys) -> None:
    with pytest.raises(SystemExit) as end:
        main([])
    assert end.value.code == 2
    assert "--prototxt" in capsys.readouterr().err


def test_the_memory_it_takes_is_told(net, capsys) -> None:
    assert main([*net, "--configtarget", "nv_small"]) == 0
    size = Path("fast-math.nvdla").stat().st_size
    last = capsys.readouterr().out.splitlines()[-1]
    assert f"fast-math.nvdla: {size} bytes" in last
    assert "0 of them for 0 bytes of tensors between layers" in last  # the only layer writes the output
