"""The convolution reference against plain loops over Python integers, one test for each mode."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvdla_sim.hw.config import CONFIGS
from tests.hw.conv_case import (
    assert_runs_as_loops,
    banks,
    clamp,
    half_away,
    random_case,
)
from tests.hw.pixel_case import PIXEL_PLACES, pixel_case


@st.composite
def converters(draw: st.DrawFn) -> tuple[int, int, int] | None:
    if draw(st.booleans()):
        return None
    return draw(st.integers(-300, 300)), draw(st.integers(-500, 500)), draw(st.integers(0, 12))


@st.composite
def geometries(draw: st.DrawFn, columns: int = 3) -> dict[str, tuple[int, ...]]:
    """Sizes, pads, strides and dilation with at least one output."""
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, columns)))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    pads = draw(st.tuples(*[st.integers(0, 3)] * 4))
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    least = [max(1, reach[0] - pads[2] - pads[3]), max(1, reach[1] - pads[0] - pads[1])]
    size = draw(st.tuples(*[st.integers(n, n + 3) for n in least]))
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    return {"kernel": kernel, "dilation": dilation, "pads": pads, "size": size, "stride": stride}


@settings(max_examples=80, deadline=None)
@given(
    config=st.sampled_from(sorted(CONFIGS)),
    geometry=geometries(),
    channels=st.sampled_from([1, 3, 8, 9, 33, 70]),
    kernels=st.sampled_from([1, 7, 17, 34]),
    convert=converters(),
    pad_value=st.integers(-128, 127),
    clip=st.integers(0, 16),
    gap=st.integers(0, 2),
    seed=st.integers(0, 999),
)
def test_feature_cube(
    config: str,
    geometry: dict,
    channels: int,
    kernels: int,
    convert: tuple[int, int, int] | None,
    pad_value: int,
    clip: int,
    gap: int,
    seed: int,
) -> None:
    case = random_case(config, seed, (1, channels, *geometry["size"]), (kernels, *geometry["kernel"]))
    geometry = {name: geometry[name] for name in ("stride", "dilation", "pads")}
    assert_runs_as_loops(replace(case, pad_value=pad_value, convert=convert, clip=clip, gap=gap, **geometry))


def test_batches() -> None:
    case = random_case("nv_full", 1, (3, 40, 3, 4), (34, 2, 2))
    assert_runs_as_loops(replace(case, pads=(1, 0, 0, 1), pad_value=-9, convert=(3, 90, 5)))


def test_batches_of_single_elements() -> None:
    assert_runs_as_loops(random_case("nv_full", 2, (5, 130, 1, 1), (3, 1, 1)))


def test_int16() -> None:
    case = random_case("nv_full", 3, (2, 70, 3, 3), (18, 2, 2))
    wide = replace(case, itemsize=2, data=case.data * 251, weights=case.weights * 253)
    assert_runs_as_loops(replace(wide, pads=(0, 1, 1, 0), pad_value=-31000, clip=3))


def test_extremes_of_int8_are_exact() -> None:
    case = random_case("nv_small", 4, (1, 2048, 2, 2), (2, 2, 2))
    assert_runs_as_loops(replace(case, data=np.full_like(case.data, -128), weights=-128 + 0 * case.weights))


def test_delivery_saturates_to_32_bits_and_counts() -> None:
    case = random_case("nv_full", 5, (1, 64, 1, 2), (2, 1, 1))
    data, weights = np.full_like(case.data, 32767), np.full_like(case.weights, 32767)
    weights[1] = -32768
    case = replace(case, itemsize=2, data=data, weights=weights, clip=4)
    stream, saturation = case.run()
    assert stream[0, :, 0, 0].tolist() == [2**31 - 1, -(2**31)]
    assert saturation == 4
    assert case.delivered()[1] == 4


def test_accumulator_saturates_at_48_bits_on_its_way() -> None:
    # 163,840 products of 2^30 pass 2^47; the negative ones of the last block then come off the limit
    channels, rows, columns = 8192, 4, 5
    case = random_case("nv_full", 6, (1, channels, 1, 1), (1, rows, columns))
    weights = np.full_like(case.weights, -32768)
    weights[:, -64:] = 32767
    case = replace(case, itemsize=2, data=np.full_like(case.data, -32768), weights=weights, clip=16)
    case = replace(case, pads=(2, 2, 2, 1), pad_value=-32768, overrides=banks(1, 11))
    total = 0
    for block in range(0, channels, 64):
        step = 64 * -32768 * (32767 if block == channels - 64 else -32768)
        for _ in range(rows * columns):
            total = clamp(total + step, 48)
    stream, _ = case.run()
    assert stream.ravel().tolist() == [half_away(total, 16)]
    assert total != sum(case.sums().ravel())


@settings(max_examples=80, deadline=None)
@given(
    config=st.sampled_from(sorted(CONFIGS)),
    geometry=geometries(columns=6),
    code=st.sampled_from([code for code, (size, _) in PIXEL_PLACES.items() if size == 1]),
    kernels=st.sampled_from([1, 7, 17, 34]),
    x_offset=st.integers(0, 9),
    signed=st.booleans(),
    convert=converters(),
    means=st.none() | st.tuples(*[st.integers(-200, 300)] * 4),
    seed=st.integers(0, 999),
)
def test_pixels(
    config: str,
    geometry: dict,
    code: int,
    kernels: int,
    x_offset: int,
    signed: bool,
    convert: tuple[int, int, int] | None,
    means: tuple[int, int, int, int] | None,
    seed: int,
) -> None:
    case = pixel_case(config, code, geometry["size"], (kernels, *geometry["kernel"]), seed)
    pads = geometry["pads"]
    extra = geometry["kernel"][1] * (geometry["dilation"][1] - 1)
    case = replace(case, pads=(pads[0], pads[1] + extra, *pads[2:]), stride=geometry["stride"], pad_value=-77)
    if case.out[0] < 1 or case.out[1] < 1:
        return
    assert_runs_as_loops(replace(case, x_offset=x_offset, signed=signed, convert=convert, means=means))


@pytest.mark.parametrize("itemsize", [1, 2])
@pytest.mark.parametrize("code", [code for code, (size, _) in PIXEL_PLACES.items() if size == 2])
def test_16_bit_pixels(code: int, itemsize: int) -> None:
    case = pixel_case("nv_full", code, (4, 5), (19, 2, 3), code)
    case = replace(case, itemsize=itemsize, pads=(1, 1, 0, 1), x_offset=5, pad_value=-100)
    assert_runs_as_loops(replace(case, convert=(20000, 77, 14), means=(9000, -3000, 1, 32767)))


def test_8_bit_pixels_in_int16() -> None:
    case = pixel_case("nv_full", 29, (4, 5), (19, 2, 3), 1)
    assert_runs_as_loops(
        replace(case, itemsize=2, convert=(128, 255, 0), pad_value=-32000, pads=(2, 0, 1, 1))
    )


@pytest.mark.parametrize("rows_per_step", [1, 2, 4])
@pytest.mark.parametrize("rows", [1, 4, 5, 6, 7])
def test_post_extension_changes_only_the_weights_order(rows: int, rows_per_step: int) -> None:
    case = pixel_case("nv_large", 12, (7, 9), (35, rows, 4), rows)
    assert_runs_as_loops(replace(case, rows_per_step=rows_per_step, pads=(0, 1, 1, 0), pad_value=50))


def test_one_pixel_format_for_more_kernel_columns_than_a_step_takes() -> None:
    case = pixel_case("nv_small", 12, (3, 9), (10, 3, 7), 8)
    assert_runs_as_loops(replace(case, stride=(2, 2)))


@pytest.mark.parametrize("code", [28, 29])
def test_second_plane_drops_whole_atoms_of_the_offset(code: int) -> None:
    assert_runs_as_loops(replace(pixel_case("nv_small", code, (3, 5), (2, 2, 2), 9), x_offset=7))


def test_pixel_lines_are_walked_without_dilation() -> None:
    case = pixel_case("nv_small", 12, (5, 5), (2, 2, 2), 10)
    case.overrides = {"CSC.D_DILATION_EXT.X_DILATION_EXT": 1, "CSC.D_DILATION_EXT.Y_DILATION_EXT": 1}
    assert_runs_as_loops(case)
