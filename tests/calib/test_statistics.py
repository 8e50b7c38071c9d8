"""Histograms in files."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest

from nvdla_sim.calib.histogram import BINS, Histogram
from nvdla_sim.calib.statistics import FORMAT, Statistics
from nvdla_sim.errors import CalibrationError


def some() -> Statistics:
    r = np.random.default_rng(0)
    histograms = {name: Histogram.of(r.normal(size=500).astype(np.float32)) for name in ("data", "conv é")}
    return Statistics({"net": "abc", "images": "x 0 9"}, 9, histograms, 9, 5, {3: "broken"})


def same(one: Statistics, other: Statistics) -> None:
    for name in ("identity", "images", "measured", "counted", "skipped"):
        assert getattr(one, name) == getattr(other, name)
    assert list(one.histograms) == list(other.histograms)
    for name, histogram in one.histograms.items():
        for part in ("absmax", "positive", "negative", "zeros"):
            np.testing.assert_array_equal(getattr(histogram, part), getattr(other.histograms[name], part))


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    some().save(tmp_path / "h.npz")
    loaded = Statistics.load(tmp_path / "h.npz")
    same(loaded, some())
    loaded.histograms["data"].count(np.ones(3, np.float32))  # arrays can be added to


def test_nothing_yet(tmp_path: Path) -> None:
    Statistics({"net": "abc"}, 3).save(tmp_path / "h.npz")
    loaded = Statistics.load(tmp_path / "h.npz")
    same(loaded, Statistics({"net": "abc"}, 3))
    assert not loaded.complete


def test_another_run_is_told_by_every_difference() -> None:
    some().check_identity({"net": "abc"}, "it")
    with pytest.raises(CalibrationError) as error:
        some().check_identity({"net": "abd", "images": "x 0 9", "steps": "y"}, "the file f")
    assert str(error.value).splitlines() == [
        "the file f is of another run:",
        "  - net: there abc, here abd",
        "  - steps: there not told, here y",
    ]


NOTE = {
    "format": FORMAT, "identity": {}, "images": 2, "measured": 2, "counted": 2, "skipped": [],
    "tensors": ["a"],
}  # fmt: skip
ARRAYS = {
    "absmax": np.ones(1, np.float32),
    "positive": np.zeros((1, BINS), np.int64),
    "negative": np.zeros((1, BINS), np.int64),
    "zeros": np.zeros(1, np.int64),
}


def written(path: Path, note: object, arrays: dict[str, np.ndarray]) -> Path:
    buffer = io.BytesIO()
    text = note if isinstance(note, bytes) else json.dumps(note).encode()
    np.savez(buffer, note=np.frombuffer(text, np.uint8), **arrays)
    path.write_bytes(buffer.getvalue())
    return path


def test_the_pieces_of_a_right_file(tmp_path: Path) -> None:
    assert Statistics.load(written(tmp_path / "h.npz", NOTE, ARRAYS)).complete


@pytest.mark.parametrize(
    "note",
    [
        b"no json", [], {}, "[" * 3, None, {**NOTE, "format": "another"}, {**NOTE, "images": 1},
        {**NOTE, "measured": 1}, {**NOTE, "counted": -1}, {**NOTE, "images": "x"}, {**NOTE, "skipped": [1]},
        {**NOTE, "skipped": 3}, {**NOTE, "tensors": ["a", "b"]}, {**NOTE, "tensors": 1},
        {**NOTE, "identity": 3},
    ],
)  # fmt: skip
def test_wrong_notes(tmp_path: Path, note: object) -> None:
    with pytest.raises(CalibrationError, match=r"h\.npz: not written by nvdla-calibrate, or damaged"):
        Statistics.load(written(tmp_path / "h.npz", note, ARRAYS))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("absmax", np.full(1, np.inf, np.float32)),
        ("absmax", np.ones(1)),
        ("absmax", -np.ones(1, np.float32)),
        ("positive", np.zeros((1, BINS - 1), np.int64)),
        ("negative", np.full((1, BINS), -1)),
        ("zeros", np.zeros(2, np.int64)),
        ("zeros", np.zeros(1, np.int32)),
    ],
)
def test_wrong_arrays(tmp_path: Path, name: str, value: np.ndarray) -> None:
    with pytest.raises(CalibrationError, match="damaged"):
        Statistics.load(written(tmp_path / "h.npz", NOTE, {**ARRAYS, name: value}))


def test_files_that_are_something_else(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", a=np.ones(3))
    (tmp_path / "text.npz").write_text("text")
    for name in ("other.npz", "text.npz", "missing.npz"):
        with pytest.raises(CalibrationError, match=f"histograms .*{name}"):
            Statistics.load(tmp_path / name)
