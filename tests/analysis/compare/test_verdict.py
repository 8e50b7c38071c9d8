"""Each cause, planted in a net where nothing else is wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nvdla_sim.analysis.compare.metrics import Error
from nvdla_sim.analysis.compare.page import page
from nvdla_sim.analysis.compare.terminal import verdict_lines
from nvdla_sim.analysis.compare.verdict import Cause, judge
from nvdla_sim.calib.table import Table
from nvdla_sim.errors import CalibrationError
from nvdla_sim.graph.graph import Graph
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.pooling import Pooling
from nvdla_sim.graph.ops.relu import ReLU
from nvdla_sim.graph.ops.softmax import Softmax
from tests.analysis.compare.nets import chain, compared, first_finding, true_table, with_scales

USED = ("data", "relu1", "relu2", "ip")  # the entries that the compiled chain takes scales from


@pytest.fixture(scope="module")
def net():
    graph, inputs = chain()
    return graph, inputs, true_table(graph, inputs)


def test_a_good_table_leaves_nothing_to_say(net) -> None:
    verdict = judge(compared(*net[:2], net[2]))
    assert verdict.findings == ()
    assert verdict.first is None
    name, snr, cosine = verdict.output
    assert name == "ip"
    assert snr > 25
    assert cosine > 0.999


@pytest.mark.parametrize("name", USED)
@pytest.mark.parametrize("factor", [0.1, 10])
def test_an_entry_ten_times_off(net, name: str, factor: float) -> None:
    graph, inputs, table = net
    finding = first_finding(graph, inputs, with_scales(table, **{name: table.scales[name] * factor}))
    assert (finding.layer, finding.entry, finding.cause) == (name, name, Cause.ENTRY)
    assert ("too small" if factor < 1 else "too large") in finding.why
    assert f"10 times too {'small' if factor < 1 else 'large'}" in finding.why
    assert f'"{name}": {{"scale": {table.scales[name]:.6g}}}' in finding.remedy


def test_an_entry_far_too_large_whose_levels_happen_to_fit(net) -> None:
    """Every value lies on one of the dozen levels that are left, so nothing is lost: on this input."""
    graph, inputs, _ = net
    values = np.sign(inputs["data"])
    table = true_table(graph, {"data": values})
    finding = first_finding(graph, {"data": values}, with_scales(table, data=0.1))
    assert (finding.layer, finding.cause) == ("data", Cause.ENTRY)


def test_exchanged_entries(net) -> None:
    graph, inputs, table = net
    names = ("relu1", "relu2")
    exchanged = with_scales(table, relu1=table.scales["relu2"], relu2=table.scales["relu1"])
    finding = first_finding(graph, inputs, exchanged)
    assert finding.layer == "relu1"
    assert finding.cause is Cause.ENTRY
    assert all(f'"{name}"' in finding.remedy for name in names)


@pytest.mark.parametrize("name", [*USED, "pool1", "conv2"])
def test_a_missing_entry(net, name: str) -> None:
    graph, inputs, table = net
    lacking = Table({key: scale for key, scale in table.scales.items() if key != name})
    finding = first_finding(graph, inputs, lacking)
    assert (finding.layer, finding.cause) == (name, Cause.MISSING)


def test_an_entry_that_is_not_used_comes_last(net) -> None:
    graph, inputs, table = net
    broken = with_scales(table, conv1=table.scales["conv1"] * 10, ip=table.scales["ip"] / 10)
    findings = judge(compared(graph, inputs, broken)).findings
    assert [(finding.layer, finding.used) for finding in findings] == [("ip", True), ("conv1", False)]


@pytest.mark.parametrize(("factor", "found"), [(1 / 3, False), (1 / 6, True)])
def test_an_entry_that_is_not_used_must_be_far_off(net, factor: float, found: bool) -> None:
    graph, inputs, table = net
    off = with_scales(table, conv1=table.scales["conv1"] * factor)
    assert bool(judge(compared(graph, inputs, off)).findings) == found


def test_what_looks_exchanged_where_most_entries_are_off_is_not_called_so(net) -> None:
    graph, inputs, table = net
    pair = {"relu2": table.scales["ip"], "ip": table.scales["relu2"]}
    finding = first_finding(graph, inputs, with_scales(table, **pair))
    assert finding is not None
    assert 'exchange the entries "relu2" and "ip"' in finding.remedy
    off = {name: scale * 1.9 for name, scale in table.scales.items() if name not in pair}
    findings = judge(compared(graph, inputs, with_scales(table, **off, **pair))).findings
    assert all("exchanged" not in finding.why for finding in findings)


def averaging(size: int) -> Graph:
    """data -> conv (each value as it is) -> pool, averages of windows -> relu."""
    graph = Graph("average")
    graph.add_input("data", (1, 16, 16))
    kernel = {"weight": np.ones((1, 1, 1, 1), np.float32), "bias": np.zeros(1, np.float32)}
    graph.add("conv", Convolution(1, (1, 1)), ["data"], kernel)
    graph.add("pool", Pooling("AVE", (size, size), (size, size)), ["conv"], {})
    graph.add("relu", ReLU(), ["pool"], {})
    graph.outputs = ("relu",)
    return graph


def test_an_average_may_have_the_scale_of_its_input() -> None:
    """Its values are far smaller, but they lie in that range."""
    graph = averaging(8)
    data = (np.random.default_rng(2).uniform(0, 1, (1, 16, 16)) ** 8).astype(np.float32)
    table = true_table(graph, {"data": data})
    assert table.scales["conv"] > 5 * table.scales["pool"]
    as_input = with_scales(table, pool=table.scales["conv"])
    assert judge(compared(graph, {"data": data}, as_input)).findings == ()
    finding = first_finding(graph, {"data": data}, with_scales(as_input, conv=table.scales["conv"] * 10))
    assert finding is not None
    assert finding.layer == "conv"


def test_a_coarse_scale_that_is_its_inputs_is_to_be_mended_there() -> None:
    graph = averaging(4)
    data = np.full((1, 16, 16), 0.001, np.float32)
    data[0, 0, 0] = 1  # so that all other averages vanish
    table = true_table(graph, {"data": data})
    verdict = judge(compared(graph, {"data": data}, with_scales(table, pool=table.scales["conv"])))
    (finding,) = (finding for finding in verdict.findings if finding.layer == "pool")
    assert finding.cause is Cause.COARSE
    assert finding.why.endswith('; it has the scale of "conv"')
    assert finding.remedy.startswith('calibrate "conv" with a method')


def test_a_layer_that_makes_errors_larger_is_told(net) -> None:
    """A Softmax of large values is a choice: what is nearly equal before it is all or nothing behind it."""
    assert judge(compared(*net)).amplifier is None
    graph, inputs = chain()
    weight = graph.nodes[-1].params["weight"]
    weight *= 1000
    weight[0] = weight[3] * 1.01  # the two largest
    graph.add("prob", Softmax(), ["ip"], {})
    graph.outputs = ("prob",)
    comparison = compared(graph, inputs, true_table(graph, inputs))
    verdict = judge(comparison)
    assert verdict.first is None
    layer, before, behind = verdict.amplifier
    assert layer == "prob"
    assert behind < before - 10
    assert any("prob makes the errors" in line for line in verdict_lines(verdict))
    assert "prob makes the errors" in page(comparison, verdict, "net", [])


def test_the_first_of_two_bad_layers(net) -> None:
    graph, inputs, table = net
    broken = with_scales(table, relu1=table.scales["relu1"] / 10, ip=table.scales["ip"] / 10)
    findings = judge(compared(graph, inputs, broken)).findings
    assert [finding.layer for finding in findings] == ["relu1", "ip"]


def test_an_input_of_another_size_than_at_calibration(net) -> None:
    graph, inputs, table = net
    finding = first_finding(graph, {"data": inputs["data"] * 255}, table)
    assert (finding.layer, finding.cause) == ("data", Cause.PREPROCESSING)


def test_clipping_that_a_calibration_may_have_chosen(net) -> None:
    graph, inputs, table = net
    finding = first_finding(graph, inputs, with_scales(table, data=table.scales["data"] / 2))
    assert (finding.layer, finding.cause) == ("data", Cause.CLIPPING)


def test_outliers_make_a_scale_coarse(net) -> None:
    graph, inputs, _ = net
    values = inputs["data"] * np.float32(0.004)
    values[0, 0, 0] = 1
    finding = first_finding(graph, {"data": values}, true_table(graph, {"data": values}))
    assert (finding.layer, finding.cause) == ("data", Cause.COARSE)


def test_filters_of_different_size() -> None:
    """Filter k reads channel k only; where the channel is small, the filter is large."""
    random = np.random.default_rng(2)
    sizes = np.array([1.0, *[0.004] * 15], np.float32)
    graph = Graph("spread")
    graph.add_input("data", (16, 8, 8))
    weight = np.zeros((16, 16, 3, 3), np.float32)
    for k, size in enumerate(sizes):
        weight[k, k] = random.uniform(-size, size, (3, 3))
    graph.add("conv", Convolution(16, (3, 3), bias=False), ["data"], {"weight": weight})
    graph.outputs = ("conv",)
    inputs = {"data": (random.uniform(-1, 1, (16, 8, 8)) / sizes[:, None, None] * 0.004).astype(np.float32)}
    table = true_table(graph, inputs)
    finding = first_finding(graph, inputs, table)
    assert (finding.layer, finding.cause) == ("conv", Cause.SPREAD)
    assert "per-filter" in finding.remedy
    assert first_finding(graph, inputs, table, quantization="per-filter") is None


def test_a_denied_layer_does_not_make_the_chip_look_bad(net) -> None:
    """The chip does not deny anything: behind the layer it is worse than the fake-quantised run."""
    graph, inputs, table = net
    broken = with_scales(table, relu1=table.scales["relu1"] / 10)
    findings = judge(compared(graph, inputs, broken, deny=("conv1",))).findings
    assert [(finding.layer, finding.cause) for finding in findings] == [("relu1", Cause.ENTRY)]
    every = tuple(node.name for node in graph.nodes)
    assert judge(compared(graph, inputs, table, deny=("data", *every))).first is None


def test_the_chips_integers(net) -> None:
    """No net is known for which they are bad: the figures are made up."""
    comparison = compared(*net[:2], net[2])
    bad = Error(cosine=0.5, snr_db=3.0, max_abs=1.0, mean_abs=1.0)
    tensors = [
        replace(report, accumulated={**report.accumulated, "chip": bad})
        if report.name in ("relu2", "ip")
        else report
        for report in comparison.tensors
    ]
    findings = judge(replace(comparison, tensors=tensors)).findings
    assert [(finding.layer, finding.cause) for finding in findings] == [("relu2", Cause.ARITHMETIC)]


def test_a_table_of_another_net(net) -> None:
    graph, inputs, _ = net
    with pytest.raises(CalibrationError, match=r'another net[^$]*"conv2" did you mean "convolution2"'):
        compared(graph, inputs, Table({"data": 0.1, "convolution2": 0.1}))
