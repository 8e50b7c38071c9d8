"""The versions of a net's tensors, and what is said of each tensor."""

from __future__ import annotations

import numpy as np
import pytest

from nvdla_sim.analysis.compare.metrics import error
from nvdla_sim.calib.preprocess import quantize_input
from nvdla_sim.compiler.pipeline import compile_graph
from nvdla_sim.errors import ModelError, OptionError, UnsupportedError
from nvdla_sim.graph.graph import Graph
from nvdla_sim.graph.ops.concat import Concat
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.relu import ReLU
from nvdla_sim.runtime.session import Runtime
from tests.analysis.compare.nets import chain, compared, true_table, with_scales


@pytest.fixture(scope="module")
def net():
    graph, inputs = chain()
    return graph, inputs, true_table(graph, inputs)


def test_tensors_are_those_in_memory_with_all_their_layers(net) -> None:
    comparison = compared(*net)
    layers = {report.name: report.layers for report in comparison.tensors}
    assert layers == {
        "data": (),
        "relu1": ("conv1", "relu1"),
        "pool1": ("pool1",),
        "relu2": ("conv2", "relu2"),
        "ip": ("ip",),
    }
    assert list(layers) == ["data", "relu1", "pool1", "relu2", "ip"]
    assert [report.shape for report in comparison.tensors][1] == (8, 10, 10)
    entries = {report.name: report.entry for report in comparison.tensors}
    assert entries.pop("pool1") in ("relu1", "pool1")  # the same number
    assert entries == {name: name for name in ("data", "relu1", "relu2", "ip")}


def test_pooling_has_the_entry_of_its_input(net) -> None:
    graph, inputs, table = net
    comparison = compared(graph, inputs, with_scales(table, pool1=table.scales["pool1"] * 1.1))
    assert [report.entry for report in comparison.tensors] == ["data", "relu1", "relu1", "relu2", "ip"]


def test_the_chips_values_are_those_of_a_run(net) -> None:
    graph, inputs, table = net
    comparison = compared(graph, inputs, table)
    runtime = Runtime(compile_graph(graph, table, "nv_small"))
    (output,) = runtime.run(quantize_input(inputs["data"], table.scales["data"]))
    found = comparison.versions.int8["ip"]
    assert np.array_equal(found, output.values)
    values = comparison.versions.values["chip"]["ip"]
    assert values.reshape(-1) == pytest.approx(found.reshape(-1) * np.float32(table.scales["ip"]))


def test_float_is_the_graphs_own_run(net) -> None:
    graph, inputs, table = net
    expected = graph.run({"data": inputs["data"][None]})
    found = compared(graph, inputs, table).versions.values["float"]
    assert set(found) == set(graph.tensors)
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


def test_figures_of_a_tensor(net) -> None:
    graph, inputs, table = net
    comparison = compared(graph, inputs, table)
    report = next(report for report in comparison.tensors if report.name == "relu2")
    versions = comparison.versions
    real, int8 = versions.values["float"]["relu2"], versions.int8["relu2"]
    assert report.amax == real.max() == pytest.approx(report.scale * 127)
    assert report.zero == (int8 == 0).mean()
    assert report.float_zero == (real == 0).mean()
    assert report.saturated == (int8 == 127).mean() > 0
    for version in ("fake16", "fake8", "chip"):
        assert report.accumulated[version] == error(real, versions.values[version]["relu2"])
    # more bits are better, and a layer alone is better than all layers up to it
    assert report.accumulated["fake16"].snr_db > report.accumulated["fake8"].snr_db + 20
    assert report.own.snr_db > report.accumulated["fake8"].snr_db
    assert report.accumulated["chip"].snr_db == pytest.approx(report.accumulated["fake8"].snr_db, abs=2)


def test_the_own_error_is_of_weights_and_of_the_tensors_levels(net) -> None:
    by_name = {report.name: report for report in compared(*net).tensors}
    pool, relu = by_name["pool1"], by_name["relu2"]
    assert pool.weights is None
    assert pool.own.snr_db == pytest.approx(pool.fit.snr_db, abs=1e-3)
    assert relu.weights is not None
    energy = 10 ** (-relu.weights.snr_db / 10) + 10 ** (-relu.fit.snr_db / 10)
    assert relu.own.snr_db == pytest.approx(-10 * np.log10(energy), abs=0.5)
    assert relu.own.snr_db < min(relu.weights.snr_db, relu.fit.snr_db) - 0.5


