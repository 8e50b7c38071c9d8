"""Concat: any channel counts, nested, from parts that cannot write to the joint memory themselves."""

from __future__ import annotations

import pytest

from nvdla_sim.errors import UnsupportedError
from nvdla_sim.graph.ops.concat import Concat
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.eltwise import Eltwise
from nvdla_sim.graph.ops.inner_product import InnerProduct
from nvdla_sim.graph.ops.pooling import Pooling
from nvdla_sim.graph.ops.relu import ReLU
from nvdla_sim.graph.ops.scale import Scale
from tests.compiler.decoded import operations
from tests.compiler.ideal import TARGETS, Net, Result, run


def kinds(result: Result) -> list[str]:
    return [op["kind"] for op in operations(result.loadable)]


def convolutions(net: Net, data: str, *channels: int) -> list[str]:
    return [net.add(Convolution(count, (3, 3), pad=(1, 1)), data) for count in channels]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("channels", "copies"), [((32, 64, 5), False), ((3, 40), True), ((1, 1, 1, 1), True), ((33, 31), True)]
)
def test_as_output(target, channels, copies) -> None:
    net = Net()
    net.add(Concat(), *convolutions(net, net.input((6, 5, 4)), *channels))
    result = run(net, target)
    packed = 1 if copies else 0
    assert kinds(result) == ["CONV", "SDP"] * (len(channels) + packed)
    assert result.worst < 0.53


@pytest.mark.parametrize("target", TARGETS)
def test_parts_of_other_scale_are_copied_to_their_place_in_an_output(target) -> None:
    net = Net()
    data = net.input((32, 6, 6))
    pool = net.add(Pooling("MAX", (3, 3), (1, 1), (1, 1)), data)
    net.add(Concat(), *convolutions(net, data, 32), pool)
    result = run(net, target)
    assert sorted(kinds(result)) == ["CONV", "PDP", "SDP", "SDP"]
    assert result.worst < 0.53


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("reader", ["conv", "pool", "ip", "scale", "group"])
def test_readers_find_the_channels(target, reader) -> None:
    net = Net()
    x = net.add(Concat(), *convolutions(net, net.input((6, 5, 4)), 3, 10, 19))
    op = {
        "conv": Convolution(9, (2, 3)),
        "pool": Pooling("MAX", (2, 2)),
        "ip": InnerProduct(7),
        "scale": Scale(bias=True),
        "group": Convolution(8, (3, 3), group=4),
    }[reader]
    net.add(op, x)
    assert run(net, target).worst < (1.01 if reader == "pool" else 3)


def test_parts_are_written_straight_into_the_whole() -> None:
    net = Net()
    x = net.add(Concat(), *convolutions(net, net.input((6, 5, 4)), 8, 16))
    net.add(Convolution(8, (1, 1)), x)
    assert kinds(run(net)) == ["CONV", "SDP"] * 3


def test_parts_of_other_scale_or_origin_are_copied() -> None:
    """A pooled tensor keeps its scale, the input is where the host puts it."""
    net = Net()
    data = net.input((9, 6, 6))
    conv = net.add(Convolution(5, (3, 3), pad=(1, 1)), data)
    pool = net.add(Pooling("MAX", (3, 3), (1, 1), (1, 1)), data)
    net.add(Convolution(4, (1, 1)), net.add(Concat(), data, conv, pool))
    result = run(net)
    assert kinds(result).count("SDP") == 4
    assert result.worst < 2


@pytest.mark.parametrize("channels", [(5, 7), (32, 32)])
def test_a_part_may_come_twice(channels) -> None:
    net = Net()
    a, b = convolutions(net, net.input((6, 5, 4)), *channels)
    net.add(Concat(), a, b, a)
    assert run(net).worst < 0.53


def test_a_part_of_two_wholes() -> None:
    net = Net()
    data = net.input((6, 5, 4))
    a, b, c = convolutions(net, data, 5, 7, 9)
    net.add(Convolution(4, (1, 1)), net.add(Concat(), a, b))
    net.add(Convolution(4, (1, 1)), net.add(Concat(), c, a))
    assert run(net).worst < 2


@pytest.mark.parametrize("target", TARGETS)
def test_a_dense_block_shares_one_buffer(target) -> None:
    net = Net()
    x = net.add(Convolution(12, (3, 3), pad=(1, 1)), net.input((6, 6, 6)))
    for _ in range(4):
        y = net.add(ReLU(), net.add(Scale(bias=True), x))
        x = net.add(Concat(), x, net.add(Convolution(5, (3, 3), pad=(1, 1)), y))
    net.add(Convolution(6, (1, 1)), x)
    result = run(net, target)
    assert kinds(result) == ["CONV", "SDP", *["SDP", "CONV", "SDP"] * 4, "CONV", "SDP"]
    assert result.mean < 1.5


def test_a_skip_connection_over_a_pool() -> None:
    net = Net()
    skip = net.add(Convolution(10, (3, 3), pad=(1, 1)), net.input((6, 6, 6)))
    low = net.add(Convolution(10, (1, 1)), net.add(Pooling("MAX", (3, 3), (1, 1), (1, 1)), skip))
    net.add(Convolution(4, (1, 1)), net.add(Concat(), skip, low))
    assert run(net).worst < 3


def test_operands_in_other_lanes_are_put_in_order() -> None:
    net = Net()
    data = net.input((6, 5, 4))
    x = net.add(Concat(), *convolutions(net, data, 3, 10))
    y = net.add(Convolution(13, (1, 1)), data)
    net.add(Eltwise("SUM"), x, y)
    assert run(net).worst < 2


def test_vectors() -> None:
    net = Net()
    data = net.input((6, 5, 4))
    x = net.add(Concat(), net.add(InnerProduct(5), data), net.add(InnerProduct(11), data))
    net.add(InnerProduct(4), x)
    assert run(net).worst < 2


def test_more_lanes_than_the_chip_has_are_told() -> None:
    net = Net()
    data = net.input((8, 2, 2))
    parts = [net.add(Convolution(1, (1, 1)), data) for _ in range(300)]
    net.add(Convolution(4, (1, 1)), net.add(Concat(), *parts, name="wide"), name="reader")
    assert run(net, "nv_small").mean < 3
    with pytest.raises(UnsupportedError, match=r'"reader" needs a cube of 9569x2x2.*8192'):
        run(net, "nv_large")


def test_an_output_that_is_joined_too() -> None:
    net = Net()
    a, b = convolutions(net, net.input((6, 5, 4)), 8, 8)
    c = net.add(Concat(), a, b)
    net.graph.outputs = (a, c)
    assert run(net).worst < 1.1
