"""The graph: naming, building, running, what is kept and what is refused."""

from __future__ import annotations

import weakref

import numpy as np
import pytest

from nvdla_sim.errors import ModelError
from nvdla_sim.graph.graph import Graph, Tensor
from nvdla_sim.graph.operator import Elementwise
from nvdla_sim.graph.ops.concat import Concat
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.eltwise import Eltwise
from nvdla_sim.graph.ops.power import Power
from nvdla_sim.graph.ops.relu import ReLU
from nvdla_sim.graph.ops.slice import Slice
from tests.graph.cases import random_array, random_params


def two_branches() -> Graph:
    """data -> double -> (negate, relu) -> sum."""
    graph = Graph("branches")
    graph.add_input("data", (2, 3, 3))
    graph.add("double", Power(scale=2.0), ["data"])
    graph.add("negate", Power(scale=-1.0), ["double"])
    graph.add("relu", ReLU(), ["double"])
    graph.add("sum", Eltwise(), ["negate", "relu"])
    graph.outputs = ("sum",)
    return graph


def test_run_gives_every_tensor():
    graph, x = two_branches(), random_array(1, 4, 2, 3, 3)
    values = graph.run({"data": x})
    assert set(values) == {"data", "double", "negate", "relu", "sum"}
    np.testing.assert_array_equal(values["sum"], np.maximum(2 * x, 0) - 2 * x)


def test_run_shows_every_tensor_as_soon_as_it_is_there():
    graph, x = two_branches(), random_array(1, 4, 2, 3, 3)
    seen = {}
    assert graph.run({"data": x}, (), lambda name, values: seen.update({name: values.copy()})) == {}
    whole = graph.run({"data": x})
    assert list(seen) == ["data", *(name for node in graph.nodes for name in node.outputs)]
    for name, values in seen.items():
        np.testing.assert_array_equal(values, whole[name])


def test_run_keeps_what_is_asked_for():
    graph, x = two_branches(), random_array(1, 4, 2, 3, 3)
    whole = graph.run({"data": x})
    for keep in ((), ("sum",), ("data", "relu"), ("double",)):
        some = graph.run({"data": x}, keep)
        assert set(some) == set(keep)
        for name, value in some.items():
            np.testing.assert_array_equal(value, whole[name])


class Watched(Elementwise):
    """y = x + 1; notes how many of all results so far are alive when it runs."""

    kind = "Watched"

    def __init__(self, results, alive):
        self.results, self.alive = results, alive

    def apply(self, x, params):
        self.alive.append(sum(result() is not None for result in self.results))
        y = x + 1
        self.results.append(weakref.ref(y))
        return y


@pytest.mark.parametrize(("keep", "expected"), [(["6"], [0, 1, 1, 1, 1, 1]), (None, [0, 1, 2, 3, 4, 5])])
def test_run_drops_what_is_not_needed_any_more(keep, expected):
    alive: list[int] = []
    results: list[weakref.ref] = []
    graph = Graph("chain")
    graph.add_input("0", (8,))
    for step in range(6):
        graph.add(str(step + 1), Watched(results, alive), [str(step)])
    graph.run({"0": np.zeros((1, 8), np.float32)}, keep)
    assert alive == expected


def test_a_rewritten_blob_is_named_like_its_layer():
    graph = Graph("in place")
    graph.add_input("data", (4,))
    graph.add("a", ReLU(), ["data"], blobs=["data"])
    graph.add("b", ReLU(), ["a"], blobs=["data"])
    graph.add("c", ReLU(), ["b"], blobs=["fresh"])
    graph.add("cut", Slice((1, 3)), ["fresh"], blobs=["fresh", "data"])
    assert [node.outputs for node in graph.nodes] == [("a",), ("b",), ("fresh",), ("cut", "cut:1")]
    assert graph.tensors["b"] == Tensor("b", (4,), "data")
    assert graph.tensors["cut:1"] == Tensor("cut:1", (3,), "data")


def test_producer_consumers_and_node():
    graph = two_branches()
    assert graph.producer("data") is None
    assert graph.producer("relu") is graph.node("relu")
    assert [node.name for node in graph.consumers("double")] == ["negate", "relu"]
    assert graph.consumers("sum") == []
    with pytest.raises(ModelError, match=r'no layer "relo"; did you mean "relu"\?'):
        graph.node("relo")


