"""Pooling of every size, on PDP or as convolution, against Caffe's meaning."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvdla_sim.errors import ModelError, UnsupportedError
from nvdla_sim.graph.ops.concat import Concat
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.inner_product import InnerProduct
from nvdla_sim.graph.ops.pooling import Pooling
from tests.compiler.decoded import operations
from tests.compiler.ideal import INPUT_SCALE, TARGETS, Net, Result, run


def pool(op: Pooling, shape, target: str) -> Result:
    net = Net()
    net.add(op, net.input(shape))
    return run(net, target, input_format="nchw")


def kinds(result: Result) -> list[str]:
    return [op["kind"] for op in operations(result.loadable)]


@settings(max_examples=120)
@given(
    st.sampled_from(TARGETS), st.integers(1, 40), st.integers(1, 40),
    st.tuples(st.integers(1, 25), st.integers(1, 25)), st.tuples(st.integers(1, 8), st.integers(1, 8)),
    st.tuples(st.integers(0, 11), st.integers(0, 11)), st.booleans(),
)  # fmt: skip
def test_a_maximum_is_exact(target, height, width, kernel, stride, pad, ceil) -> None:
    try:
        op = Pooling("MAX", kernel, stride, pad, ceil)
        op.output_shapes([(9, height, width)])
    except ModelError:
        return
    result = pool(op, (9, height, width), target)
    assert result.worst == 0
    assert set(kinds(result)) == {"PDP"}


@settings(max_examples=60)
@given(
    st.sampled_from(TARGETS), st.integers(1, 24), st.integers(1, 24),
    st.tuples(st.integers(1, 12), st.integers(1, 12)), st.tuples(st.integers(1, 8), st.integers(1, 8)),
    st.tuples(st.integers(0, 5), st.integers(0, 5)),
)  # fmt: skip
def test_an_average_divides_as_caffe_does(target, height, width, kernel, stride, pad) -> None:
    try:
        op = Pooling("AVE", kernel, stride, pad)
        op.output_shapes([(9, height, width)])
    except ModelError:
        return
    result = pool(op, (9, height, width), target)
    assert result.worst < (1.01 if kinds(result) == ["PDP"] else 0.52)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("channels", [5, 40])
@pytest.mark.parametrize(
    ("size", "stride", "pad"),
    [((5, 5), (1, 1), (2, 2)), ((4, 4), (8, 8), (1, 1)), ((6, 7), (2, 2), (3, 0)), ((9, 9), (3, 3), (4, 4))],
)
def test_a_padded_average_with_the_planes_size(target, channels, size, stride, pad) -> None:
    """Its windows are not the planes."""
    result = pool(Pooling("AVE", size, stride, pad), (channels, *size), target)
    assert result.worst < (1.01 if kinds(result) == ["PDP"] else 0.52)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("kernel", "stride", "pad"), [((3, 2), (5, 2), (1, 1)), ((1, 4), (8, 3), (0, 2))])
def test_an_average_that_leaves_out_the_last_rows(target, kernel, stride, pad) -> None:
    """No row behind the last window is computed: it would be written behind the result."""
    result = pool(Pooling("AVE", kernel, stride, pad), (19, 3, 7), target)
    assert result.outputs[0].shape[1] == 1
    assert result.worst < 0.52


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("size", "channels", "operations"),
    [
        ((7, 8), 40, 1),
        ((16, 21), 24, 0),
        ((16, 21), 400, 2),
        ((24, 24), 24, 0),
        ((31, 32), 24, 0),
        ((56, 64), 40, 2),
        ((7, 40), 40, 2),
        ((29, 31), 400, 0),
    ],
)
def test_a_global_average(target, size, channels, operations) -> None:
    """On PDP up to 8, by a convolution with a scale of its own up to 32, else an average of averages; so it
    is too where a convolution would take many operations, unless PDP cannot divide the plane.
    """
    net = Net()
    name = net.add(Pooling("AVE", size), net.input((channels, *size)))
    result = run(net, target, scales={name: float(INPUT_SCALE)} if operations else None)
    assert result.worst < (1.01 if operations else 0.52)
    assert kinds(result).count("PDP") == operations


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("channels", "weights"), [(16, False), (200, False), (112, True)])
@pytest.mark.parametrize("finer", [1.5, 5])
def test_an_average_with_far_finer_steps(target, channels, weights, finer) -> None:
    """It has them where that makes a loadable little larger."""
    net = Net()
    x = net.input((channels, 10, 11))
    if weights:
        x = net.add(Convolution(240, (6, 6)), x)
    average = Pooling("AVE", (5, 6)) if weights else Pooling("AVE", (7, 8))
    name = net.add(average, x)
    scale = 0.5 if weights else float(INPUT_SCALE)
    result = run(net, target, scales={net.graph.nodes[0].name: scale, name: scale / finer})
    own = finer > 2 and channels < 200
    assert ("PDP" in kinds(result)) is not own
    if not weights:
        assert result.worst < (0.52 if own else 1.01)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("channels", [(8,), (70,), (20, 70)])
@pytest.mark.parametrize("size", [(4, 5), (16, 12), (14, 3), (14, 14), (1, 25), (27, 1)])
def test_all_planes_are_averaged_by_one_operation(target, channels, size) -> None:
    """The surfaces are one column, whose windows are the planes."""
    net = Net()
    parts = [net.input((count, *size), f"part{n}") for n, count in enumerate(channels)]
    source = net.add(Concat(), *parts) if len(parts) > 1 else parts[0]
    name = net.add(Pooling("AVE", size), source)
    scales = {source: float(INPUT_SCALE), name: float(INPUT_SCALE) / 8}
    copies = ["SDP"] * len(parts) if len(parts) > 1 else []
    result = run(net, target, scales=scales)
    if channels != (20, 70):  # an output's channels have no holes
        assert kinds(result) == [*copies, "CONV", "SDP"]
    assert result.worst < 0.52
    net.add(InnerProduct(10), name)
    net.graph.outputs = ()
    result = run(net, target, scales={source: float(INPUT_SCALE)})  # nothing is cut off
    assert kinds(result) == [*copies, "CONV", "SDP", "CONV", "SDP"]
    assert result.worst < 1.5


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("size", [(13, 13), (28, 28)])
def test_planes_that_are_no_windows(target, size) -> None:
    """13x13 and 28x28 elements cannot be folded into 8 rows of up to 32."""
    net = Net()
    name = net.add(Pooling("AVE", size), net.input((70, *size)))
    result = run(net, target, scales={name: float(INPUT_SCALE) / 8})
    assert set(kinds(result)) == {"CONV", "SDP"}
    assert len(kinds(result)) > 2
    assert result.worst < 0.52


def test_rows_that_no_buffer_holds_are_left_to_pdp() -> None:
    net = Net()
    name = net.add(Pooling("AVE", (8, 8), (8, 8)), net.input((8, 8, 4000)))
    assert kinds(run(net, scales={name: float(INPUT_SCALE) / 8})) == ["PDP"]


@pytest.mark.parametrize(
    ("target", "width", "kernel", "stride"),
    [
        ("nv_small", 1100, (2, 2), (2, 2)),
        ("nv_large", 300, (3, 3), (2, 2)),
        ("nv_full", 100, (5, 5), (1, 1)),
        ("nv_large", 260, (2, 3), (1, 5)),
        ("nv_large", 130, (1, 1), (1, 1)),
    ],
)
@pytest.mark.parametrize("method", ["MAX", "AVE"])
def test_a_long_row_is_split(target, width, kernel, stride, method) -> None:
    pad = (kernel[0] // 2, kernel[1] // 2)
    result = pool(Pooling(method, kernel, stride, pad), (3, 6, width), target)
    assert result.worst < 1.01


@pytest.mark.parametrize("method", ["MAX", "AVE"])
def test_the_stride_of_a_single_window_does_not_matter(method) -> None:
    assert pool(Pooling(method, (13, 13), (13, 13)), (9, 13, 13), "nv_large").worst < 0.52


def test_a_window_too_large_is_told() -> None:
    with pytest.raises(UnsupportedError, match="32 rows and columns"):
        pool(Pooling("AVE", (33, 3)), (3, 40, 40), "nv_small")
    with pytest.raises(UnsupportedError, match="37x64"):
        pool(Pooling("AVE", (37, 64)), (3, 37, 64), "nv_small")
