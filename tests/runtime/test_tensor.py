"""Inputs and outputs in their surfaces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvdla_sim.errors import ImageError, LoadableError, NvdlaError, UnsupportedError
from nvdla_sim.hw.config import CONFIGS
from nvdla_sim.loadable.enums import DataCategory, DataFormat, DataType, PixelFormat
from nvdla_sim.loadable.loadable import Tensor
from nvdla_sim.runtime.tensor import check_input, check_output, read, tensor_atom, write

SMALL, LARGE, MEDIUM = (CONFIGS[name] for name in ("nv_small", "nv_large", "nv_medium_512"))


def feature(shape: tuple[int, int, int], atom: int, gap: int = 0, batch: int = 1) -> Tensor:
    """``gap``: bytes between the lines, and between the surfaces."""
    c, h, w = shape
    line = w * atom + gap
    surf = h * line + gap
    form = PixelFormat.FEATURE_X8 if atom == 8 else PixelFormat.FEATURE
    strides = (1, line, surf, 0, 0, 0, 0, 0)
    kinds = (DataFormat.NCXHWX, DataType.INT8, DataCategory.FEATURE, form, 0)
    return Tensor("data", 0, 0, batch * surf * -(-c // atom), 0, *kinds, batch, c, h, w, strides)


def pixels(height: int, width: int, line: int, channels: int = 4) -> Tensor:
    kinds = (DataFormat.NHWC, DataType.INT8, DataCategory.IMAGE, PixelFormat.A8B8G8R8, 0)
    strides = (1, line, 0, 0, 0, 0, 0, 0)
    return Tensor("data", 0, 0, line * height, 0, *kinds, 1, channels, height, width, strides)


@given(
    st.tuples(st.integers(1, 70), st.integers(1, 5), st.integers(1, 5)),
    st.sampled_from([(8, SMALL), (16, MEDIUM), (32, LARGE)]),
    st.sampled_from([0, 32]),
    st.integers(1, 3),
)
@settings(max_examples=100, deadline=None)
def test_features_come_back(shape, atom_config, gap, batch) -> None:
    atom, config = atom_config
    tensor = feature(shape, atom, gap, batch)
    check_input(tensor, config)
    check_output(tensor, config)
    values = np.random.default_rng(0).integers(-128, 128, (batch, *shape)).astype(np.int8)
    raw = np.full(tensor.size, 0x55, np.uint8)
    write(tensor, raw, values, config)
    np.testing.assert_array_equal(read(tensor, raw, config), values if batch > 1 else values[0])
    # everything else is 0
    assert np.count_nonzero(raw) == np.count_nonzero(values)
    write(tensor, raw, values[:1], config)
    first = np.zeros_like(values)
    first[0] = values[0]
    np.testing.assert_array_equal(read(tensor, raw, config), first if batch > 1 else first[0])


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pixels(channels: int) -> None:
    tensor = pixels(2, 3, 32)
    check_input(tensor, SMALL)
    values = np.arange(1, channels * 6 + 1, dtype=np.int8).reshape(channels, 2, 3)
    raw = np.full(64, 0x55, np.uint8)
    write(tensor, raw, values[None], SMALL)
    lanes = raw.reshape(2, 32)[:, :12].reshape(2, 3, 4)
    np.testing.assert_array_equal(lanes[..., :channels], values.transpose(1, 2, 0))
    assert not lanes[..., channels:].any()
    assert not raw.reshape(2, 32)[:, 12:].any()


def test_pixels_of_a_batch() -> None:
    tensor = replace(pixels(2, 3, 32), n=2, size=128)
    check_input(tensor, SMALL)
    values = np.arange(1, 37, dtype=np.int8).reshape(2, 3, 2, 3)
    raw = np.full(128, 0x55, np.uint8)
    write(tensor, raw, values, SMALL)
    lanes = raw.reshape(2, 2, 32)[:, :, :12].reshape(2, 2, 3, 4)
    np.testing.assert_array_equal(lanes[..., :3], values.transpose(0, 2, 3, 1))


@pytest.mark.parametrize(
    ("batch", "given", "takes"), [(1, 2, "1 image"), (2, 3, "1 to 2 images"), (2, 0, "1 to 2")]
)
def test_too_many_images(batch: int, given: int, takes: str) -> None:
    tensor = feature((4, 2, 3), 8, batch=batch)
    with pytest.raises(ImageError, match=f"takes {takes}.*{given} are given"):
        write(tensor, np.zeros(tensor.size, np.uint8), np.zeros((given, 4, 2, 3), np.int8), SMALL)


def test_more_images_than_operations() -> None:
    tensor = feature((1, 1, 1), 8, batch=1 << 20)
    for check in (check_input, check_output):
        with pytest.raises(LoadableError, match="has 1048576 images"):
            check(tensor, SMALL)


def test_int16_output() -> None:
    tensor = replace(feature((20, 1, 2), 32), data_type=DataType.INT16, size=128)
    check_output(tensor, LARGE)
    raw = np.zeros(128, np.uint8)
    raw.view("<i2").reshape(2, 2, 16)[:] = np.arange(64).reshape(2, 2, 16) - 300
    got = read(tensor, raw, LARGE)
    assert (got.dtype, got.shape) == (np.int16, (20, 1, 2))
    assert got[:, 0, 1].tolist() == [*range(16 - 300, 32 - 300), *range(48 - 300, 52 - 300)]


def test_atom_follows_the_pixel_format() -> None:
    """Older files for nv_small say FEATURE; NVIDIA's runtime then reads atoms of 32 bytes from them."""
    assert tensor_atom(feature((8, 1, 1), 8), SMALL) == 8
    assert tensor_atom(replace(feature((8, 1, 1), 8), pixel_format=PixelFormat.FEATURE), SMALL) == 32
    assert tensor_atom(feature((8, 1, 1), 16), MEDIUM) == 16


