"""Which entries a table has, and which layers share a range."""

from __future__ import annotations

from nvdla_sim.calib.layers import entries, fused_range_of, range_of
from nvdla_sim.graph.graph import Graph
from nvdla_sim.graph.ops.concat import Concat
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.pooling import Pooling
from nvdla_sim.graph.ops.relu import ReLU
from nvdla_sim.graph.ops.slice import Slice


def branching() -> Graph:
    graph = Graph("net")
    graph.add_input("data", (4, 8, 8))
    graph.add("conv", Convolution(4, (1, 1)), ["data"])
    graph.add("relu", ReLU(), ["conv"], blobs=["conv"])
    graph.add("pool", Pooling("MAX", (2, 2), (2, 2)), ["relu"])
    graph.add("cut", Slice((1, 3)), ["pool"], blobs=["a", "b"])
    graph.add("left", ReLU(), ["a"])
    graph.add("right", ReLU(), ["b"])
    graph.add("both", Concat(1), ["left", "right"])
    graph.add("first", ReLU(), ["both"])
    graph.add("second", ReLU(), ["both"])
    return graph


def test_inputs_then_layers_in_order() -> None:
    names = ["data", "conv", "relu", "pool", "cut", "left", "right", "both", "first", "second"]
    assert [name for name, _ in entries(branching())] == names
    assert dict(entries(branching()))["cut"] == "a"


def test_layers_that_hold_values_of_their_input() -> None:
    ranges = range_of(branching())
    assert {tensor for tensor, base in ranges.items() if tensor != base} == {"pool", "a", "b"}
    assert {ranges[tensor] for tensor in ("pool", "a", "b")} == {"relu"}


def test_an_average_has_a_range_of_its_own_unless_asked_otherwise() -> None:
    graph = Graph("net")
    graph.add_input("data", (4, 8, 8))
    graph.add("mean", Pooling("AVE", (8, 8), (8, 8)), ["data"])
    assert range_of(graph)["mean"] == "mean"
    assert range_of(graph, averages=True)["mean"] == "data"


def test_after_fusion() -> None:
    """conv goes into relu; "both" is read twice, so that it stays."""
    ranges = fused_range_of(branching())
    assert ranges["conv"] == ranges["pool"] == ranges["b"] == "relu"
    assert ranges["both"] == "both"


def test_an_input_is_never_fused() -> None:
    graph = Graph("net")
    graph.add_input("data", (4, 8, 8))
    graph.add("relu", ReLU(), ["data"])
    assert fused_range_of(graph) == {"data": "data", "relu": "relu"}
