"""ReLU, leaky ReLU, PReLU, ReLU6 and Clip: behind a convolution and alone, with one rounding."""

from __future__ import annotations

import pytest

from nvdla_sim.graph.ops.clip import Clip
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.prelu import PReLU
from nvdla_sim.graph.ops.relu import ReLU
from nvdla_sim.graph.ops.relu6 import ReLU6
from tests.compiler.decoded import operations
from tests.compiler.ideal import MODES, TARGETS, Net, run

ACTIVATIONS = [ReLU(), ReLU(0.1), ReLU(1.5), PReLU(), PReLU(channel_shared=True), ReLU6(), Clip(0.0, 1.3)]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("op", ACTIVATIONS, ids=str)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("bias", [False, True])
def test_behind_a_convolution(target, op, mode, bias) -> None:
    net = Net()
    net.add(op, net.add(Convolution(11, (3, 3), bias=bias), net.input((13, 6, 5))))
    result = run(net, target, mode)
    assert [made["kind"] for made in operations(result.loadable)] == ["CONV", "SDP"]
    assert result.worst < 0.52


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("op", ACTIVATIONS, ids=str)
def test_alone(target, op) -> None:
    """A leaky ReLU is a function of one value: its table is exact."""
    net = Net()
    net.add(op, net.input((13, 6, 5), scale=0.1))
    result = run(net, target)
    unit = "CDP" if isinstance(op, ReLU) and op.negative_slope else "SDP"
    assert [made["kind"] for made in operations(result.loadable)] == [unit]
    assert result.worst < 0.52


@pytest.mark.parametrize("op", [ReLU6(), Clip(0.0, 1.3)], ids=str)
def test_a_bound_inside_the_range_of_int8(op) -> None:
    """The scale of the layer reaches further than the bound: the minimum must do it."""
    net = Net()
    net.add(op, net.add(Convolution(11, (3, 3)), net.input((13, 6, 5)), name="conv"), name="clip")
    result = run(net, scales={"clip": 0.1})
    assert result.outputs[0].max() == round(min(6.0 if op.kind == "ReLU6" else 1.3, 6.0) / 0.1)
    assert result.worst < 0.52
