"""Pixel formats: the table, and components out of literal bytes."""

from __future__ import annotations

import numpy as np
import pytest

from nvdla_sim.errors import UnsupportedError
from nvdla_sim.hw.pixel import PIXEL_FORMATS, pixel_format, unpack_pixels
from tests.hw.pixel_case import PIXEL_PLACES


def components(code: int, *planes: bytes, signed: bool = False) -> list[int]:
    """Of an image of one pixel."""
    pixels = pixel_format(code)
    assert pixels is not None
    arrays = [np.frombuffer(plane, np.uint8).reshape(1, 1, -1) for plane in planes]
    return unpack_pixels(pixels, arrays, signed)[0, 0].tolist()


def test_every_code_has_its_name() -> None:
    assert len(PIXEL_FORMATS) == 36
    assert [pixels.code for pixels in PIXEL_FORMATS] == list(range(36))
    named = {0: "R8", 12: "A8B8G8R8", 20: "A2B10G10R10", 28: "Y8___U8V8_N444", 35: "Y16___V16U16_N444"}
    assert {code: PIXEL_FORMATS[code].name for code in named} == named
    assert pixel_format(36) is None
    assert pixel_format(63) is None


def test_fp16_pixels_come_later() -> None:
    for code in (5, 8, 11):
        with pytest.raises(UnsupportedError, match="fp16 comes later"):
            pixel_format(code)


@pytest.mark.parametrize("code", PIXEL_PLACES)
def test_whole_byte_formats(code: int) -> None:
    size, places = PIXEL_PLACES[code]
    items = [0x81 + 3 * place + (0x1100 * place if size == 2 else 0) for place in range(len(places))]
    raw = b"".join(item.to_bytes(size, "little") for item in items)
    planes = (raw[:size], raw[size:]) if len(places) == 3 else (raw,)
    assert pixel_format(code).plane_bytes == tuple(len(plane) for plane in planes)
    assert components(code, *planes) == [items[place] for place in places]


@pytest.mark.parametrize(
    ("codes", "low_bits"),
    [
        ((20,), (0, 10, 20, 30)),
        ((21, 24), (20, 10, 0, 30)),
        ((22, 25), (2, 12, 22, 0)),
        ((23,), (22, 12, 2, 0)),
    ],
)
def test_10_bit_formats(codes: tuple[int, ...], low_bits: tuple[int, ...]) -> None:
    parts = (0x201, 0x155, 0x3FE, 2)
    word = sum(part << low for part, low in zip(parts, low_bits, strict=True)).to_bytes(4, "little")
    for code in codes:
        assert components(code, word) == [0x201 << 6, 0x155 << 6, 0x3FE << 6, 2 << 14]
        assert components(code, word, signed=True) == [
            (0x201 << 6) - (1 << 16), 0x155 << 6, (0x3FE << 6) - (1 << 16), (2 << 14) - (1 << 16)
        ]  # fmt: skip


def test_signed_components() -> None:
    assert components(12, bytes([127, 128, 255, 0]), signed=True) == [127, -128, -1, 0]
    assert components(4, b"\xff\xff") == [65535]
    assert components(4, b"\xff\xff", signed=True) == [-1]
