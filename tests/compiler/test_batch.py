"""A batch: each image's bytes are those of the loadable for one image, and the real stack would run it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from nvdla_sim.analysis.check.check import check
from nvdla_sim.calib.table import Table
from nvdla_sim.compiler.batch import MAX_MEMORY
from nvdla_sim.compiler.pipeline import compile_graph
from nvdla_sim.errors import ImageError, OptionError, UnsupportedError
from nvdla_sim.graph.ops.concat import Concat
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.deconvolution import Deconvolution
from nvdla_sim.graph.ops.eltwise import Eltwise
from nvdla_sim.graph.ops.inner_product import InnerProduct
from nvdla_sim.graph.ops.lrn import LRN
from nvdla_sim.graph.ops.pooling import Pooling
from nvdla_sim.graph.ops.relu import ReLU
from nvdla_sim.graph.ops.sigmoid import Sigmoid
from nvdla_sim.graph.ops.slice import Slice
from nvdla_sim.graph.ops.softmax import Softmax
from nvdla_sim.loadable.enums import MemoryFlags, OpType
from nvdla_sim.loadable.lists import MAX_OPERATIONS, DlaTask, read_tasks
from nvdla_sim.loadable.loadable import Loadable
from nvdla_sim.runtime.session import Runtime
from tests.compiler.ideal import MODES, TARGETS, Net


def classifier(net: Net) -> None:
    """Pixels in; a CPU operation at the end."""
    x = net.add(Convolution(20, (5, 5)), net.input((3, 16, 16)))
    x = net.add(InnerProduct(10), net.add(Pooling("MAX", (2, 2), (2, 2)), net.add(ReLU(), x)))
    net.add(Softmax(), x)


def softmax_between(net: Net) -> None:
    """Three tasks; the CPU has an operation for each pixel."""
    x = net.add(Softmax(), net.add(Convolution(6, (3, 3)), net.input((6, 4, 5))))
    net.add(Convolution(5, (1, 1)), x)


def branches(net: Net) -> None:
    """Operands and parts written long before they are read; engines that follow themselves."""
    data = net.input((8, 9, 9))
    left = net.add(Convolution(12, (3, 3), pad=(1, 1)), data)
    right = net.add(
        Pooling("MAX", (3, 3), (1, 1), (1, 1)), net.add(Pooling("MAX", (3, 3), (1, 1), (1, 1)), data)
    )
    sums = net.add(Eltwise("SUM"), net.add(Convolution(12, (1, 1)), right), left)
    third = net.add(Convolution(12, (1, 1)), data)
    sums = net.add(Eltwise("SUM"), left, sums, third)  # one operation where the SDP has its stage Y
    product = net.add(Eltwise("PROD"), net.add(Eltwise("MAX"), sums, left), sums)
    joined = net.add(Concat(), product, net.add(Convolution(5, (1, 1)), data), right)
    net.add(Convolution(7, (2, 2)), joined)


def several_ports(net: Net) -> None:
    first, second = net.input((3, 6, 6), "first"), net.input((40, 6, 6), "second")
    x = net.add(Eltwise("SUM"), net.add(Convolution(40, (1, 1)), first), second)
    top, rest = net.add(Slice((33, 7)), x).split()
    net.add(ReLU(), top)
    net.add(Convolution(3, (3, 3), (2, 2)), rest)


def tables(net: Net) -> None:
    """Two lookup tables by turns; phases of a deconvolution."""
    x = net.add(Sigmoid(), net.add(LRN(3), net.add(Sigmoid(), net.input((9, 5, 5)))))
    net.add(Deconvolution(6, (4, 4), (2, 2), (1, 1)), x)


def cut_rows(net: Net) -> None:
    """Too large for nv_small's buffer: the pieces of one image share weights, too."""
    net.add(Convolution(20, (3, 3), pad=(1, 1)), net.input((64, 60, 60)))


def cut_columns(net: Net) -> None:
    """Too wide for nv_small's buffer; the other addend is cut along with the sums."""
    data = net.input((64, 3, 1000))
    left = net.add(Convolution(9, (3, 3), pad=(1, 1)), data)
    net.add(Eltwise("SUM"), left, net.add(Convolution(9, (1, 1)), data))


def cut_kernels(net: Net) -> None:
    """Kernels of 20 KB: nv_small's buffer has no room for the eight that it works on at once."""
    net.add(InnerProduct(4), net.add(InnerProduct(20), net.input((320, 8, 8))))


NETS = [classifier, softmax_between, branches, several_ports, tables, cut_rows, cut_columns, cut_kernels]


def compiled(build: Callable[[Net], None], target: str, mode: str = "per-kernel", batch: int = 1) -> Loadable:
    net = Net()
    build(net)
    read = {tensor for node in net.graph.nodes for tensor in node.inputs}
    net.graph.outputs = tuple(t for node in net.graph.nodes for t in node.outputs if t not in read)
    table = Table(net.scales | {node.name: 2.0 ** -(3 + at % 2) for at, node in enumerate(net.graph.nodes)})
    return compile_graph(net.graph, table, target, mode, batch=batch)


def convolutions(loadable: Loadable) -> list[tuple[bool, bool, int]]:
    """Of each whether it reuses and keeps weights, and how many banks it has for them."""
    return [
        (bool(op["weight_reuse"]), bool(op["skip_weight_rls"]), int(op["weight_bank"]))
        for task in read_tasks(loadable)
        if isinstance(task, DlaTask)
        for index, op in enumerate(task.ops)
        if task.op_type(index) is OpType.CONV
    ]