def test_shape_as_the_chip_sees_it():
    assert Tensor("t", (5,), "t").chw == (5, 1, 1)
    assert Tensor("t", (5, 6), "t").chw == (5, 6, 1)
    assert Tensor("t", (5, 6, 7), "t").chw == (5, 6, 7)
    with pytest.raises(ModelError, match="5x6x7x8 has more than three axes"):
        _ = Tensor("t", (5, 6, 7, 8), "t").chw


def test_refusals_when_building():
    graph = two_branches()
    with pytest.raises(ModelError, match='there is a tensor "data" already'):
        graph.add_input("data", (1,))
    with pytest.raises(ModelError, match=r'no tensor "dobule"; did you mean "double"\?'):
        graph.add("x", ReLU(), ["dobule"])
    with pytest.raises(ModelError, match='input "big" would have the shape 65536x65536, more than'):
        graph.add_input("big", (65536, 65536))
    graph.add_input("half", (1 << 28,))
    with pytest.raises(ModelError, match="its output would have the shape 536870912, more than 268435456"):
        graph.add("x", Concat(), ["half", "half"])
    with pytest.raises(ModelError, match="every size must be at least 1"):
        graph.add_input("none", (3, 0))
    with pytest.raises(ModelError, match="2 tops, but gives 1 outputs"):
        graph.add("x", ReLU(), ["double"], blobs=["a", "b"])
    assert [node.name for node in graph.nodes] == ["double", "negate", "relu", "sum"]


def test_parameters_are_checked():
    graph = two_branches()
    op = Convolution(4, (3, 3))
    params = random_params(op, [(2, 3, 3)])
    bad = {"weight": params["weight"][:3], "extra": params["bias"]}
    with pytest.raises(
        ModelError, match=r"weight has the shape 3x2x3x3, needed is 4x2x3x3; bias of shape 4 is missing"
    ):
        graph.add("conv", op, ["data"], bad)
    with pytest.raises(ModelError, match="extra is not a parameter"):
        graph.add("conv", op, ["data"], {**params, "extra": params["bias"]})
    with pytest.raises(ModelError, match="bias holds values that are not finite"):
        graph.add("conv", op, ["data"], {**params, "bias": params["bias"] * np.float32(np.inf)})
    assert graph.add("conv", op, ["data"], params).params.keys() == {"weight", "bias"}


def test_refusals_when_running():
    graph, x = two_branches(), random_array(1, 4, 2, 3, 3)
    with pytest.raises(ModelError, match=r"inputs given: \['image'\], inputs of the net: \['data'\]"):
        graph.run({"image": x})
    with pytest.raises(ModelError, match='input "data" is 4x2x3x2, needed is Nx2x3x3'):
        graph.run({"data": x[..., :2]})
    with pytest.raises(ModelError, match=r'no tensor "rel"; did you mean "relu"\?'):
        graph.run({"data": x}, ["rel"])
    graph.add("conv", Convolution(4, (3, 3)), ["data"])
    with pytest.raises(ModelError, match='layer "conv" has no weight, bias: give a caffemodel'):
        graph.run({"data": x})


def test_inputs_share_a_batch():
    graph = Graph("two")
    graph.add_input("a", (3,))
    graph.add_input("b", (3,))
    graph.add("sum", Eltwise(), ["a", "b"])
    with pytest.raises(ModelError, match="different batch sizes"):
        graph.run({"a": random_array(1, 2, 3), "b": random_array(1, 1, 3)})


def test_running_leaves_inputs_and_parameters_alone():
    graph = Graph("net")
    graph.add_input("data", (2, 6, 6))
    op = Convolution(4, (3, 3), pad=(1, 1))
    params = random_params(op, [(2, 6, 6)])
    graph.add("conv", op, ["data"], params)
    graph.add("relu", ReLU(0.5), ["conv"])
    x = random_array(9, 1, 2, 6, 6)
    before = x.copy(), {name: value.copy() for name, value in params.items()}
    graph.run({"data": x})
    np.testing.assert_array_equal(x, before[0])
    for name, value in params.items():
        np.testing.assert_array_equal(value, before[1][name])
