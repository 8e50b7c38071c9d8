"""BatchNorm, Scale, Bias and linear Power: joined to the weights before them, or on their own."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nvdla_sim.graph.ops.batch_norm import BatchNorm
from nvdla_sim.graph.ops.bias import Bias
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.flatten import Flatten
from nvdla_sim.graph.ops.inner_product import InnerProduct
from nvdla_sim.graph.ops.pooling import Pooling
from nvdla_sim.graph.ops.power import Power
from nvdla_sim.graph.ops.relu import ReLU
from nvdla_sim.graph.ops.scale import Scale
from tests.compiler.ideal import MODES, TARGETS, Net, Result, run


def layers(result: Result) -> list[str]:
    notes = json.loads(result.loadable.blob("nvdla-sim.json").data.tobytes())
    return [op["layer"] for op in notes["operations"]]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("channels", [3, 13])  # a picture, a feature cube
@pytest.mark.parametrize("bias", [False, True])
def test_behind_a_convolution_they_cost_nothing(target, mode, channels, bias) -> None:
    net = Net()
    x = net.add(Convolution(11, (3, 3), pad=(1, 1), bias=bias), net.input((channels, 7, 6)), name="conv")
    x = net.add(BatchNorm(), x)
    x = net.add(Scale(bias=True), x)
    net.add(ReLU(), x)
    result = run(net, target, mode)
    assert layers(result) == ["conv", "conv"]
    # one scale for all folded filters rounds the weights of the small ones
    assert result.mean < (0.27 if channels == 3 else 0.5)


def test_behind_an_inner_product() -> None:
    net = Net()
    x = net.add(InnerProduct(9), net.input((7, 3, 3)), name="ip")
    net.add(Bias(), net.add(Scale(), x))
    result = run(net, quantization="per-filter")
    assert layers(result) == ["ip", "ip"]
    assert result.worst < 0.6


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "chain",
    [
        [BatchNorm()],
        [BatchNorm(), ReLU()],
        [Scale()],
        [Scale(bias=True), ReLU()],
        [Bias()],
        [Power(1.0, -0.7, 0.3)],
        [Scale(num_axes=0, bias=True)],
        [BatchNorm(), Scale(bias=True), Power(1.0, 2.0, -1.0), ReLU()],
    ],
    ids=lambda chain: "-".join(op.kind for op in chain),
)
def test_alone_they_are_one_operation(target, chain) -> None:
    net = Net()
    x = net.input((11, 5, 4))
    for op in chain:
        x = net.add(op, x)
    result = run(net, target)
    assert len(layers(result)) == 1
    # NVIDIA's form of BatchNorm rounds the mean to steps of the input
    assert result.worst < (1.1 if chain[0].kind == "BatchNorm" and len(chain) < 3 else 0.52)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("op", [Scale(num_axes=3), Scale(num_axes=3, bias=True), Bias(num_axes=3)], ids=str)
@pytest.mark.parametrize("behind", [False, True])
def test_a_number_for_each_element(target, op, behind) -> None:
    net = Net()
    x = net.input((11, 5, 4))
    if behind:
        x = net.add(Pooling("MAX", (1, 1)), x)
    net.add(op, x)
    assert run(net, target).worst < 0.52


def test_a_channel_without_weight_keeps_its_offset() -> None:
    net = Net()
    x = net.add(Convolution(4, (1, 1)), net.input((3, 4, 4)), name="conv")
    net.add(Scale(bias=True), x, weight=np.array([1, 0, -1, 1e-12], np.float32))
    for mode in MODES:
        assert run(net, quantization=mode).worst < 0.7


def test_two_readers_keep_the_layer_apart() -> None:
    net = Net()
    x = net.add(Convolution(8, (1, 1)), net.input((8, 4, 4)), name="conv")
    net.add(BatchNorm(), x, name="bn")
    net.add(Pooling("MAX", (2, 2), (2, 2)), x, name="pool")
    result = run(net)
    assert layers(result) == ["conv", "conv", "bn", "pool"]
    assert result.worst < 2


@pytest.mark.parametrize("target", TARGETS)
def test_a_bias_from_another_layer(target) -> None:
    net = Net()
    data = net.input((11, 4, 4))
    summand = net.add(Flatten(), net.add(Pooling("AVE", (4, 4)), data))
    net.add(Bias(axis=0), data, summand)
    assert run(net, target).worst < 1.05  # the summand has the steps of the values that it averages


def test_a_weight_from_another_layer_scales_channels() -> None:
    """Squeeze and excite."""
    net = Net()
    data = net.input((11, 4, 4))
    x = net.add(Convolution(11, (1, 1)), data, name="conv")
    squeezed = net.add(Pooling("AVE", (4, 4)), data)
    weight = net.add(Flatten(), net.add(Convolution(11, (1, 1)), squeezed))
    net.add(Scale(axis=0), x, weight)
    for target in TARGETS:
        assert run(net, target).worst < 3
