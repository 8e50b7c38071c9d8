"""Pictures as network inputs.

A pixel p becomes the int8 value floor(p*127/255 + 1/2), colour in the order blue, green, red: what NVIDIA's
runtime does with the pictures it reads (it leaves mean and normalisation aside for int8 networks).

Source: compiler-facts section 1.5; the JPEG decoder's default settings give that runtime's pixels.
"""

from __future__ import annotations

import os
import re

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.errors import ImageError
from nvdla_sim.files import read_bytes
from nvdla_sim.hw.formats import Int8
from nvdla_sim.pictures import decode_picture

# floor(p*127/255 + 1/2) in integers
PIXEL_TO_INT8: Int8 = ((np.arange(256) * 254 + 255) // 510).astype(np.int8)

_PGM_HEADER = re.compile(rb"P5(?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)\s", re.ASCII)

# Pillow's modes that hold 8-bit grey or colour without transparency -> the mode to read them in
_MODES = {"L": "L", "1": "L", "RGB": "RGB", "P": "RGB"}


def read_picture(path: str | os.PathLike[str], width: int, height: int) -> Int8:
    """The picture as int8 CHW: one channel if grey, blue, green, red if colour.

    PGM (P5, 8 bits), JPEG or PNG; ``ImageError`` if it is none of these, is damaged, or has another size.
    """
    name = os.fspath(path)
    data = read_bytes(path, ImageError, "picture")
    pixels = (
        _read_pgm(data, name, (width, height)) if data[:2] == b"P5" else _decode(data, name, (width, height))
    )
    return PIXEL_TO_INT8[pixels.transpose(2, 0, 1)]


def _read_pgm(data: bytes, name: str, expected: tuple[int, int]) -> NDArray[np.uint8]:
    """The pixels [y, x, 1] of a binary PGM file."""
    header = _PGM_HEADER.match(data[:4096])
    if header is None:
        raise ImageError(f'picture {name}: its PGM header is not "P5 <width> <height> 255"')
    width, height, maximum = (int(number[:10]) for number in header.groups())
    if maximum != 255:
        raise ImageError(
            f"picture {name}: its PGM maximum is {maximum}; only 255 (8 bits a pixel) is supported"
        )
    _check_size(name, (width, height), expected)
    pixels = data[header.end() : header.end() + width * height]
    if len(pixels) < width * height:
        raise ImageError(f"picture {name}: cut off, {len(pixels)} of {width * height} pixels are there")
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 1)


def _decode(data: bytes, name: str, expected: tuple[int, int]) -> NDArray[np.uint8]:
    """The pixels [y, x, channel] of a JPEG or PNG file, colour as blue, green, red."""

    def look(size: tuple[int, int], mode: str, transparent: bool) -> str:
        _check_size(name, size, expected)
        if mode not in _MODES or transparent:
            raise ImageError(
                f"picture {name}: its pixels ({mode}) are wider than 8 bits, transparent or not RGB; save it "
                "as 8-bit grey or RGB without transparency"
            )
        return _MODES[mode]

    return decode_picture(data, f"picture {name}", ("JPEG", "PNG"), "PGM (P5), JPEG or PNG", look)


def _check_size(name: str, size: tuple[int, int], expected: tuple[int, int]) -> None:
    if size != expected:
        raise ImageError(
            f"picture {name}: {size[0]}x{size[1]} pixels (width x height), the network's input is"
            f" {expected[0]}x{expected[1]}; scale or crop it first"
        )
