"""Runs of loadables written as text traces, and played."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nvdla_sim.errors import OptionError, UnsupportedError
from nvdla_sim.hw.config import config_named
from nvdla_sim.hw.execute import reference_executor
from nvdla_sim.loadable.loadable import Loadable
from nvdla_sim.runtime.session import Runtime
from tests.shared import TESTS, golden_paths
from tools.trace import main
from tools.trace_export import export
from tools.trace_format import read_memory
from tools.trace_player import play_trace

REPOSITORY = TESTS.parent
DIGITS = REPOSITORY / "loadables"
IMAGE = REPOSITORY / "nvdla_sim" / "demo" / "3.pgm"
TWO_ENGINES = golden_paths("recipes/11-dla-cpu-dla/*.nvdla")


def play(trace: Path, target: str) -> list[str]:
    return play_trace(trace, config_named(target), reference_executor)


@pytest.mark.parametrize("config", ["nv_small", "nv_large", "nv_full"])
def test_an_exported_run_plays_without_a_difference(tmp_path: Path, config: str):
    loadable = Loadable.load(DIGITS / f"digits.{config}.per-filter.nvdla")
    trace = export(loadable, IMAGE, tmp_path / "new" / "folder")
    assert trace == tmp_path / "new" / "folder" / f"digits_{config}_per_filter.cfg"
    text = trace.read_text()
    assert text.count("check_crc") >= 3
    starts = text.count("reg_write(NVDLA_CDMA.D_OP_ENABLE_0, 0x1);")
    assert starts == text.count("poll_reg_equal(NVDLA_CDMA.S_CBUF_FLUSH_STATUS_0, 0x1);")
    assert starts == text.count("sync_wait(NVDLA_CDMA, enabled_")  # for the units behind it in the chain
    assert play(trace, config) == []


@pytest.mark.parametrize("backwards", [False, True])
def test_the_order_of_the_units_does_not_matter(tmp_path: Path, backwards: bool):
    """The words alone hold the units together: here each unit does as much as it can before the next."""
    trace = export(Loadable.load(DIGITS / "digits.nv_small.per-kernel.nvdla"), IMAGE, tmp_path)
    lines = trace.read_text().splitlines()

    def unit(line: str) -> str:
        return line.partition("NVDLA_")[2].partition(".")[0].partition(",")[0]

    trace.write_text("\n".join(sorted(lines, key=unit, reverse=backwards)))
    assert play(trace, "nv_small") == []


def test_a_changed_image_changes_the_results(tmp_path: Path):
    loadable = Loadable.load(DIGITS / "digits.nv_small.per-kernel.nvdla")
    trace = export(loadable, IMAGE, tmp_path)
    (image,) = tmp_path.glob("*_input0.dat")
    image.write_text(image.read_text().replace("0x00", "0x40"))
    differing = play(trace, "nv_small")
    assert differing
    assert all("check_crc" in problem for problem in differing)


def test_another_memory_file_holds_the_weights(tmp_path: Path):
    loadable = Loadable.load(DIGITS / "digits.nv_small.per-kernel.nvdla")
    export(loadable, IMAGE, tmp_path)
    weights = max((blob.data for blob in loadable.blobs), key=len).tobytes()[:64]
    runs = [data.tobytes() for path in tmp_path.glob("*_memory*.dat") for _, data in read_memory(path)]
    assert any(weights.rstrip(b"\0") in run for run in runs)


@pytest.mark.parametrize("path", TWO_ENGINES, ids=lambda path: path.stem)
def test_cpu_operations_between_tasks_are_loaded(tmp_path: Path, path: Path):
    loadable = Loadable.load(path)
    target = path.stem.rpartition(".")[2]
    shapes = [(p.tensor.c, p.tensor.h, p.tensor.w) for p in Runtime(loadable, target).inputs]
    random = np.random.default_rng(1)
    inputs = [random.integers(-128, 128, shape).astype(np.int8) for shape in shapes]
    trace = export(loadable, inputs, tmp_path, target)
    assert play(trace, target) == []
    steps = list(tmp_path.glob("*_step*.dat"))
    assert len(steps) == path.name.startswith(("conv_softmax_conv", "luts_in_two_tasks"))
    for step in steps:
        step.write_text("{\n{offset:0x0, size:1, payload:0x55}\n}\n")
        assert play(trace, target)


def test_a_loadable_without_accelerator_work_is_refused(tmp_path: Path):
    for path in golden_paths("loadables/softmax/nv_small.int8-pk.nvdla"):
        with pytest.raises(UnsupportedError, match="runs nothing on the accelerator"):
            export(Loadable.load(path), np.zeros((10, 1, 1), np.int8), tmp_path, "nv_small")


def test_an_unknown_target_is_refused_before_anything_is_written(tmp_path: Path):
    loadable = Loadable.load(DIGITS / "digits.nv_small.per-kernel.nvdla")
    with pytest.raises(OptionError):
        export(loadable, IMAGE, tmp_path / "none", "nv_tiny")
    assert not (tmp_path / "none").exists()


def test_the_command_exports_and_plays(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    loadable = DIGITS / "digits.nv_small.per-kernel.nvdla"
    assert main(["--export", str(loadable), str(IMAGE), "-o", str(tmp_path)]) == 0
    trace = tmp_path / "digits_nv_small_per_kernel.cfg"
    assert capsys.readouterr().out == f"wrote {trace}\n"
    assert main([str(trace), "--target", "nv_small"]) == 0
    assert capsys.readouterr().out == "1 passed, 0 failed\n"
    assert main(["--export", str(loadable), str(IMAGE)]) == 2
    assert "-o DIR" in capsys.readouterr().err