@pytest.mark.parametrize(
    ("tensor", "shape"),
    [
        (feature((4, 2, 3), 8), (3, 2, 3)),
        (feature((4, 2, 3), 8), (5, 2, 3)),
        (feature((4, 2, 3), 8), (4, 3, 2)),
        (pixels(2, 3, 32), (5, 2, 3)),
        (pixels(2, 3, 32), (0, 2, 3)),
        (pixels(2, 3, 32), (1, 2, 4)),
    ],
)
def test_values_of_another_shape(tensor: Tensor, shape: tuple[int, int, int]) -> None:
    with pytest.raises(ImageError, match="x".join(map(str, shape))):
        write(tensor, np.zeros(tensor.size, np.uint8), np.zeros((1, *shape), np.int8), SMALL)


BAD_INPUTS: list[tuple[Tensor, type[NvdlaError], str]] = [
    (replace(feature((4, 2, 3), 8), data_type=DataType.HALF), UnsupportedError, r"data type HALF \(2\)"),
    (replace(feature((4, 2, 3), 8), data_type=DataType.INT16), UnsupportedError, r"data type INT16 \(3\)"),
    (replace(feature((4, 2, 3), 8), pixel_format=PixelFormat.R8), UnsupportedError, "pixel format 0"),
    (replace(pixels(2, 3, 32), pixel_format=PixelFormat.R8G8B8A8), UnsupportedError, "pixel format 15"),
    (replace(feature((4, 2, 3), 8), size=47), LoadableError, "takes 48 bytes, it has 47"),
    (replace(feature((4, 2, 3), 8), strides=(1, 16, 48, 0, 0, 0, 0, 0)), LoadableError, "lines of 24"),
    (replace(pixels(2, 3, 32), size=43), LoadableError, "takes 44 bytes, it has 43"),
    (pixels(2, 3, 8), LoadableError, "takes 20 bytes"),
    (pixels(2, 3, 32, channels=5), LoadableError, "5 channels"),
]


@pytest.mark.parametrize(("tensor", "error", "message"), BAD_INPUTS)
def test_bad_inputs(tensor: Tensor, error: type[NvdlaError], message: str) -> None:
    with pytest.raises(error, match=message):
        check_input(tensor, SMALL)


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (pixels(2, 3, 32), "pixels as a network output"),
        (replace(feature((4, 2, 3), 8), data_type=DataType.HALF), r"data type HALF \(2\)"),
        (replace(feature((4, 2, 3), 8, batch=2), size=95), "takes 48 bytes, it has 47"),
        (replace(feature((8, 2, 3), 8), data_type=DataType.INT16), "takes 96 bytes, it has 48"),
    ],
)
def test_bad_outputs(tensor: Tensor, message: str) -> None:
    with pytest.raises(NvdlaError, match=message):
        check_output(tensor, SMALL)
