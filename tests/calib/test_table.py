"""The JSON table: scales as NVIDIA's compiler reads them, and every way it can be wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvdla_sim.calib.table import Table
from nvdla_sim.errors import CalibrationError, NvdlaError


def load(folder: Path, content: object) -> Table:
    path = folder / "table.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return Table.load(path)


def test_scale_goes_through_single_precision(tmp_path: Path) -> None:
    scales = load(tmp_path, {"a": {"scale": 0.1, "min": 0, "max": 0, "offset": 0}}).scales
    assert scales == {"a": float(np.float32(0.1) * np.float32(127) / np.float32(127))}


def test_min_and_max_give_the_scale_where_there_is_none(tmp_path: Path) -> None:
    scales = load(tmp_path, {"a": {"min": -254, "max": 1.5}, "b": {"min": 0, "max": 127}}).scales
    assert scales == {"a": 2.0, "b": 1.0}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"scale": 0}, "above 0"),
        ({"scale": -0.5}, "above 0"),
        ({"scale": 1e-50}, "single precision"),
        ({"scale": 1e39}, "single precision"),
        ({"scale": float("nan")}, "finite"),
        ({"scale": float("inf")}, "finite"),
        ({"scale": 10**400}, "finite"),
        ({"scale": "0.1"}, "must be a number"),
        ({"scale": None}, "must be a number"),
        ({"scale": True}, "must be a number"),
        ({"min": 0, "max": 0}, "above 0"),
        ({"min": 1}, 'needs "scale"'),
        ({"max": [], "min": 1}, "must be a number"),
        ({}, 'needs "scale"'),
        (0.5, "must be an object"),
        ([], "must be an object"),
        (None, "must be an object"),
    ],
)
def test_a_wrong_entry_is_told(tmp_path: Path, entry: object, message: str) -> None:
    with pytest.raises(CalibrationError, match=message) as error:
        load(tmp_path, {"good": {"scale": 1}, "bad layer": entry})
    assert '"bad layer"' in str(error.value)
    assert '"good"' not in str(error.value)


def test_all_wrong_entries_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError) as error:
        load(tmp_path, '{"a": {"scale": 0}, "b": {"scale": 1}, "b": {"scale": 2}, "c": 7}')
    message = str(error.value)
    assert str(tmp_path / "table.json") in message
    assert '"a"' in message
    assert '"b" is there twice' in message
    assert '"c"' in message


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "3", '"x"', "null", "\x00\xff", "[" * 100_000, "{'a': 1}"]
)
def test_not_a_table(tmp_path: Path, content: str) -> None:
    with pytest.raises(CalibrationError, match=r"table\.json"):
        load(tmp_path, content)


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_unreadable(tmp_path: Path, name: str) -> None:
    with pytest.raises(CalibrationError, match="calibration table"):
        Table.load(tmp_path / name)


def test_the_case_of_the_path_counts(tmp_path: Path) -> None:
    (tmp_path / "upper").mkdir()
    (tmp_path / "Upper").mkdir(exist_ok=True)
    if (tmp_path / "upper").samefile(tmp_path / "Upper"):
        pytest.skip("this file system does not tell case apart")
    for folder, scale in (("upper", 1), ("Upper", 2)):
        (tmp_path / folder / "T.json").write_text(json.dumps({"a": {"scale": scale}}))
    assert Table.load(tmp_path / "Upper" / "T.json").scales == {"a": 2.0}


@given(st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["a", "scale", "min", "max"]), inner, max_size=4),
    max_leaves=12,
))  # fmt: skip
def test_any_json_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: object) -> None:
    try:
        table = load(tmp_path_factory.mktemp("t"), content)
    except NvdlaError:
        return
    assert all(np.isfinite(scale) and scale > 0 for scale in table.scales.values())
