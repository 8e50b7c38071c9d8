"""Layers that only cut, reorder or reshape: nothing moves, whatever reads them."""

from __future__ import annotations

import pytest

from nvdla_sim.errors import UnsupportedError
from nvdla_sim.graph.operator import Operator
from nvdla_sim.graph.ops.concat import Concat
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.crop import Crop
from nvdla_sim.graph.ops.eltwise import Eltwise
from nvdla_sim.graph.ops.flatten import Flatten
from nvdla_sim.graph.ops.inner_product import InnerProduct
from nvdla_sim.graph.ops.permute import Permute
from nvdla_sim.graph.ops.pooling import Pooling
from nvdla_sim.graph.ops.relu import ReLU
from nvdla_sim.graph.ops.reshape import Reshape
from nvdla_sim.graph.ops.shuffle_channel import ShuffleChannel
from nvdla_sim.graph.ops.slice import Slice
from tests.compiler.decoded import operations
from tests.compiler.ideal import TARGETS, Net, run

READERS: list[Operator] = [Convolution(7, (1, 1)), ReLU(), Pooling("MAX", (1, 1)), InnerProduct(5), Flatten()]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "op",
    [
        Slice((3, 30, 8)),
        Slice((32, 9)),
        Slice((2, 3), axis=2),
        Slice((1, 4), axis=2),
        Slice((3, 1), axis=3),
    ],
    ids=str,
)
def test_slice(target, op) -> None:
    net = Net()
    parts = net.add(op, net.input((41, 5, 4))).split()
    for part, reader in zip(parts, READERS[:3], strict=False):
        net.add(reader, part)
    assert run(net, target).worst < 0.53


@pytest.mark.parametrize("reader", READERS, ids=lambda op: op.kind)
def test_slices_of_one_pixel(reader) -> None:
    net = Net()
    row = net.add(Slice((1, 4), axis=2), net.input((20, 5, 3))).split()[0]
    pixel = net.add(Slice((2, 1), axis=3), row).split()[1]
    net.add(reader, pixel)
    assert run(net).worst < 0.53


def test_a_slice_as_output_is_packed() -> None:
    net = Net()
    net.add(Slice((3, 30, 8)), net.input((41, 5, 4)))
    result = run(net)
    assert result.worst == 0
    assert [op["kind"] for op in operations(result.loadable)] == ["CONV", "SDP"] * 3


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("axis", "offset"), [(2, (1, 2)), (1, (4, 1, 2)), (3, (0,))])
def test_crop(target, axis, offset) -> None:
    net = Net()
    data = net.input((20, 6, 6))
    size = net.add(
        Convolution(7 if axis == 1 else 20, (3 if axis < 3 else 1, 3)), data
    )  # 4 rows, or all of them, and 4 columns
    x = net.add(Crop(axis, offset), data, size)
    net.add(Eltwise("SUM"), x, size)
    assert run(net, target).worst < 1.6


@pytest.mark.parametrize("target", TARGETS)
def test_shuffle_channel(target) -> None:
    net = Net()
    x = net.add(ShuffleChannel(3), net.input((36, 4, 4)))
    net.add(Convolution(6, (3, 3), group=3), x)
    net.add(ShuffleChannel(9), x)
    result = run(net, target)
    assert result.worst < 0.53


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 3, 1), (0, 3, 1, 2)])
@pytest.mark.parametrize("flat", [Flatten(), Reshape((240,))], ids=lambda op: op.kind)
@pytest.mark.parametrize("reader", [None, InnerProduct(6), ReLU(), Convolution(5, (1, 1))], ids=str)
def test_flatten_in_any_order(order, flat, reader) -> None:
    net = Net()
    x = net.add(flat, net.add(Permute(order), net.input((20, 4, 3))))
    if isinstance(reader, Convolution):
        x = net.add(Reshape((240, 1, 1)), x)
    if reader:
        net.add(reader, x)
    assert run(net).worst < 0.53


def test_boxes_of_a_detector() -> None:
    """SSD: each head permuted, flattened, and all of them joined."""
    net = Net()
    data = net.input((8, 6, 6))
    heads = []
    for op in (Convolution(6, (3, 3)), Convolution(4, (5, 5))):
        heads.append(net.add(Flatten(), net.add(Permute((0, 2, 3, 1)), net.add(op, data))))
    net.add(Concat(), *heads)
    assert run(net).worst < 1.1


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("order", [(0, 2, 3, 1), (0, 1, 2, 3)])
def test_a_long_vector_is_put_in_order_piece_by_piece(target, order) -> None:
    """A single convolution would have 2,880 kernels of as many weights."""
    net = Net()
    x = net.add(Permute(order), net.input((24, 10, 12)))
    net.add(Flatten(), x)
    result = run(net, target)
    assert result.worst == 0
    assert len(result.loadable.to_bytes()) < 3 << 20


def test_a_window_of_a_window_is_flattened() -> None:
    net = Net()
    rows = net.add(Slice((1, 4), axis=2), net.input((20, 5, 3))).split()[1]
    net.add(ReLU(), net.add(Flatten(), rows))
    assert run(net).worst < 0.53


def test_what_would_have_to_move_is_told() -> None:
    net = Net()
    net.add(ReLU(), net.add(Permute((0, 2, 3, 1)), net.input((20, 4, 3))), name="r")
    net.add(ReLU(), net.add(Reshape((3, 20, 4)), "data"), name="s")
    with pytest.raises(UnsupportedError) as error:
        run(net)
    assert "ReLU" in str(error.value)
    assert "3x20x4" in str(error.value)
