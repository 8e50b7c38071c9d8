"""Eltwise: both operands exact, on the fly behind a convolution or on their own."""

from __future__ import annotations

import pytest

from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.eltwise import Eltwise
from nvdla_sim.graph.ops.pooling import Pooling
from nvdla_sim.graph.ops.relu import ReLU
from nvdla_sim.loadable.loadable import Loadable
from tests.compiler.decoded import operations
from tests.compiler.ideal import MODES, TARGETS, Net, run

SHAPE = (11, 5, 4)


def kinds(loadable: Loadable) -> list[str]:
    return [op["kind"] for op in operations(loadable)]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "op",
    [
        Eltwise("SUM"),
        Eltwise("SUM", (1.0, -1.0)),
        Eltwise("SUM", (-0.5, 3.0)),
        Eltwise("SUM", (-0.5, -2.0)),
        Eltwise("SUM", (0.0, 1.5)),
        Eltwise("MAX"),
        Eltwise("PROD"),
    ],
    ids=str,
)
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("ratio", [1, 20, 1 / 300])
def test_two_inputs(target, op, relu, ratio) -> None:
    net = Net()
    a, b = net.input(SHAPE, "a", 2.0**-5), net.input(SHAPE, "b", 2.0**-5 * ratio)
    x = net.add(op, a, b)
    if relu:
        net.add(ReLU(), x)
    result = run(net, target)
    one = not (relu and op.coeff and max(op.coeff) <= 0)
    assert kinds(result.loadable) == (["SDP"] if one else ["SDP", "SDP"])
    assert result.worst < (0.52 if one else 1.05)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("op", [Eltwise("SUM"), Eltwise("SUM", (0.3, -2.0)), Eltwise("MAX")], ids=str)
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_behind_a_convolution(target, mode, op, relu, first, bias) -> None:
    """One rounding for convolution, sum and ReLU together."""
    net = Net()
    data = net.input(SHAPE)
    x = net.add(Convolution(11, (3, 3), pad=(1, 1), bias=bias), data)
    x = net.add(op, *((x, data) if first else (data, x)))
    if relu:
        net.add(ReLU(), x)
    result = run(net, target, mode)
    assert kinds(result.loadable)[0] == "CONV"
    negative = op.coeff and op.coeff[1 if first else 0] < 0
    assert len(kinds(result.loadable)) == (3 if negative else 2)
    assert result.worst < (3 if negative else 0.53)


def test_behind_a_convolution_that_is_cut_by_rows() -> None:
    """Each piece adds its own rows."""
    net = Net()
    data = net.input((48, 60, 50))
    x = net.add(Convolution(48, (3, 3), pad=(1, 1)), data)
    net.add(Eltwise("SUM"), x, data)
    result = run(net)
    assert kinds(result.loadable) == ["CONV", "SDP"] * (len(kinds(result.loadable)) // 2)
    assert len(kinds(result.loadable)) > 2
    assert result.worst < 0.53


@pytest.mark.parametrize("op", ["SUM", "MAX", "PROD"])
@pytest.mark.parametrize("count", [3, 4, 5])
def test_many_inputs(op, count) -> None:
    """A product takes three at once."""
    net = Net()
    names = [net.input(SHAPE, f"in{i}", 2.0**-6 * (i + 1)) for i in range(count)]
    net.add(Eltwise(op), *names)
    result = run(net)
    operations = count // 2 if op == "PROD" else count - 1
    assert kinds(result.loadable) == ["SDP"] * operations
    assert result.worst < 0.52 + (2 if op == "PROD" else 0.7) * (operations - 1)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("relu", [False, True])
def test_three_factors_with_one_rounding(target, relu) -> None:
    net = Net()
    x = net.add(Eltwise("PROD"), *(net.input((37, 3, 5), f"in{i}", 2.0**-6 * (i + 1)) for i in range(3)))
    if relu:
        net.add(ReLU(), x)
    result = run(net, target)
    assert kinds(result.loadable) == ["SDP"]
    assert result.worst < 0.52


@pytest.mark.parametrize("target", TARGETS)
def test_inputs_without_weight(target) -> None:
    """Two of them have no steps that their sum could have."""
    net = Net()
    names = [net.input(SHAPE, f"in{i}", 2.0**-6 * (i + 1)) for i in range(4)]
    net.add(Eltwise("SUM", (0.0, 0.0, 0.5, 0.0)), *names)
    assert run(net, target).worst < 2


def test_a_relu_behind_four_inputs_leaves_the_first_three_together() -> None:
    net = Net()
    names = [net.input(SHAPE, f"in{i}", 2.0**-6 * (i + 1)) for i in range(4)]
    net.add(ReLU(), net.add(Eltwise("SUM"), *names))
    assert kinds(run(net, "nv_full").loadable) == ["SDP", "SDP"]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("coeff", [(), (-0.5, 2.0, 0.3)])
@pytest.mark.parametrize("relu", [False, True])
def test_three_inputs_in_one_operation(target, coeff, relu) -> None:
    """Stage Y adds the third one; it has no ReLU."""
    net = Net()
    x = net.add(Eltwise("SUM", coeff), *(net.input(SHAPE, f"in{i}", 2.0**-6 * (i + 1)) for i in range(3)))
    if relu:
        net.add(ReLU(), x)
    result = run(net, target)
    one = target != "nv_small" and not relu
    assert kinds(result.loadable) == ["SDP"] * (1 if one else 2)
    assert result.worst < (0.53 if one else 1.2)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("count", [3, 4, 5])
def test_inputs_of_one_scale(relu, count) -> None:
    """X1 and X2 both add."""
    net = Net()
    x = net.add(Eltwise("SUM"), *(net.input(SHAPE, f"in{i}") for i in range(count)))
    if relu:
        net.add(ReLU(), x)
    result = run(net)
    assert kinds(result.loadable) == ["SDP"] * (count - 2)
    assert result.worst < 0.52 + 0.7 * (count - 3)


def test_the_same_tensor_twice() -> None:
    net = Net()
    x = net.add(Convolution(8, (1, 1)), net.input((8, 4, 4)))
    net.add(Eltwise("SUM"), x, x)
    assert run(net).worst < 1.6


def test_an_operand_from_a_pool_is_waited_for() -> None:
    net = Net()
    data = net.input((8, 6, 6))
    conv = net.add(Convolution(8, (1, 1)), data)
    pool = net.add(Pooling("MAX", (3, 3), (1, 1), (1, 1)), conv)
    x = net.add(Convolution(8, (3, 3), pad=(1, 1)), data)
    net.add(Eltwise("SUM"), pool, x)
    assert run(net).worst < 1.2


def test_pictures_are_operands_too() -> None:
    net = Net()
    a, b = net.input((3, 5, 4), "a"), net.input((3, 5, 4), "b")
    net.add(Eltwise("SUM"), a, b)
    result = run(net)
    assert kinds(result.loadable) == ["CONV", "SDP", "CONV", "SDP", "SDP"]
    assert result.worst < 0.52
