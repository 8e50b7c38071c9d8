"""Softmax on the CPU: one pixel or many, alone or between layers of the chip."""

from __future__ import annotations

import pytest

from nvdla_sim.errors import UnsupportedError
from nvdla_sim.graph.ops.concat import Concat
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.softmax import Softmax
from tests.compiler.ideal import TARGETS, Net, run


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("shape", [(10,), (40, 1, 1), (5, 3, 4), (40, 3, 4), (70, 1, 5)])
def test_every_pixel(target, shape) -> None:
    net = Net()
    net.add(Softmax(), net.input(shape, scale=0.05))
    assert run(net, target).worst < 1.1  # the emulator cuts towards 0 and computes in half precision


@pytest.mark.parametrize("target", TARGETS)
def test_between_convolutions(target) -> None:
    """The chip's tasks before and after it know nothing of each other."""
    net = Net()
    x = net.add(Convolution(40, (3, 3)), net.input((6, 6, 6)))
    net.add(Convolution(5, (1, 1)), net.add(Softmax(), x))
    result = run(net, target)
    assert len(result.loadable.tasks) == 3
    assert result.worst < 12  # cut to steps of 1/127 in the middle


def test_channels_are_put_in_order_first() -> None:
    net = Net()
    data = net.input((6, 4, 4), scale=2.0**-7)
    net.add(Softmax(), net.add(Concat(), *(net.add(Convolution(n, (1, 1)), data) for n in (3, 4))))
    assert run(net).worst < 3


def test_joined_to_larger_values_it_is_rounded_to_their_steps() -> None:
    net = Net()
    data = net.input((6, 4, 4), scale=2.0**-6)
    net.add(Concat(), net.add(Softmax(), data), net.add(Convolution(5, (1, 1)), data), name="joined")
    assert run(net, scales={"joined": 0.1}).worst < 0.6


def test_what_the_emulator_cannot_is_told() -> None:
    net = Net()
    net.add(Softmax(axis=2), net.input((5, 4, 4)))
    with pytest.raises(UnsupportedError, match="axis 2 of 5x4x4"):
        run(net)