def test_the_own_error_of_a_layer_does_not_depend_on_those_before(net) -> None:
    graph, inputs, table = net
    good = {report.name: report for report in compared(graph, inputs, table).tensors}
    spoiled = with_scales(table, data=table.scales["data"] * 30)
    bad = {report.name: report for report in compared(graph, inputs, spoiled).tensors}
    for name in ("relu1", "relu2", "ip"):
        assert bad[name].own == good[name].own
        assert bad[name].accumulated["chip"].snr_db < good[name].accumulated["chip"].snr_db - 10


def test_denied_layers_stay_in_float(net) -> None:
    graph, inputs, table = net
    spoiled = with_scales(table, relu1=table.scales["relu1"] * 30)
    plain = {report.name: report for report in compared(graph, inputs, spoiled).tensors}
    denied = {report.name: report for report in compared(graph, inputs, spoiled, deny=("conv1",)).tensors}
    assert [name for name, report in denied.items() if report.denied] == ["relu1"]
    # its own scale does no harm any more; pooling behind it still has it, as on the chip
    assert denied["relu1"].accumulated["fake8"].snr_db > plain["relu1"].accumulated["fake8"].snr_db + 15
    assert denied["relu1"].accumulated["chip"] == plain["relu1"].accumulated["chip"]


def test_all_layers_denied_is_the_float_run(net) -> None:
    graph, inputs, table = net
    names = ("data", *(node.name for node in graph.nodes))
    comparison = compared(graph, inputs, table, deny=names)
    for report in comparison.tensors:
        assert report.accumulated["fake8"].snr_db > 100


def test_layers_to_deny_that_there_are_not(net) -> None:
    with pytest.raises(OptionError, match=r'(?s)"konv1" did you mean "conv1".*"nothing"'):
        compared(*net, deny=("konv1", "nothing"))


def test_versions_follow_the_bits_asked_for(net) -> None:
    assert set(compared(*net, bits=(16,)).tensors[0].accumulated) == {"fake16", "chip"}
    assert set(compared(*net, bits=()).tensors[0].accumulated) == {"chip"}


def test_a_net_that_cannot_be_compiled() -> None:
    graph = Graph("wide")
    graph.add_input("data", (1, 1, 9000))
    graph.add("relu", ReLU(), ["data"], {})
    graph.outputs = ("relu",)
    inputs = {"data": np.ones((1, 1, 9000), np.float32)}
    with pytest.raises(UnsupportedError, match="9000"):
        compared(graph, inputs, true_table(graph, inputs))


@pytest.mark.filterwarnings("error")
def test_values_that_are_not_finite_name_their_layer(net) -> None:
    graph, inputs, table = net
    with pytest.raises(ModelError, match=r'layer "conv1" \(Convolution\)'):
        compared(graph, {"data": inputs["data"] * np.float32(3e38)}, table)
    with pytest.raises(ModelError, match='input "data"'):
        compared(graph, {"data": inputs["data"] * np.nan}, table)


def test_concatenated_tensors_share_one_scale() -> None:
    """The parts have the scale that the table has for the whole: its entry is theirs."""
    random = np.random.default_rng(3)
    graph = Graph("concat")
    graph.add_input("data", (8, 6, 6))
    for name, size in (("a", 1.0), ("b", 0.2)):
        weight = (random.normal(size=(8, 8, 1, 1)) * size).astype(np.float32)
        graph.add(name, Convolution(8, (1, 1), bias=False), ["data"], {"weight": weight})
        graph.add(f"{name}_relu", ReLU(), [name], {})
    graph.add("joined", Concat(), ["a_relu", "b_relu"], {})
    graph.outputs = ("joined",)
    inputs = {"data": random.normal(size=(8, 6, 6)).astype(np.float32)}
    table = true_table(graph, inputs)
    reports = {report.name: report for report in compared(graph, inputs, table).tensors}
    assert reports["b_relu"].scale == pytest.approx(table.scales["joined"])
    assert reports["joined"].entry in ("joined", "a_relu")  # the same number
    assert reports["b_relu"].entry in ("joined", "a_relu")
    assert reports["joined"].accumulated["chip"].snr_db > 25
