"""Pixel images in memory: the formats of CDMA's PIXEL_FORMAT field and their unpacking.

Source: hardware-facts 2.2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.errors import UnsupportedError
from nvdla_sim.hw.fixed_point import sign_extend
from nvdla_sim.hw.memory import Bytes

Ints = NDArray[np.int64]

# In the order of the register's codes. A name tells the layout: components with their bits, the highest
# first, planes separated by "___"; suffixes _I and _F are signed integer and fp16, _N444 full resolution.
_NAMES = (
    "R8", "R10", "R12", "R16", "R16_I", "R16_F", "A16B16G16R16", "X16B16G16R16", "A16B16G16R16_F",
    "A16Y16U16V16", "V16U16Y16A16", "A16Y16U16V16_F", "A8B8G8R8", "A8R8G8B8", "B8G8R8A8", "R8G8B8A8",
    "X8B8G8R8", "X8R8G8B8", "B8G8R8X8", "R8G8B8X8", "A2B10G10R10", "A2R10G10B10", "B10G10R10A2",
    "R10G10B10A2", "A2Y10U10V10", "V10U10Y10A2", "A8Y8U8V8", "V8U8Y8A8", "Y8___U8V8_N444", "Y8___V8U8_N444",
    "Y10___U10V10_N444", "Y10___V10U10_N444", "Y12___U12V12_N444", "Y12___V12U12_N444", "Y16___U16V16_N444",
    "Y16___V16U16_N444",
)  # fmt: skip
_CANONICAL = {"R": 0, "Y": 0, "G": 1, "U": 1, "B": 2, "V": 2, "A": 3, "X": 3}


@dataclass(frozen=True)
class Component:
    """Where one component lies: the plane, and its lowest bit in the plane's little-endian pixel word."""

    plane: int
    low_bit: int
    bits: int


@dataclass(frozen=True)
class PixelFormat:
    """One pixel format. ``components`` are in the order in which the convolution sees them."""

    code: int
    name: str
    plane_bytes: tuple[int, ...]  # bytes of one pixel, for each plane
    components: tuple[Component, ...]  # R|Y, G|U, B|V, A|X
    sample_bytes: int  # 1 or 2: a component's width at the converter; 10- and 2-bit ones are its high bits

    @property
    def planes(self) -> int:
        return len(self.plane_bytes)


def _parse(code: int, name: str) -> PixelFormat:
    found: dict[int, Component] = {}
    plane_bytes = []
    for plane, layout in enumerate(name.split("___")):
        parts = [(letter, int(bits)) for letter, bits in re.findall(r"([RGBAYUVX])(\d+)", layout)]
        if sum(bits for _, bits in parts) not in (8, 16, 32, 64):  # 10 and 12 bits outside a packed word
            parts = [(letter, 16) for letter, _ in parts]
        low_bit = 0
        for letter, bits in reversed(parts):
            found[_CANONICAL[letter]] = Component(plane, low_bit, bits)
            low_bit += bits
        plane_bytes.append(low_bit // 8)
    components = tuple(found[i] for i in range(len(found)))
    sample_bytes = 1 if all(c.bits == 8 for c in components) else 2
    return PixelFormat(code, name, tuple(plane_bytes), components, sample_bytes)


PIXEL_FORMATS = tuple(_parse(code, name) for code, name in enumerate(_NAMES))


def pixel_format(code: int) -> PixelFormat | None:
    """The format of a PIXEL_FORMAT code, None for a reserved code; ``UnsupportedError`` for fp16 pixels."""
    if code >= len(PIXEL_FORMATS):
        return None
    if PIXEL_FORMATS[code].name.endswith("_F"):
        raise UnsupportedError(
            f"PIXEL_FORMAT {PIXEL_FORMATS[code].name}: fp16 comes later, only integer pixels run"
        )
    return PIXEL_FORMATS[code]


def unpack_pixels(pixels: PixelFormat, planes: list[Bytes], signed: bool) -> Ints:
    """The components of an image as integers [y, x, component].

    ``planes``: uint8 [y, x, byte of the pixel], one for each plane of the format. Components are unsigned
    unless ``signed`` (R16_I, too: the name does not count).
    """
    words = [_words(plane) for plane in planes]
    width = 8 * pixels.sample_bytes
    values = [
        ((words[c.plane] >> c.low_bit) & ((1 << c.bits) - 1)) << (width - c.bits) for c in pixels.components
    ]
    raw = np.stack(values, axis=-1).astype(np.int64)
    return sign_extend(raw, width) if signed else raw


def _words(plane: Bytes) -> NDArray[np.uint64]:
    """[y, x, byte] -> the little-endian word of each pixel."""
    size = plane.shape[2]
    return np.ascontiguousarray(plane).view(f"<u{size}")[..., 0].astype(np.uint64)
