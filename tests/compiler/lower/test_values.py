"""Filters of very different size: they keep their precision and their bias."""

from __future__ import annotations

import numpy as np
import pytest

from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.deconvolution import Deconvolution
from nvdla_sim.graph.ops.eltwise import Eltwise
from nvdla_sim.graph.ops.inner_product import InnerProduct
from nvdla_sim.graph.ops.prelu import PReLU
from nvdla_sim.graph.ops.relu import ReLU
from nvdla_sim.graph.ops.relu6 import ReLU6
from tests.compiler.decoded import operations
from tests.compiler.ideal import TARGETS, Net, run

EXACT = np.array([1, 1, 1, 1, 0, 1, 1, 1], np.float32)


def spread_net(exponents: list[int], bias: float = 30.0) -> tuple[Net, str]:
    """Eight filters, filter k 2^-exponents[k] of its natural size; the biases reach across the output."""
    net = Net()
    data = net.input((8, 5, 5))
    op = Convolution(8, (3, 3))
    weights = (
        net._param("weight", (8, 8, 3, 3)) * np.exp2(-np.array(exponents, np.float32))[:, None, None, None]
    )
    biases = net.rng.uniform(-bias, bias, 8).astype(np.float32)
    return net, net.add(op, data, weight=weights, bias=biases)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("most", [2, 6, 8, 11, 14])
@pytest.mark.parametrize("relu", [False, True])
def test_one_rounding_whatever_the_spread(target, most, relu) -> None:
    net, x = spread_net([0, 0, 1, 2, most // 2, most - 1, most, most])
    if relu:
        net.add(ReLU(), x)
    assert run(net, target, "per-filter").worst < 0.53


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("most", [20, 40, 100])
def test_filters_that_nobody_can_see_keep_their_bias(target, most) -> None:
    net, _ = spread_net([0, 0, 0, 0, 0, 0, most, most])
    assert run(net, target, "per-filter").worst < 0.53


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("follower", ["eltwise", "prelu"])
def test_what_needs_the_second_stage_becomes_an_operation_of_its_own(target, follower) -> None:
    net, x = spread_net([0, 0, 1, 2, 6, 9, 11, 12])
    if follower == "prelu":
        net.add(PReLU(), x)
    else:
        net.add(Eltwise("SUM"), net.add(Convolution(8, (3, 3)), "data"), x)
    assert run(net, target, "per-filter").worst < 2.5


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("most", [6, 12])
def test_pictures_vectors_groups_and_deconvolutions(target, most) -> None:
    """Wherever filters of very different size are, they keep their bits."""
    sizes = np.exp2(-np.array([0, 0, 1, 2, most // 2, most - 1, most, most], np.float32))
    for op, shape in (
        (Convolution(8, (3, 3)), (3, 6, 7)),
        (Convolution(8, (3, 3), group=4), (8, 6, 7)),
        (InnerProduct(8), (8, 4, 4)),
        (Deconvolution(8, (2, 2), (2, 2)), (8, 4, 5)),
    ):
        net = Net()
        data = net.input(shape)
        if isinstance(op, Deconvolution):
            weight = net.whole_weights(op, 8) * sizes[:, None, None]
        else:
            natural = op.param_shapes([shape])["weight"]
            weight = net._param("weight", natural) * sizes.reshape(-1, *(1,) * (len(natural) - 1))
        net.add(op, data, weight=weight, bias=net.rng.uniform(-20, 20, 8).astype(np.float32))
        assert run(net, target, "per-filter").worst < 0.53, op.kind


def test_a_bound_that_int8_has_anyway_needs_no_second_stage() -> None:
    net, x = spread_net([0, 0, 1, 2, 6, 9, 11, 12])
    net.add(ReLU6(), x, name="relu6")
    result = run(net, quantization="per-filter", scales={"relu6": 6 / 127})
    assert [op["kind"] for op in operations(result.loadable)] == ["CONV", "SDP"]
    assert result.worst < 0.53


@pytest.mark.parametrize("target", TARGETS)
def test_a_filter_of_zeros_keeps_its_bias(target) -> None:
    net = Net()
    weights = net._param("weight", (8, 8, 3, 3)) * EXACT[:, None, None, None]
    net.add(Convolution(8, (3, 3)), net.input((8, 5, 5)), weight=weights)
    for mode in ("per-kernel", "per-filter"):
        assert run(net, target, mode).worst < 0.52
