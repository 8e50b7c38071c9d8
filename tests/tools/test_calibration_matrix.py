"""Calibrated on some of the public digits, scored on the others: no worse than TensorRT's table."""

from __future__ import annotations

from pathlib import Path

import pytest

from nvdla_sim.caffe.importer import load_caffe
from nvdla_sim.calib.methods import METHODS
from nvdla_sim.calib.preprocess import Preprocess
from nvdla_sim.calib.table import Table
from tests.shared import golden_set
from tools.calibration_matrix import calibrated, matrix, split

SHIPPED = "TensorRT's table"


@pytest.fixture(scope="module")
def scores() -> dict[str, int]:
    """Images right by each table's name, and by the float net."""
    folder: Path = golden_set("lenet-mnist")
    graph = load_caffe(folder / "lenet.prototxt", folder / "lenet.caffemodel")
    calibrating, scored = split(folder / "images", 3)
    assert (len(calibrating), len(scored)) == (40, 80)
    preprocess = Preprocess.of(normalize=255)
    tables = {SHIPPED: Table.load(folder / "lenet.int8.json"), **calibrated(graph, calibrating, preprocess)}
    lines = matrix(graph, tables, scored, preprocess, "nv_small")
    print("\n".join(lines))
    return {
        name: int(line.split()[-1].split("/")[0])
        for name, line in zip([*tables, "float"], lines[1:], strict=True)
    }


def test_the_default_method_is_no_worse_than_the_shipped_table(scores: dict[str, int]) -> None:
    assert scores["kl-trt"] >= scores[SHIPPED]


def test_neither_are_the_others(scores: dict[str, int]) -> None:
    """Except ncnn's, which finds no use for pixels without a mean: a histogram of few, distant values."""
    assert {name for name in METHODS if scores[name] < scores[SHIPPED]} == {"kl-ncnn"}


def test_the_shipped_table_loses_next_to_nothing(scores: dict[str, int]) -> None:
    assert scores["float"] - scores[SHIPPED] <= 2
