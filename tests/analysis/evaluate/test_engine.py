"""Images run in this process and in others, good and bad ones."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import nvdla_sim as nv
from nvdla_sim import demo
from nvdla_sim.analysis.evaluate.engine import evaluate
from nvdla_sim.analysis.evaluate.outcome import Outcome
from nvdla_sim.calib.datasets.dataset import Skipped
from nvdla_sim.errors import CalibrationError, ImageError, NvdlaError, OptionError
from nvdla_sim.loadable.entries import SOURCE_MAP
from nvdla_sim.loadable.loadable import Loadable
from tests.analysis.evaluate.nets import digits_job, digits_list


def without_times(outcomes: dict[int, Outcome]) -> list[Outcome]:
    return [
        replace(o, in_float=replace(o.in_float, seconds=0.0), in_int8=replace(o.in_int8, seconds=0.0))
        for o in outcomes.values()
    ]


def test_the_outcome_is_that_of_the_runtime(tmp_path: Path) -> None:
    outcomes = evaluate(digits_job(digits_list(tmp_path)), range(10), Skipped(0))
    assert list(outcomes) == list(range(10))
    loadable = nv.compile(demo.PROTOTXT, demo.CAFFEMODEL, demo.TABLE, target="nv_small")
    runtime = nv.Runtime(loadable)
    for digit, outcome in outcomes.items():
        assert (outcome.index, outcome.label) == (digit, digit)
        # the table's input scale is 1/127 and pixels are divided by 255: what the real runtime does as well
        (output,) = runtime.run(demo.picture(digit))
        values = output.values.reshape(-1)
        assert outcome.in_int8.best == values.argmax()
        assert outcome.in_int8.rank == np.count_nonzero(values >= values[digit])
        assert outcome.in_float.best == digit
        assert outcome.in_float.seconds > 0


def test_processes_give_the_same(tmp_path: Path) -> None:
    job = digits_job(digits_list(tmp_path, times=3))
    seen: list[tuple[int, int]] = []
    apart = evaluate(job, range(5, 25), Skipped(0), jobs=2, progress=lambda *now: seen.append(now))
    alone = evaluate(job, range(5, 25), Skipped(0))
    assert without_times(apart) == without_times(alone)
    assert list(apart) == list(range(5, 25))
    assert seen[-1] == (20, 20)


def test_unreadable_images_are_skipped_up_to_a_limit(tmp_path: Path) -> None:
    data = digits_list(tmp_path)
    bad = [tmp_path / "bad.pgm", tmp_path / "missing.pgm"]
    bad[0].write_bytes(b"P5 28 28 255\n too short")
    data.write_text(data.read_text() + "".join(f"{path} 1\n" for path in bad))
    skipped = Skipped(2)
    outcomes = evaluate(digits_job(data), range(12), skipped)
    assert list(outcomes) == list(range(10))
    assert list(skipped.problems) == [10, 11]
    with pytest.raises(ImageError, match=r"(?s)allowed to be skipped: 1.*bad\.pgm.*missing\.pgm"):
        evaluate(digits_job(data), range(12), Skipped(1))


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_label_out_of_range_ends_it(tmp_path: Path, jobs: int) -> None:
    data = digits_list(tmp_path)
    data.write_text(data.read_text() + f"{demo.picture(1)} 10\n")
    with pytest.raises(ImageError, match=r"label 10, the net has 10 classes: allowed 0 to 9"):
        evaluate(digits_job(data), range(11), Skipped(5), jobs=jobs)


def save_loadable(folder: Path, with_notes: bool) -> Path:
    loadable = nv.compile(demo.PROTOTXT, demo.CAFFEMODEL, demo.TABLE, target="nv_small")
    if not with_notes:
        loadable.blobs = [blob for blob in loadable.blobs if blob.name != SOURCE_MAP]
    path = folder / "digits.nvdla"
    loadable.save(path)
    return path


@pytest.mark.parametrize("with_notes", [True, False])
def test_a_loadable_gives_what_the_table_gives(tmp_path: Path, with_notes: bool) -> None:
    """Without a known scale the input is that of the real runtime, which for this net is the same."""
    data = digits_list(tmp_path)
    path = save_loadable(tmp_path, with_notes)
    job = replace(digits_job(data), table=None, loadable=str(path))
    compiled = evaluate(digits_job(data), range(10), Skipped(0))
    assert without_times(evaluate(job, range(10), Skipped(0))) == without_times(compiled)


def test_a_table_tells_the_scale_of_a_loadable_that_does_not(tmp_path: Path) -> None:
    path = save_loadable(tmp_path, with_notes=False)
    images = np.stack([nv_input(digit) for digit in range(10)])
    np.savez(tmp_path / "digits.npz", images=images, labels=np.arange(10))
    job = replace(digits_job(tmp_path / "digits.npz"), loadable=str(path))
    compiled = evaluate(digits_job(digits_list(tmp_path)), range(10), Skipped(0))
    found = evaluate(job, range(10), Skipped(0))
    assert [o.in_int8.rank for o in found.values()] == [o.in_int8.rank for o in compiled.values()]
    with pytest.raises(CalibrationError, match="give the calibration table"):
        evaluate(replace(job, table=None), range(10), Skipped(0))


def nv_input(digit: int) -> np.ndarray:
    """The net's float input for a digit."""
    data = demo.picture(digit).read_bytes()
    return np.frombuffer(data[-28 * 28 :], np.uint8).reshape(1, 28, 28).astype(np.float32) / 255


def test_a_loadable_of_another_net(tmp_path: Path) -> None:
    graph_path = Path(demo.PROTOTXT)
    text = graph_path.read_text()
    assert Loadable.load(save_loadable(tmp_path, with_notes=True))
    other = tmp_path / "other.prototxt"
    # the same net, but its output is taken before the last layers
    other.write_text(text[: text.index('name: "ip2"')].rsplit("layer", 1)[0])
    job = replace(
        digits_job(digits_list(tmp_path)),
        prototxt=str(other),
        table=None,
        loadable=str(tmp_path / "digits.nvdla"),
    )
    with pytest.raises(OptionError, match="it is of another net"):
        evaluate(job, range(10), Skipped(0))


def test_a_loadable_of_a_batch(tmp_path: Path) -> None:
    path = tmp_path / "two.nvdla"
    nv.compile(demo.PROTOTXT, demo.CAFFEMODEL, demo.TABLE, target="nv_small", batch=2).save(path)
    job = replace(digits_job(digits_list(tmp_path)), table=None, loadable=str(path))
    with pytest.raises(OptionError, match=r"two\.nvdla is compiled for a batch of 2.*with --batch 1"):
        evaluate(job, range(10), Skipped(0))


def test_neither_loadable_nor_table(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="a calibration table to compile with"):
        evaluate(replace(digits_job(digits_list(tmp_path)), table=None), range(1), Skipped(0))


def test_a_killed_process_is_told(tmp_path: Path) -> None:
    def kill_one(done: int, total: int) -> None:
        for child in multiprocessing.active_children():
            child.kill()

    job = digits_job(digits_list(tmp_path, times=20))
    with pytest.raises(NvdlaError, match=r"a worker process was killed.*--jobs"):
        evaluate(job, range(200), Skipped(0), jobs=2, progress=kill_one)
