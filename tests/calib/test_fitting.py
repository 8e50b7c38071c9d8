"""Completing scales: whose scale a layer gets that has none of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from nvdla_sim.calib.fitting import KNOWN_SCALE, MAX_LISTED, by_name, fit
from nvdla_sim.errors import CalibrationError
from nvdla_sim.graph.graph import Graph
from tests.calib.nets import CONV, HARD, IP, POOL, layer, structure

SCALES = {"data": 1.0, "c1": 2.0, "bn1": 3.0, "sc1": 4.0, "pr1": 5.0, "fc": 6.0, "relu": 7.0, "out": 8.0}


def test_all_kinds_of_origin(tmp_path: Path) -> None:
    graph = structure(tmp_path, *HARD)
    result = fit(graph, SCALES, "it", ['"x": why'])
    assert result.table.scales == {
        "data": 1.0, "c1": 2.0, "bn1": 3.0, "sc1": 4.0, "pr1": 5.0, "p1": 5.0, "drop1": 5.0, "flat": 5.0,
        "fc": 6.0, "relu": 7.0, "drop2": 7.0, "fc2": 8.0, "prob": KNOWN_SCALE,
    }  # fmt: skip
    assert list(result.table.scales) == ["data", *(node.name for node in graph.nodes)]
    assert result.matched == ["data", "c1", "bn1", "sc1", "pr1", "fc", "relu", "fc2"]
    assert result.inherited == {"p1": "pr1", "drop1": "pr1", "flat": "pr1", "drop2": "relu"}
    assert list(result.defaulted) == ["prob"]
    assert result.complete() is result.table
    report = result.report()
    assert report.startswith("8 matched, 4 inherited, 1 defaulted, 1 unused, 0 missing")
    for line in ("p1: inherited from pr1", "prob: defaulted, Softmax", 'unused "x": why'):
        assert line in report


def test_scales_come_from_behind_where_layers_are_fused_or_keep_the_range(tmp_path: Path) -> None:
    graph = structure(tmp_path, *HARD)
    result = fit(graph, {"data": 1.0, "flat": 5.0, "drop2": 7.0, "out": 8.0, "prob": 9.0}, "it")
    assert not result.missing
    expected = dict.fromkeys(["c1", "bn1", "sc1", "pr1", "p1", "drop1"], "flat")
    assert result.inherited == {**expected, "fc": "drop2", "relu": "drop2"}
    assert result.table.scales["c1"] == 5.0


def test_a_tensor_that_is_read_twice_gets_nothing_from_behind(tmp_path: Path) -> None:
    graph = structure(
        tmp_path,
        layer("conv", "Convolution", "data", "conv", CONV),
        layer("one", "ReLU", "conv", "one"),
        layer("two", "ReLU", "conv", "two"),
    )
    result = fit(graph, {"data": 1.0, "one": 2.0, "two": 3.0}, "it")
    assert result.missing == ["conv"]


def test_a_default_for_the_rest(tmp_path: Path) -> None:
    graph = structure(tmp_path, layer("conv", "Convolution", "data", "conv", CONV))
    result = fit(graph, {"data": 1.0}, "it", default=0.25)
    assert result.complete().scales == {"data": 1.0, "conv": 0.25}
    assert "conv: defaulted, 0.25 as asked for" in result.report()


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf"), 1e-42, 1e38, 1e300])
def test_scales_that_cannot_be_used(tmp_path: Path, scale: float) -> None:
    graph = structure(tmp_path, layer("conv", "Convolution", "data", "conv", CONV))
    result = fit(graph, {"data": 1.0, "conv": scale}, "it")
    assert result.missing == ["conv"]
    assert "cannot be used" in result.unused[0]


def test_missing_layers_name_what_may_be_meant(tmp_path: Path) -> None:
    graph = structure(
        tmp_path,
        layer("conv1", "Convolution", "data", "conv1", CONV),
        layer("fc", "InnerProduct", "conv1", "fc", IP),
    )
    found, unused = by_name(graph, {"data": 1.0, "conv_1": 2.0})
    assert found == {"data": 1.0}
    with pytest.raises(CalibrationError) as error:
        fit(graph, found, "the table t", unused).complete()
    message = str(error.value)
    assert message.startswith("the table t has no scale for 2 inputs and layers")
    assert '"conv1" did you mean "conv_1"?' in message
    assert '"fc"' in message
    assert '"conv_1": the net has no such input or layer' in message


def test_a_table_of_another_net_is_not_told_entry_by_entry(tmp_path: Path) -> None:
    graph = structure(tmp_path, layer("conv1", "Convolution", "data", "conv1", CONV))
    _, unused = by_name(graph, {f"res{n}": 1.0 for n in range(100)})
    with pytest.raises(CalibrationError) as error:
        fit(graph, {}, "it", unused).complete()
    assert str(error.value).endswith(f"- and {100 - MAX_LISTED} more")
    assert len(str(error.value).splitlines()) == 1 + 2 + MAX_LISTED + 1


def test_the_input_of_a_pooling_inherits_once(tmp_path: Path) -> None:
    graph: Graph = structure(
        tmp_path,
        layer("conv", "Convolution", "data", "conv", CONV),
        layer("pool", "Pooling", "conv", "pool", POOL),
    )
    result = fit(graph, {"data": 1.0, "pool": 2.0}, "it")
    assert result.inherited == {"conv": "pool"}
