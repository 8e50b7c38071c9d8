"""Feature cubes and weights, packed and unpacked."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvdla_sim.hw.formats import (
    feature_extent,
    fold_kernel_width,
    pack_feature,
    pack_image_weights,
    pack_weights,
    round_up,
    unpack_feature,
    unpack_weights,
)


def numbered(*shape: int) -> np.ndarray:
    return np.arange(int(np.prod(shape))).astype(np.int8).reshape(shape)


def test_round_up() -> None:
    assert [round_up(n, 8) for n in (0, 1, 8, 9)] == [0, 8, 8, 16]


def test_feature_bytes_by_hand() -> None:
    # 3 channels of 1x2, 2 channels in an atom, lines of 6 bytes, surfaces of 9
    cube = numbered(3, 1, 2)
    assert pack_feature(cube, 2, 6, 9).tolist() == [0, 2, 1, 3, 0, 0, 0, 0, 0, 4, 0, 5, 0]
    assert feature_extent(3, 1, 2, 2, 6, 9) == 13


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 20)] * 3),
    atom=st.sampled_from([8, 16, 32]),
    gaps=st.tuples(st.integers(0, 9), st.integers(0, 9)),
)
def test_feature_round_trip(shape: tuple[int, int, int], atom: int, gaps: tuple[int, int]) -> None:
    cube = numbered(*shape)
    line = shape[2] * atom + gaps[0]
    surf = shape[1] * line + gaps[1]
    raw = pack_feature(cube, atom, line, surf)
    assert raw.size == feature_extent(*shape, atom, line, surf)
    np.testing.assert_array_equal(unpack_feature(raw, *shape, atom, line, surf), cube)
    if gaps == (0, 0):
        np.testing.assert_array_equal(raw, pack_feature(cube, atom))


@pytest.mark.parametrize("shape", [(8, 1, 1), (5, 1, 1), (16, 1, 2), (16, 2, 1)])
def test_unpacked_values_are_no_view(shape: tuple[int, int, int]) -> None:
    raw = pack_feature(numbered(*shape), 8)
    values = unpack_feature(raw, *shape, 8, shape[2] * 8, shape[1] * shape[2] * 8)
    assert not np.shares_memory(values, raw)


def test_unpacking_takes_no_more_than_the_values() -> None:
    """All lines are the same: 16 MiB are 512 MiB with the lanes that the only channel has not."""
    raw = np.zeros(32 << 10, np.uint8)
    tracemalloc.start()
    values = unpack_feature(raw, 1, 16 << 10, 1 << 10, 32, 0, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert values.shape == (1, 16 << 10, 1 << 10)
    assert peak < 2 * values.size


def test_a_cube_that_its_bytes_do_not_hold() -> None:
    with pytest.raises(ValueError, match="a cube of 64 bytes does not fit 63 bytes"):
        unpack_feature(np.zeros(63, np.uint8), 8, 2, 4, 8, 32, 64)


def test_weight_bytes_by_hand() -> None:
    # 3 kernels in groups of 2, 3 channels in blocks of 2, 1x2 elements: k*6 + c*2 + x
    expected = [
        0, 2, 6, 8, 1, 3, 7, 9,  # kernels 0, 1, channels 0, 1: column 0, column 1
        4, 10, 5, 11,  # channel 2
        12, 14, 13, 15, 16, 17,  # kernel 2
    ]  # fmt: skip
    weights = numbered(3, 3, 1, 2)
    assert pack_weights(weights, 2, 2).tolist() == expected
    assert pack_weights(weights.astype(np.int16), 2, 2).view(np.int16).tolist() == expected


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 4), st.integers(1, 4)),
    atomic_c=st.sampled_from([8, 32, 64]),
    atomic_k=st.sampled_from([8, 16, 32]),
    itemsize=st.sampled_from([1, 2]),
    tail=st.integers(0, 3),
)
def test_weight_round_trip(
    shape: tuple[int, int, int, int], atomic_c: int, atomic_k: int, itemsize: int, tail: int
) -> None:
    weights = np.random.default_rng(0).integers(-128, 128, shape).astype(f"<i{itemsize}")
    raw = pack_weights(weights, atomic_c, atomic_k)
    assert raw.size == weights.nbytes
    raw = np.pad(raw, (0, tail))
    back = unpack_weights(raw, shape, atomic_c, atomic_k, itemsize=itemsize)
    assert back.dtype == weights.dtype
    np.testing.assert_array_equal(back, weights)


def test_image_weight_bytes_by_hand() -> None:
    # 2 kernels, 2 components, 3 rows, 2 columns: k*12 + c*6 + y*2 + x; (column, component) is one axis
    weights = numbered(2, 2, 3, 2)
    row = [[0, 6, 1, 7], [12, 18, 13, 19]]  # the first row of both kernels; the next rows add 2
    rows = [[[v + 2 * y for v in kernel] for kernel in row] for y in range(3)]
    expected = [*rows[0][0], *rows[0][1], *rows[1][0], *rows[1][1], *rows[2][0], *rows[2][1]]
    assert pack_image_weights(weights, 8, 8).tolist() == expected
    # two rows of a kernel stand together, then what is left
    expected = [*rows[0][0], *rows[1][0], *rows[0][1], *rows[1][1], *rows[2][0], *rows[2][1]]
    assert pack_image_weights(weights, 8, 8, rows_per_step=2).tolist() == expected
    # blocks of the folded axis
    blocked = [v for part in (slice(0, 2), slice(2, 4)) for y in rows for kernel in y for v in kernel[part]]
    assert pack_image_weights(weights, 2, 8).tolist() == blocked


@pytest.mark.parametrize("rows_per_step", [1, 2, 4])
def test_image_weight_round_trip(rows_per_step: int) -> None:
    weights = np.random.default_rng(0).integers(-128, 128, (35, 4, 5, 3)).astype(np.int8)
    folded = fold_kernel_width(weights)
    raw = pack_image_weights(weights, 64, 32, rows_per_step)
    np.testing.assert_array_equal(unpack_weights(raw, folded.shape, 64, 32, rows_per_step), folded)
