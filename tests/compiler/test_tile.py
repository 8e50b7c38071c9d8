"""Buffer planning: entries, shares and cuts, for the layers of real nets and for random ones."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvdla_sim.compiler.program import Pads
from nvdla_sim.compiler.tile import Demand, Geometry, Plan, entries_per_row, image_entries_per_row, plan
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
    conv2 = plan(SMALL, Demand("conv2", Geometry((5, 5)), 12, 12, 36, 50, 500))
    assert (conv2.data_banks, conv2.weight_banks, len(conv2.rows)) == (1, 7, 1)
    ip1 = plan(SMALL, Demand("ip1", Geometry((4, 4)), 4, 4, 28, 500, 800))
    assert (ip1.data_banks, ip1.weight_banks, ip1.resident) == (1, 4, False)


def test_vgg_fc6_is_cut_by_kernels() -> None:
    """25088 bytes for each of 4096 kernels: four at once beside the data on nv_small."""
    cut = plan(SMALL, Demand("fc6", Geometry((7, 7)), 7, 7, entries_per_row(SMALL, 512, 7), 4096, 25088))
    assert len(cut.rows) == 1
    assert len(cut.kernels) == 1024
    assert (cut.data_banks, cut.weight_banks) == (7, 25)


def test_what_no_cut_can_help_is_refused() -> None:
    with pytest.raises(UnsupportedError, match=r'layer "x".*131072 bytes'):
        plan(SMALL, Demand('layer "x"', Geometry((32, 32)), 32, 32, 32, 1, 32 * 32 * 512))


geometries = st.builds(
    Geometry,
    kernel=st.tuples(st.integers(1, 7), st.just(1)),
    stride=st.tuples(st.integers(1, 4), st.just(1)),
    dilation=st.tuples(st.integers(1, 3), st.just(1)),
    pads=st.builds(Pads, top=st.integers(0, 4), bottom=st.integers(0, 4)),
)


@settings(max_examples=200)
@given(
    st.sampled_from([SMALL, LARGE, FULL]), geometries, st.integers(1, 300), st.integers(1, 900),
    st.integers(1, 200), st.integers(1, 20_000), st.integers(1, 2),
)  # fmt: skip
def test_every_plan_fits_and_covers(
    config, geometry, height: int, entries: int, kernels: int, size: int, width: int
) -> None:
    outputs = geometry.output(height, 1)[0]
    if outputs < 1:
        return
    try:
        cut = plan(config, Demand("x", geometry, height, width, entries, kernels, size))
    except UnsupportedError:
        return
    _check_fit(config, cut, kernels, size)
    assert [k for piece in cut.kernels for k in range(piece.start, piece.stop)] == list(range(kernels))
    assert [row for rows in cut.rows for row in range(rows.first, rows.first + rows.count)] == list(
        range(outputs)
    )
    if width == 1 and len(cut.rows) > 1:
        assert min(rows.count for rows in cut.rows) > 1  # never a piece of one pixel
    for rows in cut.rows:
        _check_rows(geometry, height, rows, whole=len(cut.rows) == 1)


def _check_fit(config, cut: Plan, kernels: int, size: int) -> None:
    assert cut.data_banks + cut.weight_banks <= config.cbuf_banks
    group = min(config.atomic_k, max(piece.stop - piece.start for piece in cut.kernels))
    assert group * size <= cut.weight_banks * config.bank_bytes
    if cut.resident:
        largest = max(piece.stop - piece.start for piece in cut.kernels)
        assert largest * size <= cut.weight_banks * config.bank_bytes
    assert max(r.height for r in cut.rows) * cut.entries <= cut.data_banks * config.cbuf_entries


def _check_rows(geometry: Geometry, height: int, rows, whole: bool) -> None:
    """The piece's own window arithmetic reads the source rows that the whole convolution reads."""
    assert 0 <= rows.top < rows.top + rows.height <= height
    first = rows.first * geometry.stride[0] - geometry.pads.top
    assert rows.top - rows.pad_top == first
    last = first + (rows.count - 1) * geometry.stride[0] + geometry.reach
    end = rows.top + rows.height
    if not whole:
        assert rows.pad_bottom == max(0, last - end)
    assert end >= min(last, height)
