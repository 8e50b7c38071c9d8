"""Convolution and InnerProduct of every form: groups, dilation, pictures, what is cut to fit the buffer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvdla_sim.analysis.check.check import check
from nvdla_sim.errors import ModelError
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.eltwise import Eltwise
from nvdla_sim.graph.ops.inner_product import InnerProduct
from nvdla_sim.graph.ops.pooling import Pooling
from nvdla_sim.graph.ops.relu import ReLU
from tests.compiler.decoded import operations
from tests.compiler.ideal import MODES, TARGETS, Net, Result, run

pairs = st.tuples(st.integers(1, 4), st.integers(1, 4))


def conv(op: Convolution, shape, target: str, mode: str = "per-kernel", **options: str) -> Result:
    net = Net()
    net.add(op, net.input(shape))
    return run(net, target, mode, **options)


def convolutions(result: Result) -> list[dict]:
    return [op for op in operations(result.loadable) if op["kind"] == "CONV"]


@settings(max_examples=80)
@given(
    st.sampled_from(TARGETS), st.sampled_from(MODES), st.tuples(*(st.integers(1, n) for n in (40, 9, 9))),
    st.integers(1, 40), pairs, pairs, st.tuples(st.integers(0, 3), st.integers(0, 3)), pairs, st.booleans(),
)  # fmt: skip
def test_any_window(target, mode, shape, kernels, kernel, stride, pad, dilation, bias) -> None:
    op = Convolution(kernels, kernel, stride, pad, dilation, bias=bias)
    try:
        op.output_shapes([shape])
    except ModelError:
        return
    assert conv(op, shape, target, mode).worst < 0.53


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("channels", "kernels", "group", "parts"),
    [
        (64, 64, 2, {"nv_small": 2, "nv_large": 2, "nv_full": 2}),
        (40, 40, 40, {"nv_small": 5, "nv_large": 2, "nv_full": 2}),
        (13, 26, 13, {"nv_small": 2, "nv_large": 1, "nv_full": 1}),
        (12, 6, 3, {"nv_small": 1, "nv_large": 1, "nv_full": 1}),
        (70, 35, 5, None),
    ],
)
def test_groups_read_only_the_surfaces_they_need(target, channels, kernels, group, parts) -> None:
    result = conv(
        Convolution(kernels, (3, 3), pad=(1, 1), group=group), (channels, 6, 5), target, "per-filter"
    )
    assert result.worst < 0.53
    if parts:
        assert len(convolutions(result)) == parts[target]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "op",
    [
        Convolution(9, (5, 5)),  # rows beside each other where the core is wide
        Convolution(9, (11, 11), (4, 4)),
        Convolution(9, (3, 3), pad=(2, 1)),
        Convolution(9, (3, 3), dilation=(2, 2)),
        Convolution(9, (3, 2), group=3),
        Convolution(9, (9, 3)),
    ],
    ids=str,
)
def test_pictures(target, op) -> None:
    assert conv(op, (3, 15, 14), target, "per-filter").worst < 0.53


@pytest.mark.parametrize("shape", [(3, 9, 8), (1, 28, 28), (5, 3, 3), (40, 1, 1)])
@pytest.mark.parametrize("target", TARGETS)
def test_inner_product(target, shape) -> None:
    net = Net()
    net.add(ReLU(), net.add(InnerProduct(35), net.input(shape)))
    assert run(net, target, "per-filter").worst < 0.53


@pytest.mark.parametrize("mode", MODES)
def test_rows_are_cut_where_the_source_is_large(mode) -> None:
    result = conv(Convolution(24, (5, 3), (2, 1), (2, 1)), (48, 61, 50), "nv_small", mode)
    assert len(convolutions(result)) > 1
    assert result.worst < 0.53


def test_rows_of_a_picture_are_cut() -> None:
    result = conv(Convolution(8, (7, 7), (2, 2), (3, 3)), (3, 200, 210), "nv_small")
    assert len(convolutions(result)) > 1
    assert result.worst < 0.53


@pytest.mark.parametrize("output", [True, False])
def test_kernels_are_cut_where_one_group_does_not_fit(output) -> None:
    """The pieces leave holes: the next layer's weights have zeros there, an output is packed."""
    net = Net()
    x = net.add(Convolution(9, (5, 5)), net.input((760, 6, 5)), name="big")
    if not output:
        net.add(Convolution(12, (2, 1)), net.add(ReLU(), x))
    result = run(net, "nv_small", "per-filter")
    big = [op for op in convolutions(result) if op["src"]["channel"] == 760]
    assert len(big) > 1
    assert result.worst < (0.53 if output else 2.5)


def test_a_tall_thin_source_is_cut_by_rows() -> None:
    assert conv(Convolution(40, (3, 1)), (512, 400, 1), "nv_small").worst < 0.53


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("op", "shape"),
    [
        (Convolution(9, (3, 3), pad=(1, 1)), (64, 5, 1920)),
        (Convolution(9, (3, 3), (2, 2), (1, 1)), (64, 9, 960)),
        (Convolution(9, (3, 3)), (512, 5, 240)),  # the weights do not stay in the buffer
        (Convolution(3, (2, 5), dilation=(2, 3)), (2000, 3, 40)),  # nor does a group of kernels fit
        (Convolution(20, (3, 3), group=20), (20, 4, 8190)),
        (Convolution(5, (1, 1)), (100, 2, 8192)),
    ],
)
def test_a_wide_source_is_cut_by_columns(op, shape, mode) -> None:
    result = conv(op, shape, "nv_small", mode)
    assert result.worst < 0.53
    assert max(part["src"]["width"] for part in convolutions(result)) < shape[2]
    found = check(result.loadable, "nv_small")
    assert not [*found.errors, *found.warnings]


def test_a_picture_too_wide_is_copied_first() -> None:
    """Pixels are not cut by columns."""
    result = conv(Convolution(8, (11, 11), (4, 4)), (3, 13, 4000), "nv_small", input_format="nhwc")
    copies, strips = ([op for op in convolutions(result) if op["src"]["channel"] == c] for c in (4, 3))
    assert {op["src"]["width"] for op in copies} == {4000}
    assert max(op["src"]["width"] for op in strips) < 4000
    assert result.worst < 0.53


@pytest.mark.parametrize("mode", MODES)
def test_operands_are_cut_with_the_convolution(mode) -> None:
    """The other addend is read where the strip is: the same bytes as where nothing needs a cut."""
    outputs = []
    for target in ("nv_small", "nv_large"):
        net = Net()
        data = net.input((64, 3, 1920))
        other = net.add(Convolution(12, (1, 1)), data)
        net.add(Eltwise("SUM"), net.add(Convolution(12, (3, 3), pad=(1, 1)), data), other)
        outputs.append(run(net, target, mode).outputs[0])
    assert np.array_equal(*outputs)


def test_numbers_for_each_pixel_are_cut_with_the_convolution() -> None:
    """Windows that overhang have other areas."""
    net = Net()
    net.add(Pooling("AVE", (3, 3), (2, 2)), net.input((8, 4, 8000)))
    result = run(net, "nv_small")
    assert len(convolutions(result)) > 1
    assert result.worst < 0.53
