"""Fake-quantised nodes and runs."""

from __future__ import annotations

import numpy as np
import pytest

from nvdla_sim.analysis.compare import parts
from nvdla_sim.analysis.compare.fake_quant import fake_run, nodes_to_run
from nvdla_sim.graph.graph import Graph, Node
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.deconvolution import Deconvolution
from nvdla_sim.graph.ops.inner_product import InnerProduct
from nvdla_sim.graph.ops.relu import ReLU

STEP = np.float32(1 / 127)


def node(op: Convolution | Deconvolution | InnerProduct, weight: np.ndarray, **others: np.ndarray) -> Node:
    params = {"weight": np.asarray(weight, np.float32), **others}
    return Node("layer", op, ("in",), ("out",), params)


def weights(made: Node, per_filter: bool = False, bits: int | None = 8) -> np.ndarray:
    return nodes_to_run([made], per_filter, bits)["layer"].params["weight"]


def test_one_scale_for_all_weights() -> None:
    made = node(InnerProduct(2, bias=False), [[1, 0.1], [0.01, 0.003]])
    expected = np.array([[127, 13], [1, 0]]) * STEP  # 0.1 * 127 = 12.7, 1.27, 0.381
    assert weights(made) == pytest.approx(expected)


def test_a_scale_for_each_filter() -> None:
    made = node(InnerProduct(3, bias=False), [[1, 0.1], [0.01, 0.003], [0, 0]])
    expected = np.array([[127, 13], [1.27, 0.38], [0, 0]]) * STEP  # 0.003 / 0.01 * 127 = 38.1
    assert weights(made, per_filter=True) == pytest.approx(expected)


def test_sixteen_bits_are_finer() -> None:
    made = node(InnerProduct(2, bias=False), [[1, 0.1], [0.01, 0.003]])
    assert np.abs(weights(made, bits=16) - made.params["weight"]).max() <= 0.5001 / 32767
    assert np.array_equal(weights(made, bits=None), made.params["weight"])


def test_filters_of_a_grouped_deconvolution() -> None:
    """[input channel, output channel of the group]: each output channel sees its own group's inputs."""
    values = np.array([[1.0, 0.1], [0.5, 0.05], [0.01, 0.2], [0.02, 0.4]], np.float32)[:, :, None, None]
    made = node(Deconvolution(4, (1, 1), group=2, bias=False), values)
    largest = np.array([[1.0, 0.1], [1.0, 0.1], [0.02, 0.4], [0.02, 0.4]], np.float32)[:, :, None, None]
    step = largest / 127
    expected = np.floor(values / step + 0.5) * step
    assert weights(made, per_filter=True) == pytest.approx(expected)


def test_a_gain_and_a_bias_from_the_compiler_are_taken_in() -> None:
    """The gain multiplies after quantisation: the chip has it apart from the weights."""
    gain, bias = np.array([10, 0.1], np.float32), np.array([1, -1], np.float32)
    made = node(
        Convolution(2, (1, 1), bias=False), np.array([1, 0.1])[:, None, None, None], gain=gain, bias=bias
    )
    found = nodes_to_run([made], per_filter=False, bits=8)["layer"]
    assert found.params["weight"].reshape(-1) == pytest.approx(np.array([127 * 10, 13 * 0.1]) * STEP)
    x = np.ones((1, 1, 1, 1), np.float32)
    (y,) = found.op.run([x], found.params)
    assert y.reshape(-1) == pytest.approx(np.array([127 * 10, 13 * 0.1]) * STEP + bias)


def test_denied_nodes_keep_their_weights() -> None:
    made = node(InnerProduct(2, bias=False), [[1, 0.1], [0.01, 0.003]])
    found = nodes_to_run([made], per_filter=False, bits=8, denied=["layer"])
    assert np.array_equal(found["layer"].params["weight"], made.params["weight"])


def two_relus() -> Graph:
    graph = Graph("relus")
    graph.add_input("in", (1, 1, 3))
    graph.add("first", ReLU(), ["in"], {})
    graph.add("second", ReLU(), ["first"], {})
    graph.outputs = ("second",)
    return graph


def test_every_tensor_is_rounded_unless_denied() -> None:
    graph = two_relus()
    net = parts.cut(graph, {"first", "second"})
    inputs = {"in": np.array([0.6, 2.4, -3], np.float32).reshape(1, 1, 1, 3)}
    scales = {"in": 0.5, "first": 1.0, "second": 3.0}
    values = fake_run(net, inputs, scales, {}, bits=8)
    assert values["in"].reshape(-1).tolist() == [0.5, 2.5, -3]
    assert values["first"].reshape(-1).tolist() == [1, 3, 0]
    assert values["second"].reshape(-1).tolist() == [0, 3, 0]
    denied = fake_run(net, inputs, scales, {}, bits=8, denied={"first"})
    assert denied["first"].reshape(-1).tolist() == [0.5, 2.5, 0]
    assert denied["second"].reshape(-1).tolist() == [0, 3, 0]
