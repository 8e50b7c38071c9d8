"""The calibration run: the same numbers as a plain loop, in any pieces."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest

from nvdla_sim.calib import calibrate
from nvdla_sim.calib.calibrate import collect, make_table
from nvdla_sim.calib.datasets.arrays import Arrays
from nvdla_sim.calib.datasets.dataset import Dataset, Sample, Skipped
from nvdla_sim.calib.histogram import Histogram
from nvdla_sim.calib.methods import METHODS, Method
from nvdla_sim.calib.preprocess import Preprocess
from nvdla_sim.calib.statistics import Statistics
from nvdla_sim.errors import CalibrationError, ImageError, OptionError, UnsupportedError
from nvdla_sim.graph.graph import Graph
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.eltwise import Eltwise
from nvdla_sim.graph.ops.log import Log
from nvdla_sim.graph.ops.pooling import Pooling
from nvdla_sim.graph.ops.relu import ReLU
from nvdla_sim.graph.ops.scale import Scale
from tests.calib.test_statistics import same

PIXELS = np.random.default_rng(1).integers(0, 256, (23, 2, 6, 6), dtype=np.uint8)
STEPS = Preprocess.of(mean=(100, 120), normalize=50)


class Some(Dataset):
    """Images of an array; those in ``bad`` are unreadable."""

    source = "some images"

    def __init__(self, bad: tuple[int, ...] = ()) -> None:
        self.bad = bad

    def __len__(self) -> int:
        return len(PIXELS)

    def read(self, index: int) -> Sample:
        if index in self.bad:
            raise ImageError(f"image {index} is broken")
        return Sample(f"image {index}", PIXELS[index], None)


def net() -> Graph:
    graph = Graph("net")
    graph.add_input("data", (2, 6, 6))
    weight = np.random.default_rng(2).normal(size=(3, 2, 3, 3)).astype(np.float32)
    graph.add("conv", Convolution(3, (3, 3), bias=False), ["data"], {"weight": weight})
    graph.add("relu", ReLU(), ["conv"])
    graph.add("pool", Pooling("MAX", (2, 2), (2, 2)), ["relu"])
    graph.add("dead", Scale(), ["pool"], {"weight": np.zeros(3, np.float32)})
    graph.outputs = ("dead",)
    return graph


def run(count: int = len(PIXELS), first: int = 0, **options: object) -> Statistics:
    statistics = Statistics({}, count)
    collect(net(), Some(), STEPS, statistics, Skipped(0), first, **options)
    return statistics


def test_a_plain_loop_gives_the_same() -> None:
    values = net().run({"data": np.stack([STEPS.apply(pixels, (2, 6, 6)) for pixels in PIXELS[3:20]])})
    statistics = run(17, 3)
    assert list(statistics.histograms) == ["data", "conv", "relu", "dead"]
    assert statistics.complete
    for name, histogram in statistics.histograms.items():
        expected = Histogram.of(values[name])
        assert histogram.absmax == expected.absmax
        np.testing.assert_array_equal(histogram.positive, expected.positive)
        np.testing.assert_array_equal(histogram.negative, expected.negative)
        assert histogram.zeros == expected.zeros


@pytest.mark.parametrize("batch", [1, 5, 64])
@pytest.mark.parametrize("jobs", [1, 3])
def test_neither_threads_nor_batches_change_it(
    monkeypatch: pytest.MonkeyPatch, batch: int, jobs: int
) -> None:
    whole = run()
    monkeypatch.setattr(calibrate, "MAX_BATCH", batch)
    same(run(jobs=jobs), whole)


class Stop(Exception):
    pass


@pytest.mark.parametrize("stop", [1, 2, 3, 5, 6, 7, 9])
def test_every_state_can_be_continued_from(monkeypatch: pytest.MonkeyPatch, stop: int) -> None:
    monkeypatch.setattr(calibrate, "MAX_BATCH", 5)
    statistics = Statistics({}, len(PIXELS))
    calls = []

    def progress(done: int, total: int) -> None:
        calls.append((done, total))
        if len(calls) == stop:
            raise Stop

    with pytest.raises(Stop):
        collect(net(), Some(), STEPS, statistics, Skipped(0), jobs=2, progress=progress)
    assert calls[-1] == (statistics.measured + statistics.counted, 2 * len(PIXELS))
    taken_up = copy.deepcopy(statistics)
    collect(net(), Some(), STEPS, taken_up, Skipped(0))
    same(taken_up, run())


def test_a_state_is_saved_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrate, "SAVE_EVERY", -1)
    monkeypatch.setattr(calibrate, "MAX_BATCH", 10)
    saved = []
    statistics = Statistics({}, len(PIXELS))
    collect(
        net(), Some(), STEPS, statistics, Skipped(0),
        save=lambda: saved.append((statistics.measured, statistics.counted)),
    )  # fmt: skip
    assert saved == [(10, 0), (20, 0), (23, 0), (23, 10), (23, 20), (23, 23)]


def test_unreadable_images_are_left_out_of_both_passes() -> None:
    skipped = Skipped(2)
    statistics = Statistics({}, len(PIXELS))
    collect(net(), Some(bad=(2, 9)), STEPS, statistics, skipped)
    assert statistics.skipped == {2: "image 2 is broken", 9: "image 9 is broken"}
    assert statistics.histograms["data"].magnitudes.sum() == 21 * 2 * 6 * 6
    with pytest.raises(ImageError, match="2 images cannot be read, allowed to be skipped: 1"):
        collect(net(), Some(bad=(2, 9)), STEPS, Statistics({}, 23), Skipped(1))


def test_not_one_image() -> None:
    with pytest.raises(ImageError, match="some images: not one of 2 images can be read"):
        collect(net(), Some(bad=(0, 1)), STEPS, Statistics({}, 2), Skipped(10))


def test_values_that_are_not_finite_are_told() -> None:
    graph = net()
    graph.add("log", Log(), ["conv"])
    with np.errstate(all="ignore"), pytest.raises(CalibrationError) as error:
        collect(graph, Some(), STEPS, Statistics({}, 4), Skipped(0))
    assert 'tensor "log" holds values that are not finite (images image 0 to image 3)' in str(error.value)


def test_pictures_of_another_size_are_an_error_at_once() -> None:
    with pytest.raises(OptionError, match="image 0: preprocessing gives 2x3x3, the net's input is 2x6x6"):
        collect(net(), Some(), Preprocess.of(crop=(3, 3)), Statistics({}, 4), Skipped(100))


def test_preprocessed_values_are_taken_as_they_are() -> None:
    values = PIXELS.astype(np.float32) / 7
    statistics = Statistics({}, len(PIXELS))
    collect(net(), Arrays("a", values, None), STEPS, statistics, Skipped(0))
    assert statistics.histograms["data"].absmax == values.max()


def test_an_input_without_height_and_width() -> None:
    graph = Graph("flat")
    graph.add_input("data", (72,))
    graph.add("relu", ReLU(), ["data"])
    values = PIXELS.reshape(-1, 72, 1, 1).astype(np.float32) - 100
    statistics = Statistics({}, len(values))
    collect(graph, Arrays("a", values, None), STEPS, statistics, Skipped(0))
    assert statistics.histograms["relu"].absmax == values.max()


def test_one_input_only() -> None:
    graph = Graph("two")
    graph.add_input("a", (1, 2, 2))
    graph.add_input("b", (1, 2, 2))
    graph.add("sum", Eltwise(), ["a", "b"])
    with pytest.raises(UnsupportedError, match=r"2 inputs \(a, b\)"):
        collect(graph, Some(), STEPS, Statistics({}, 4), Skipped(0))


def test_histograms_that_lack_a_tensor() -> None:
    statistics = run()
    del statistics.histograms["relu"]
    with pytest.raises(CalibrationError, match="there are no histograms of relu"):
        make_table(net(), statistics, METHODS["minmax"], "it")


def test_a_method_that_cuts_off_much_is_told() -> None:
    half = Method(lambda histogram: float(histogram.absmax) / 4)
    _, remarks = make_table(net(), run(), half, "it")
    assert any(remark.startswith("data: ") and "are cut off" in remark for remark in remarks)
    _, remarks = make_table(net(), run(), METHODS["minmax"], "it")
    assert not any("cut off" in remark for remark in remarks)


@pytest.mark.parametrize("name", METHODS)
def test_a_table_of_every_method(name: str, tmp_path: Path) -> None:
    statistics = run()
    table, remarks = make_table(net(), statistics, METHODS[name], "it")
    assert remarks[-1] == "all values are 0, scale 1/127: dead"
    assert list(table.scales) == ["data", "conv", "relu", "pool", "dead"]
    assert table.scales["pool"] == table.scales["relu"]
    assert table.scales["dead"] == float(np.float32(1) / np.float32(127))
    for tensor in ("data", "relu"):
        amax = METHODS[name].amax(statistics.histograms[tensor])
        assert table.scales[tensor] == float(np.float32(amax) / np.float32(127))
    fused = METHODS[name].after_fusion
    assert (table.scales["conv"] == table.scales["relu"]) == fused or name in ("minmax",)
