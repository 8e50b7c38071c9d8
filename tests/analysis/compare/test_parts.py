"""A net cut at the tensors that exist in int8."""

from __future__ import annotations

import numpy as np

from nvdla_sim.analysis.compare import parts
from nvdla_sim.graph.graph import Graph
from nvdla_sim.graph.ops.eltwise import Eltwise
from nvdla_sim.graph.ops.power import Power
from nvdla_sim.graph.ops.relu import ReLU


def branches() -> Graph:
    """in -> a -> b, a -> c, b + c -> sum -> out; only a and out are in memory."""
    graph = Graph("branches")
    graph.add_input("in", (2, 3, 3))
    graph.add("a", ReLU(), ["in"], {})
    graph.add("b", Power(scale=2.0), ["a"], {})
    graph.add("c", Power(shift=1.0), ["a"], {})
    graph.add("sum", Eltwise("SUM"), ["b", "c"], {})
    graph.add("out", ReLU(), ["sum"], {})
    graph.outputs = ("out",)
    return graph


def test_cut() -> None:
    first, second = parts.cut(branches(), {"a", "out"})
    assert (first.output, first.inputs, [node.name for node in first.nodes]) == ("a", ("in",), ["a"])
    assert (second.output, second.inputs) == ("out", ("a",))
    assert [node.name for node in second.nodes] == ["b", "c", "sum", "out"]


def test_a_tensor_in_memory_ends_a_part_wherever_it_is_read() -> None:
    found = {part.output: set(part.inputs) for part in parts.cut(branches(), {"a", "b", "out"})}
    assert found == {"a": {"in"}, "b": {"a"}, "out": {"a", "b"}}


def test_run_starts_from_given_values() -> None:
    _, part = parts.cut(branches(), {"a", "out"})
    values = {"a": np.full((1, 2, 3, 3), 3, np.float32)}
    assert (parts.run(part, values, {}) == 3 * 2 + 3 + 1).all()


def test_run_takes_other_nodes_by_name() -> None:
    graph = branches()
    _, part = parts.cut(graph, {"a", "out"})
    other = Graph("other")
    other.add_input("a", (2, 3, 3))
    replacement = other.add("b", Power(scale=5.0), ["a"], {})
    values = {"a": np.full((1, 2, 3, 3), 3, np.float32)}
    assert (parts.run(part, values, {"b": replacement}) == 3 * 5 + 3 + 1).all()


def test_layers_of_a_part_are_those_of_the_net_as_written() -> None:
    graph = branches()
    named = parts.layers_of(graph, parts.cut(graph, {"a", "out"}))
    assert named == {"a": ("a",), "out": ("b", "c", "sum", "out")}
