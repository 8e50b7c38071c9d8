"""Resizing against OpenCV 4.9's INTER_LINEAR; the numbers were computed by it."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from nvdla_sim.calib.resize import resize

SMALL = [[168, 229, 184, 171], [238, 171, 20, 206], [245, 153, 204, 5]]
LARGER = [
    [168, 190, 224, 206, 183, 175, 171],
    [196, 199, 205, 162, 123, 161, 185],
    [238, 214, 176, 96, 33, 140, 206],
    [242, 213, 166, 145, 127, 101, 85],
    [245, 212, 159, 178, 190, 76, 5],
]
SMALLER = [[190, 179, 174], [229, 158, 72]]
SUMS = {
    ((37, 53), (64, 64)): 2102454384,
    ((90, 70), (31, 47)): 3354432012,
    ((48, 64), (24, 32)): 2750292948,
}


@pytest.mark.parametrize("expected", [LARGER, SMALLER])
def test_bytes_are_opencvs(expected: list[list[int]]) -> None:
    pixels = np.array([SMALL], np.uint8)
    result = resize(pixels, len(expected), len(expected[0]))
    assert result.dtype == np.uint8
    assert result[0].tolist() == expected


def test_pictures_are_opencvs() -> None:
    generator = np.random.default_rng(5)
    generator.integers(0, 256, (1, 3, 4), dtype=np.uint8)
    for (size, wanted), checksum in SUMS.items():
        pixels = generator.integers(0, 256, (3, *size), dtype=np.uint8)
        assert zlib.crc32(resize(pixels, *wanted).tobytes()) == checksum


@pytest.mark.parametrize("expected", [LARGER, SMALLER])
def test_floats_are_the_same_without_rounding(expected: list[list[int]]) -> None:
    result = resize(np.array([SMALL], np.float32), len(expected), len(expected[0]))
    assert result.dtype == np.float32
    np.testing.assert_allclose(result[0], expected, atol=0.8)


def test_the_same_size_is_the_same_picture() -> None:
    pixels = np.array([SMALL], np.uint8)
    assert resize(pixels, 3, 4) is pixels


def test_a_single_pixel_fills_everything() -> None:
    assert (resize(np.full((3, 1, 1), 77, np.uint8), 4, 5) == 77).all()
