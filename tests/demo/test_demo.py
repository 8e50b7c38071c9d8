"""The demo net: the command, the ten digits on every configuration, the ready-made loadables."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest

import nvdla_sim as nv
from nvdla_sim import demo
from nvdla_sim.demo.__main__ import main
from nvdla_sim.graph.graph import Graph
from nvdla_sim.hw.config import CONFIGS
from tools.make_loadables import MODES, ready_made

READY_MADE = {path.name: (path, loadable) for path, loadable in ready_made()}


@pytest.fixture(scope="module")
def graph() -> Graph:
    from nvdla_sim.caffe.importer import load_caffe

    return load_caffe(demo.PROTOTXT, demo.CAFFEMODEL)


@pytest.mark.parametrize("name", READY_MADE)
def test_ready_made_loadable_is_what_the_compiler_gives(name: str) -> None:
    path, fresh = READY_MADE[name]
    same = path.read_bytes() == fresh.to_bytes()
    assert same, "run tools/make_loadables.py and commit its files"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("target", CONFIGS)
def test_every_configuration_reads_every_digit_alike(target: str, mode: str) -> None:
    loadable = nv.compile(
        demo.PROTOTXT, demo.CAFFEMODEL, calibration=demo.TABLE, target=target, quantization=mode
    )
    runtime = nv.Runtime(loadable, target=target)
    small = nv.Runtime(READY_MADE[f"digits.nv_small.{mode}.nvdla"][1], target="nv_small")
    for digit in range(10):
        (output,) = runtime.run(demo.picture(digit))
        assert output.values.argmax() == digit
        # the arithmetic is that of the net, whatever the width of the hardware
        np.testing.assert_array_equal(output.values, small.run(demo.picture(digit))[0].values)


def test_int8_scores_are_close_to_float(graph: Graph) -> None:
    from PIL import Image

    runtime = nv.Runtime(READY_MADE["digits.nv_small.per-filter.nvdla"][1])
    for digit in range(10):
        pixels = np.asarray(Image.open(demo.picture(digit)), np.float32) / 255
        ideal = graph.run({"data": pixels[None, None]})[graph.outputs[0]].reshape(-1)
        (output,) = runtime.run(demo.picture(digit))
        assert output.scale is not None
        np.testing.assert_allclose(output.values.reshape(-1) * output.scale, ideal, atol=0.1)


def test_command_shows_picture_scores_and_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--digit", "3"]) == 0
    text = capsys.readouterr().out
    assert "The chip says: 3" in text
    assert "@" in text  # the picture
    assert text.count("█") > 10  # the bar of the best score


def test_command_on_a_terminal_without_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    with io.TextIOWrapper(written, encoding="ascii") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        assert main([]) == 0
        assert b"########" in written.getvalue()


def test_wrong_target_ends_in_one_message(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--configtarget", "nv-small"]) == 2
    assert 'did you mean "nv_small"?' in capsys.readouterr().err