@pytest.mark.parametrize("build", NETS, ids=lambda build: build.__name__)
@pytest.mark.parametrize(("target", "batch"), list(zip(TARGETS, (3, 2, 2), strict=True)))
@pytest.mark.parametrize("mode", MODES)
def test_every_image_alone(build, target: str, batch: int, mode: str) -> None:
    one, many = compiled(build, target, mode), compiled(build, target, mode, batch)
    assert Loadable.from_bytes(many.to_bytes()) == many
    findings = check(many)
    assert (findings.errors, findings.warnings) == ([], [])
    alone, together = Runtime(one), Runtime(many)
    rng = np.random.default_rng(0)
    shapes = [(port.tensor.c, port.tensor.h, port.tensor.w) for port in alone.inputs]
    inputs = [rng.integers(-128, 128, (batch, *shape)).astype(np.int8) for shape in shapes]
    results = together.run(inputs)
    seen = set()
    for image in range(batch):
        expected = alone.run([values[image] for values in inputs])
        for result, wanted in zip(results, expected, strict=True):
            assert (result.name, result.scale) == (wanted.name, wanted.scale)
            np.testing.assert_array_equal(result.values[image], wanted.values)
        seen.add(b"".join(wanted.values.tobytes() for wanted in expected))
    assert len(seen) > 1  # an image in another's place would be found


def test_what_the_loadable_tells_of_a_batch() -> None:
    one, many = compiled(branches, "nv_small"), compiled(branches, "nv_small", batch=3)
    for single, tensor in zip(one.tensors, many.tensors, strict=True):
        assert (tensor.n, tensor.size, tensor.strides) == (3, 3 * single.size, single.strides)
    assert [m.flags for m in many.memories] == [m.flags for m in one.memories]
    for single, memory in zip(one.memories, many.memories, strict=True):
        if memory.flags & (MemoryFlags.INPUT | MemoryFlags.OUTPUT):
            assert memory.size == 3 * single.size
    # weights and operands are there once
    assert many.blob("tb-0") == one.blob("tb-0")


def test_operations_of_one_kind_lie_side_by_side() -> None:
    (task, cpu) = read_tasks(compiled(classifier, "nv_small", batch=2))
    assert isinstance(task, DlaTask)
    kinds = [task.op_type(index).name for index in range(len(task.ops))]
    assert kinds == ["CONV"] * 2 + ["SDP"] * 2 + ["PDP"] * 2 + ["CONV"] * 2 + ["SDP"] * 2
    assert len(cpu.ops) == 2


def test_weights_stay_from_image_to_image_where_they_fit() -> None:
    first, middle, last = (False, True), (True, True), (True, False)
    conv, product = compiled(classifier, "nv_small"), compiled(classifier, "nv_small", batch=3)
    assert [flags[:2] for flags in convolutions(conv)] == [(False, False)] * 2
    assert [flags[:2] for flags in convolutions(product)[:3]] == [first, middle, last]
    # the pieces of a convolution cut by rows, each for both images
    pieces = [flags[:2] for flags in convolutions(compiled(cut_rows, "nv_small"))]
    assert len(pieces) > 2
    both = [flags[:2] for flags in convolutions(compiled(cut_rows, "nv_small", batch=2))]
    assert both == [first, *[middle] * (2 * len(pieces) - 2), last]


def test_weights_that_do_not_fit_are_fetched_for_each_image() -> None:
    def wide(net: Net) -> None:
        net.add(Convolution(400, (3, 3)), net.input((64, 4, 4)))

    flags = convolutions(compiled(wide, "nv_small", batch=3))
    assert {flag[:2] for flag in flags} == {(False, False)}


@pytest.mark.parametrize("batch", [0, -1])
def test_no_images(batch: int) -> None:
    with pytest.raises(OptionError, match=f"a batch of {batch} images; allowed: 1 and more"):
        compiled(classifier, "nv_small", batch=batch)


def test_images_as_if_they_were_inputs() -> None:
    runtime = Runtime(compiled(classifier, "nv_small", batch=2))
    with pytest.raises(ImageError, match='1 input \\("data"\\), 2 are given; images of a batch are a list'):
        runtime.run([np.zeros((3, 16, 16), np.int8)] * 2)


def test_the_largest_batch() -> None:
    with pytest.raises(UnsupportedError, match="largest batch is") as refused:
        compiled(softmax_between, "nv_small", batch=10**9)
    message = str(refused.value)
    assert f"(at most {MAX_OPERATIONS} are possible)" in message
    assert f"(at most {MAX_MEMORY})" in message
    largest = int(message.rsplit(" ", 1)[1])
    loadable = compiled(softmax_between, "nv_small", batch=largest)
    assert Loadable.from_bytes(loadable.to_bytes()).tensors[0].n == largest
    read_tasks(loadable)
    with pytest.raises(UnsupportedError):
        compiled(softmax_between, "nv_small", batch=largest + 1)


def test_too_much_memory() -> None:
    def large(net: Net) -> None:
        net.add(ReLU(), net.input((64, 1024, 1024)))

    with pytest.raises(UnsupportedError, match=r"largest batch is 8$"):
        compiled(large, "nv_large", batch=9)
