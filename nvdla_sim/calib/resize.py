"""Resizing pictures as OpenCV's default (INTER_LINEAR) does, which is what Caffe uses.

Output pixel i looks at position (i + 1/2) * in / out - 1/2 of the input, clamped to it, between its two
neighbours. 8-bit pixels are weighted with 11-bit integers, one axis after the other, as OpenCV does it; the
results equal OpenCV 4's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

WEIGHT_BITS = 11


def resize(pixels: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """uint8 or float32 CHW -> CHW of the same type with the given size."""
    if pixels.shape[1:] == (height, width):
        return pixels
    rows, columns = _neighbours(pixels.shape[1], height), _neighbours(pixels.shape[2], width)
    if pixels.dtype == np.uint8:
        return _resize_bytes(pixels, rows, columns)
    return _resize_floats(pixels, rows, columns)


Axis = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]


def _neighbours(size: int, wanted: int) -> Axis:
    """For each output position the input positions around it and the weight of the second one."""
    position = ((np.arange(wanted) + 0.5) * (1 / (wanted / size)) - 0.5).astype(np.float32)
    below = np.floor(position).astype(np.intp)
    weight = position - below.astype(np.float32)
    return np.clip(below, 0, size - 1), np.clip(below + 1, 0, size - 1), weight


def _resize_floats(pixels: NDArray[Any], rows: Axis, columns: Axis) -> NDArray[Any]:
    left, right, along = columns
    upper, lower, down = rows
    wide = pixels[:, :, left] * (1 - along) + pixels[:, :, right] * along
    return wide[:, upper] * (1 - down)[:, None] + wide[:, lower] * down[:, None]


def _resize_bytes(pixels: NDArray[Any], rows: Axis, columns: Axis) -> NDArray[Any]:
    """Weights of 11 bits; the rows' products are cut to 16 bits before the last rounding."""
    left, right, along = columns
    upper, lower, down = rows
    one = 1 << WEIGHT_BITS
    along_first, along_second = (np.rint(part * one).astype(np.int32) for part in (1 - along, along))
    down_first, down_second = (np.rint(part * one).astype(np.int32)[:, None] for part in (1 - down, down))
    source = pixels.astype(np.int32)
    wide = source[:, :, left] * along_first + source[:, :, right] * along_second
    first = (down_first * (wide[:, upper] >> 4)) >> 16
    second = (down_second * (wide[:, lower] >> 4)) >> 16
    return np.clip((first + second + 2) >> 2, 0, 255).astype(np.uint8)
