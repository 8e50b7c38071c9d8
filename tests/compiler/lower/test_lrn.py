"""LRN: the table's error stays below a step for every strength that nets use."""

from __future__ import annotations

import pytest

from nvdla_sim.graph.ops.concat import Concat
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.lrn import LRN
from tests.compiler.ideal import TARGETS, Net, run


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("size", [1, 3, 5, 7, 9])
@pytest.mark.parametrize(
    ("alpha", "beta", "k"), [(1e-4, 0.75, 1.0), (0.5, 0.75, 1.0), (0.02, 0.5, 2.0), (1.0, 1.0, 0.5)]
)
def test_every_window(target, size, alpha, beta, k) -> None:
    net = Net()
    net.add(LRN(size, alpha, beta, k), net.input((37, 6, 5)))
    assert run(net, target).worst < 0.6


def test_the_window_never_counts_holes() -> None:
    net = Net()
    data = net.input((5, 4, 4))
    x = net.add(Concat(), *(net.add(Convolution(count, (1, 1)), data) for count in (3, 4)))
    net.add(LRN(5, 0.1, 0.75), x)
    assert run(net).worst < 2
