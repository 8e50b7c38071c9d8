"""Functions of one value: each of the 256 inputs gives the rounded real result."""

from __future__ import annotations

import numpy as np
import pytest

from nvdla_sim.compiler.lower.unary import table
from nvdla_sim.graph.ops.absval import AbsVal
from nvdla_sim.graph.ops.bnll import BNLL
from nvdla_sim.graph.ops.clip import Clip
from nvdla_sim.graph.ops.concat import Concat
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.deconvolution import Deconvolution
from nvdla_sim.graph.ops.elu import ELU
from nvdla_sim.graph.ops.exp import Exp
from nvdla_sim.graph.ops.inner_product import InnerProduct
from nvdla_sim.graph.ops.log import Log
from nvdla_sim.graph.ops.power import Power
from nvdla_sim.graph.ops.relu import ReLU
from nvdla_sim.graph.ops.sigmoid import Sigmoid
from nvdla_sim.graph.ops.swish import Swish
from nvdla_sim.graph.ops.tanh import TanH
from nvdla_sim.graph.ops.threshold import Threshold
from tests.compiler.decoded import operations
from tests.compiler.ideal import MODES, TARGETS, Net, run

FUNCTIONS = [
    AbsVal(),
    BNLL(),
    Clip(-1.0, 2.0),
    ELU(0.7),
    Exp(),
    Power(2.0, 0.5, -0.3),
    ReLU(0.3),
    Sigmoid(),
    Swish(),
    TanH(),
    Threshold(0.5),
]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("op", FUNCTIONS, ids=str)
def test_exact(target, op) -> None:
    net = Net()
    net.add(op, net.input((19, 16, 16)))
    result = run(net, target)
    assert [made["kind"] for made in operations(result.loadable)] == ["CDP"]
    assert result.worst <= 0.5001


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("op", [Sigmoid(), TanH()], ids=str)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "layer", [Convolution(11, (3, 3)), Deconvolution(11, (2, 2), (2, 2)), InnerProduct(9)]
)
def test_behind_a_convolution(target, op, mode, layer) -> None:
    """Stage Y needs no int8 in between."""
    net = Net()
    data = net.input((7, 6, 5))
    weights = {"weight": net.whole_weights(layer, 7)} if isinstance(layer, Deconvolution) else {}
    net.add(op, net.add(layer, data, **weights))
    result = run(net, target, mode)
    kinds = [made["kind"] for made in operations(result.loadable)]
    assert ("CDP" in kinds) is (target == "nv_small")
    if target != "nv_small":
        assert result.worst < 0.56


def test_filters_of_very_different_size_behind_stage_y() -> None:
    net = Net()
    data = net.input((7, 6, 5))
    weight = net._param("weight", (8, 7, 3, 3)) * np.exp2(-np.arange(8.0))[:, None, None, None]
    net.add(Sigmoid(), net.add(Convolution(8, (3, 3)), data, weight=weight.astype(np.float32)))
    assert run(net, "nv_large", "per-filter").worst < 0.53


def test_sums_too_large_for_stage_y_are_int8_in_between() -> None:
    net = Net()
    data = net.input((7, 6, 5), scale=2.0**12)
    net.add(Sigmoid(), net.add(Convolution(8, (3, 3)), data))
    assert "CDP" in [made["kind"] for made in operations(run(net, "nv_large").loadable)]


def test_where_a_function_has_no_value() -> None:
    results = table(Log(), np.float32(0.1), np.float32(0.1))
    assert results[128] == -128  # log 0
    assert not results[:128].any()
    assert results[138] == 0  # log 1
    assert results[255] == round(np.log(12.7) * 10)


def test_several_tables_in_a_task() -> None:
    net = Net()
    data = net.input((5, 4, 4))
    x = net.add(TanH(), net.add(Sigmoid(), net.add(TanH(), data)))
    net.add(Sigmoid(), x)
    result = run(net)
    assert result.worst < 3
    tables = result.loadable.blob("task-0-lut_list").data.size // 700
    assert tables == 4


def test_equal_tables_are_stored_once() -> None:
    net = Net()
    data = net.input((5, 4, 4))
    net.add(AbsVal(), data, name="a")
    net.add(AbsVal(), data, name="b")
    assert run(net).loadable.blob("task-0-lut_list").data.size == 700


def test_holes_are_mapped_along() -> None:
    net = Net()
    data = net.input((5, 4, 4))
    x = net.add(Concat(), *(net.add(Convolution(count, (1, 1)), data) for count in (3, 4)))
    net.add(Convolution(5, (1, 1)), net.add(Sigmoid(), x))
    assert run(net).worst < 3
