"""Convolution and InnerProduct of every form: groups, dilation, pictures, what is cut to fit the buffer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvdla_sim.errors import ModelError
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.inner_product import InnerProduct
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
