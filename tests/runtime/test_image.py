"""Pictures: the values of each pixel, and what is refused."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nvdla_sim.errors import ImageError
from nvdla_sim.runtime.image import PIXEL_TO_INT8, read_picture

PIXELS = bytes([0, 1, 2, 127, 128, 255])  # 3 wide, 2 high


def picture(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "picture"
    path.write_bytes(data)
    return path


def test_every_pixel_value() -> None:
    exact = [math.floor(Fraction(p * 127, 255) + Fraction(1, 2)) for p in range(256)]
    assert PIXEL_TO_INT8.tolist() == exact
    assert PIXEL_TO_INT8.dtype == np.int8


@pytest.mark.parametrize(
    "header",
    [
        b"P5\n3 2\n255\n",
        b"P5 3 2 255 ",
        b"P5\n# made by hand\n3 2\n# depth\n255\n",
        b"P5 # 1 1 1\n3\t2\r\n255\n",
    ],
)
def test_pgm(tmp_path: Path, header: bytes) -> None:
    values = read_picture(picture(tmp_path, header + PIXELS), 3, 2)
    assert values.tolist() == [[[0, 0, 1], [63, 64, 127]]]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"P5\n3 2\n255\n" + PIXELS[:-1], "cut off, 5 of 6 pixels"),
        (b"P5\n3 2\n65535\n" + PIXELS * 2, "its PGM maximum is 65535; only 255"),
        (b"P5\n3 2\n", "its PGM header is not"),
        (b"P5\nthree 2 255\n", "its PGM header is not"),
        (b"P5\n2 3\n255\n" + PIXELS, r"2x3 pixels \(width x height\), the network's input is 3x2"),
        (b"P5\n" + b"9" * 60 + b" 2 255\n", "pixels"),
        (b"P2\n3 2\n255\n0 1 2 127 128 255", "not a readable PGM"),
        (b"", "not a readable PGM"),
        (b"\xff\xd8\xff\xe0 no picture", "not a readable PGM"),
    ],
)
def test_bad_files(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        read_picture(picture(tmp_path, data), 3, 2)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"picture .*none\.pgm: No such file"):
        read_picture(tmp_path / "none.pgm", 3, 2)


def save(tmp_path: Path, image: Image.Image, kind: str = "PNG") -> Path:
    path = tmp_path / "picture"
    image.save(path, kind)
    return path


def test_colour_becomes_blue_green_red(tmp_path: Path) -> None:
    image = Image.new("RGB", (3, 2), (255, 128, 0))
    values = read_picture(save(tmp_path, image), 3, 2)
    assert values[:, 0, 0].tolist() == [0, 64, 127]
    assert values.shape == (3, 2, 3)


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("1", 1), ("P", 3)])
def test_kinds_of_png(tmp_path: Path, mode: str, channels: int) -> None:
    values = read_picture(save(tmp_path, Image.new("RGB", (3, 2), (255, 255, 255)).convert(mode)), 3, 2)
    assert values.shape == (channels, 2, 3)
    assert (values == 127).all()


def test_grey_jpeg(tmp_path: Path) -> None:
    values = read_picture(save(tmp_path, Image.new("L", (8, 8), 200), "JPEG"), 8, 8)
    assert values.shape == (1, 8, 8)
    assert (abs(values - PIXEL_TO_INT8[200]) <= 1).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA", "I;16"])
def test_pixels_that_are_refused(tmp_path: Path, mode: str) -> None:
    with pytest.raises(ImageError, match="save it as 8-bit grey or RGB"):
        read_picture(save(tmp_path, Image.new(mode, (3, 2))), 3, 2)


def test_cut_off_jpeg(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64), np.uint8)
    path = save(tmp_path, Image.fromarray(noise), "JPEG")
    path.write_bytes(path.read_bytes()[:1500])
    with pytest.raises(ImageError, match="truncated"):
        read_picture(path, 64, 64)


def test_size_is_checked_before_decoding(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="4x4 pixels"):
        read_picture(save(tmp_path, Image.new("L", (4, 4))), 3, 2)
