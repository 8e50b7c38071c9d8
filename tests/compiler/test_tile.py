"""Buffer planning: entries, shares and cuts, for the layers of real nets and for random ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nvdla_sim.compiler.program import Pads
from nvdla_sim.compiler.tile import (
    Axis,
    Demand,
    Geometry,
    Plan,
    Span,
    entries_per_row,
    image_entries_per_row,
    plan,
)
from nvdla_sim.errors import UnsupportedError
from nvdla_sim.hw.config import CONFIGS

SMALL, LARGE, FULL = (CONFIGS[name] for name in ("nv_small", "nv_large", "nv_full"))


@pytest.mark.parametrize(
    ("config", "channels", "width", "entries"),
    [
        (SMALL, 20, 12, 36),
        (SMALL, 50, 4, 28),
        (LARGE, 64, 9, 9),
        (LARGE, 33, 9, 9),
        (LARGE, 32, 9, 5),  # one atom of two: two pixels in an entry
        (FULL, 128, 7, 7),
        (FULL, 96, 7, 7),  # three atoms of four take a whole entry
        (FULL, 64, 7, 4),
        (FULL, 32, 7, 2),
        (FULL, 160, 7, 9),
        (CONFIGS["nv_medium_1024_full"], 33, 5, 10),
    ],
)
def test_entries_of_a_feature_row(config, channels: int, width: int, entries: int) -> None:
    assert entries_per_row(config, channels, width) == entries


def test_entries_of_an_image_row_count_the_padding() -> None:
    assert image_entries_per_row(SMALL, 28, Pads()) == 14
    assert image_entries_per_row(SMALL, 16, Pads(left=1, right=1)) == 9
    assert image_entries_per_row(FULL, 224, Pads(left=3, right=3)) == 8


def test_the_shares_of_lenet_on_nv_small() -> None:
    """conv2 and ip1 of the public LeNet: what NVIDIA's compiler writes for them."""
    conv2 = plan(SMALL, Demand("conv2", Geometry((5, 5)), 20, 12, 12, 50))
    assert (conv2.data_banks, conv2.weight_banks, len(conv2.pieces)) == (1, 7, 1)
    ip1 = plan(SMALL, Demand("ip1", Geometry((4, 4)), 50, 4, 4, 500))
    assert (ip1.data_banks, ip1.weight_banks, ip1.resident) == (1, 4, False)


def test_vgg_fc6_is_cut_by_kernels() -> None:
    """25088 bytes for each of 4096 kernels: four at once beside the data on nv_small."""
    cut = plan(SMALL, Demand("fc6", Geometry((7, 7)), 512, 7, 7, 4096))
    assert len(cut.pieces) == 1
    assert len(cut.kernels) == 1024
    assert (cut.data_banks, cut.weight_banks) == (7, 25)


def test_whole_groups_of_kernels_over_narrow_strips_go_before_a_few_over_wide_ones() -> None:
    """Four strips of 60 columns would leave room for seven kernels of eight."""
    cut = plan(SMALL, Demand("wide", Geometry((3, 3)), 512, 40, 240, 64))
    assert len(cut.kernels) == 1
    assert max(piece.columns.size for piece in cut.pieces) < 60


def test_more_strips_than_needed_share_fewer_rows() -> None:
    """Three rows of 482 columns fit, and would each be fetched three times."""
    cut = plan(SMALL, Demand("wide", Geometry((3, 3), pads=Pads(1, 1, 1, 1)), 64, 64, 1920, 16))
    fetched = sum(piece.rows.size * piece.columns.size for piece in cut.pieces)
    assert fetched < 1.5 * 64 * 1920


@pytest.mark.parametrize(
    ("demand", "source"),
    [
        (Demand('layer "x"', Geometry((32, 32)), 512, 32, 32, 1), "32 x 32 source pixels under it, 524288"),
        (
            Demand('layer "x"', Geometry((3, 3), dilation=(18, 18)), 2048, 50, 99, 1),
            "37 x 37 source pixels under it, 2803712",
        ),
        (
            Demand('layer "x"', Geometry((11, 11)), 4, 64, 8192, 1, image=True),
            "11 x 8192 source pixels under it, 360448",
        ),
    ],
)
def test_what_no_cut_can_help_is_refused(demand: Demand, source: str) -> None:
    with pytest.raises(UnsupportedError, match=f'layer "x".*{source} bytes.*131072 bytes'):
        plan(SMALL, demand)


sides = st.tuples(st.integers(1, 7), st.integers(1, 7))
geometries = st.builds(
    Geometry,
    kernel=sides,
    stride=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    dilation=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    pads=st.builds(Pads, *(st.integers(0, 4) for _ in range(4))),
)
widths = st.one_of(st.integers(1, 12), st.integers(1, 8192))


@settings(max_examples=300)
@example(SMALL, Geometry((1, 1), (2, 1), pads=Pads(top=4)), 3, 57, 713, 6, False)  # rows of only padding
@given(
    st.sampled_from([SMALL, LARGE, FULL]), geometries, st.one_of(st.integers(1, 9), st.integers(1, 300)),
    widths, st.one_of(st.integers(1, 200), st.integers(500, 8000)), st.integers(1, 200), st.booleans(),
)  # fmt: skip
def test_every_plan_fits_and_covers(
    config, geometry, height: int, width: int, channels: int, kernels: int, image: bool
) -> None:
    demand = Demand("x", geometry, 4 if image else channels, height, width, kernels, image)
    outputs = demand.rows.outputs, demand.columns.outputs
    if min(outputs) < 1:
        return
    try:
        cut = plan(config, demand)
    except UnsupportedError:
        return
    _check_fit(config, cut, demand)
    assert [k for piece in cut.kernels for k in range(piece.start, piece.stop)] == list(range(kernels))
    written = np.zeros(outputs, np.int64)
    for piece in cut.pieces:
        written[piece.rows.written, piece.columns.written] += 1
        _check_span(demand.rows, piece.rows)
        _check_span(demand.columns, piece.columns)
        assert piece.columns.size == width or not image
        if len(cut.pieces) > 1:
            assert (piece.rows.count, piece.columns.count) != (1, 1)  # the SDP takes it for packed
    assert (written == 1).all()


def _check_fit(config, cut: Plan, demand: Demand) -> None:
    assert cut.data_banks + cut.weight_banks <= config.cbuf_banks
    largest = max(piece.stop - piece.start for piece in cut.kernels)
    held = largest if cut.resident else min(config.atomic_k, largest)
    assert held * demand.kernel_bytes <= cut.weight_banks * config.bank_bytes
    for piece in cut.pieces:
        assert piece.entries == demand.entries(config, piece.columns.size)
        assert piece.rows.size * piece.entries <= cut.data_banks * config.cbuf_entries


def _check_span(axis: Axis, span: Span) -> None:
    """The piece's own window arithmetic reads what the whole convolution reads there."""
    assert 0 <= span.start < span.start + span.size <= axis.size
    assert span.start - span.before == span.first * axis.stride - axis.before
    last = span.start - span.before + (span.count - 1) * axis.stride + axis.reach
    end = span.start + span.size
    assert end + span.after >= last
    if span != axis.whole:
        assert (end, span.after) == (min(last, axis.size), max(0, last - axis.size))
