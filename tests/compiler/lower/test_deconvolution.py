"""Deconvolution, Upsample and Interp against their meaning."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvdla_sim.compiler.lower.deconvolution import phases
from nvdla_sim.errors import ModelError, UnsupportedError
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.deconvolution import Deconvolution
from nvdla_sim.graph.ops.eltwise import Eltwise
from nvdla_sim.graph.ops.interp import Interp
from nvdla_sim.graph.ops.pooling import Pooling
from nvdla_sim.graph.ops.prelu import PReLU
from nvdla_sim.graph.ops.relu import ReLU
from nvdla_sim.graph.ops.upsample import Upsample
from tests.compiler.ideal import MODES, TARGETS, Net, run

sizes = st.tuples(st.integers(1, 6), st.integers(1, 6))


@given(st.integers(1, 9), st.integers(1, 5), st.integers(0, 8), st.integers(1, 30))
def test_phases_make_each_output_once(kernel, stride, pad, outputs) -> None:
    made = [
        phase.first + index * stride
        for phase in phases(max(kernel, stride), stride, pad, outputs)
        for index in range(phase.count)
    ]
    assert sorted(made) == list(range(outputs))


@settings(max_examples=120)
@given(
    st.sampled_from(TARGETS), st.sampled_from(MODES), sizes, sizes,
    st.tuples(st.integers(1, 4), st.integers(1, 4)), st.tuples(st.integers(0, 3), st.integers(0, 3)),
    st.sampled_from([(5, 9, 1), (9, 9, 9), (40, 8, 4)]), st.sampled_from([(1, 1), (2, 1)]),
)  # fmt: skip
def test_any_window(target, mode, size, kernel, stride, pad, channels, dilation) -> None:
    source, kernels, group = channels
    try:
        op = Deconvolution(kernels, kernel, stride, pad, dilation, group)
        op.output_shapes([(source, *size)])
    except ModelError:
        return
    if any(p > (k - 1) * d for k, p, d in zip(kernel, pad, dilation, strict=True)):
        return
    net = Net()
    net.add(op, net.input((source, *size)), weight=net.whole_weights(op, source))
    assert run(net, target, mode, input_format="nchw").worst < 0.53


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("size", [(1, 1), (3, 1), (7, 5)])
@pytest.mark.parametrize("window", [(4, 2, 1), (2, 2, 0), (3, 2, 0), (16, 8, 4), (5, 3, 1)])
@pytest.mark.parametrize(
    "reader", [None, Convolution(5, (3, 3), pad=(1, 1)), Pooling("MAX", (2, 1))], ids=str
)
def test_readers(target, size, window, reader) -> None:
    kernel, stride, pad = window
    op = Deconvolution(40, (kernel, kernel), (stride, stride), (pad, pad))
    net = Net()
    x = net.add(op, net.input((7, *size)), weight=net.whole_weights(op, 7))
    if reader:
        net.add(reader, net.add(ReLU(), x))
    assert run(net, target, "per-filter").worst < (3 if reader else 0.53)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("height", [1, 3])
def test_a_single_column_is_packed(target, height) -> None:
    """A cube of 1x1 whose surfaces are apart is refused by SDP."""
    net = Net()
    op = Deconvolution(40, (1, 1), (2, 2))
    x = net.add(op, net.input((7, height, 1)), weight=net.whole_weights(op, 7))
    net.add(Eltwise(), x, x)
    assert run(net, target, "per-filter").worst < 2


@pytest.mark.parametrize("activation", [ReLU(), ReLU(0.1), PReLU()], ids=str)
def test_activations_follow_on_the_fly(activation) -> None:
    op = Deconvolution(9, (4, 4), (2, 2), (1, 1))
    net = Net()
    net.add(activation, net.add(op, net.input((7, 5, 4)), weight=net.whole_weights(op, 7)))
    assert run(net).worst < 0.53


def test_a_wide_source_is_cut_by_columns() -> None:
    """Each phase on its own; its strips lie beside each other in every second row."""
    op = Deconvolution(9, (4, 4), (2, 2), (1, 1))
    net = Net()
    net.add(op, net.input((96, 3, 1100)), weight=net.whole_weights(op, 96))
    assert run(net, "nv_small").worst < 0.53


def test_long_columns_are_copied_in_parts() -> None:
    op = Deconvolution(3, (2, 2), (2, 2), group=3, bias=False)
    net = Net()
    net.add(op, net.input((3, 100, 90)), weight=net.whole_weights(op, 3))
    assert run(net, input_format="nchw").worst < 0.53


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("factor", [(2, 2), (3, 1), (1, 4), (1, 1)])
@pytest.mark.parametrize("size", [(1, 1), (4, 3), (1, 5)])
def test_upsample_is_exact(target, factor, size) -> None:
    net = Net()
    net.add(Upsample(factor), net.input((37, *size)))
    assert run(net, target).worst == 0


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("size", "output"),
    [
        ((4, 3), (7, 5)),
        ((2, 5), (12, 5)),
        ((1, 1), (6, 7)),
        ((1, 4), (3, 13)),
        ((5, 5), (5, 5)),
        ((3, 3), (21, 21)),
    ],
)
def test_interp(target, size, output) -> None:
    net = Net()
    net.add(Interp(*output), net.input((37, *size)))
    assert run(net, target).worst < 0.53


def test_interp_by_broken_steps_is_told() -> None:
    net = Net()
    net.add(Interp(6, 5), net.input((3, 4, 3)))
    with pytest.raises(UnsupportedError, match="4x3 to 6x5"):
        run(net)
