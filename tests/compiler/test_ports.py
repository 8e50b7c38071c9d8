"""Nets with several inputs and outputs: bound in the net's order, each right, on every configuration."""

from __future__ import annotations

import numpy as np
import pytest

from nvdla_sim.graph.ops.concat import Concat
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.eltwise import Eltwise
from nvdla_sim.graph.ops.inner_product import InnerProduct
from nvdla_sim.graph.ops.pooling import Pooling
from nvdla_sim.graph.ops.relu import ReLU
from nvdla_sim.graph.ops.slice import Slice
from nvdla_sim.graph.ops.softmax import Softmax
from nvdla_sim.loadable.enums import MemoryFlags
from nvdla_sim.runtime.buffers import bound_memories
from tests.compiler.ideal import MODES, TARGETS, Net, Result, run

on_all = pytest.mark.parametrize("target", TARGETS)
in_both = pytest.mark.parametrize("mode", MODES)


def names(result: Result, flag: MemoryFlags) -> list[str]:
    """Of the bound tensors, in the order in which a runtime binds them."""
    loadable = result.loadable
    return [loadable.tensors[memory.tensor_desc_id].name for memory in bound_memories(loadable, flag)]


@on_all
@in_both
def test_two_inputs_and_three_outputs(target, mode) -> None:
    """A picture and a cube in; an output that later layers read, what they make of it, and one of its own."""
    net = Net()
    picture, cube = net.input((3, 8, 9), "picture"), net.input((11, 8, 9), "cube", 2.0**-6)
    x = net.add(Convolution(11, (3, 3), pad=(1, 1)), picture, name="conv")
    total = net.add(Eltwise("SUM"), x, cube, name="sum")
    pool = net.add(Pooling("MAX", (2, 2), (2, 2)), total, name="pool")
    other = net.add(Convolution(40, (1, 1)), cube, name="other")
    net.graph.outputs = (pool, total, other)
    result = run(net, target, mode)
    assert names(result, MemoryFlags.INPUT) == ["picture", "cube"]
    assert names(result, MemoryFlags.OUTPUT) == ["pool", "sum", "other"]
    assert result.worst < 1.05  # the pool of what is rounded already, in steps of the sum
    assert [output.shape for output in result.outputs] == [(11, 4, 5), (11, 8, 9), (40, 8, 9)]
    assert max(error.max() for error in result.errors[1:]) < 0.53


@on_all
@in_both
def test_outputs_of_the_same_input(target, mode) -> None:
    """A ReLU and what it is made of, which cannot be one operation then; and a vector."""
    net = Net()
    data = net.input((7, 6, 5))
    conv = net.add(Convolution(10, (3, 3)), data, name="conv")
    relu = net.add(ReLU(), conv, name="relu")
    vector = net.add(InnerProduct(9), data, name="vector")
    net.graph.outputs = (relu, conv, vector)
    result = run(net, target, mode, scales={"relu": 0.25, "conv": 0.25})
    assert names(result, MemoryFlags.OUTPUT) == ["relu", "conv", "vector"]
    assert max(error.max() for error in result.errors[1:]) < 0.53
    assert np.array_equal(result.outputs[0], np.maximum(result.outputs[1], 0))


@on_all
def test_parts_of_an_output_and_joined_inputs(target) -> None:
    """Two inputs side by side; slices of them and the whole are outputs."""
    net = Net()
    a, b = net.input((5, 4, 4), "a"), net.input((35, 4, 4), "b")
    x = net.add(Concat(), a, b, name="concat")
    first, second = net.add(Slice((17, 23)), x, name="slice").split()
    net.graph.outputs = (second, x, first)
    result = run(net, target, scales={"concat": 2.0**-5, "slice": 2.0**-5})
    assert result.worst < 1e-6
    assert names(result, MemoryFlags.OUTPUT) == [second, x, first]


@on_all
def test_outputs_of_chip_and_cpu(target) -> None:
    """The emulator writes one, and the chip another behind it."""
    net = Net()
    data = net.input((6, 3, 3))
    logits = net.add(Convolution(13, (3, 3)), data, name="logits")
    prob = net.add(Softmax(), logits, name="prob")
    behind = net.add(Convolution(7, (1, 1)), prob, name="behind")
    net.graph.outputs = (behind, prob, logits)
    result = run(net, target, scales={"prob": 1 / 127, "behind": 0.01})
    assert names(result, MemoryFlags.OUTPUT) == ["behind", "prob", "logits"]
    assert result.errors[2].max() < 0.53
    exponents = np.exp(result.outputs[2].astype(np.float64) * result.scales[2])
    assert np.array_equal(result.outputs[1], np.floor(exponents / exponents.sum() * 127))
    weights, bias = (net.graph.node("behind").params[name] for name in ("weight", "bias"))
    ideal = (weights[:, :, 0, 0] @ result.outputs[1][:, 0, 0] / 127 + bias) / result.scales[0]
    assert np.abs(result.outputs[0][:, 0, 0] - np.clip(ideal, -128, 127)).max() < 0.53
