"""NVDLA's memory formats: feature cubes and convolution weights, packed and unpacked.

Source: hardware-facts section 2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.hw.memory import Bytes

Int8 = NDArray[np.int8]


def round_up(value: int, unit: int) -> int:
    """The smallest multiple of ``unit`` that is not below ``value``."""
    return -(-value // unit) * unit


def feature_extent(
    channels: int, height: int, width: int, atom: int, line_stride: int, surf_stride: int, itemsize: int = 1
) -> int:
    """Bytes from a feature cube's first to its last byte. ``atom`` and strides are bytes; all sizes >= 1."""
    surfaces = -(-channels * itemsize // atom)
    return (surfaces - 1) * surf_stride + (height - 1) * line_stride + width * atom


def feature_view(
    raw: Bytes, channels: int, height: int, width: int, atom: int, line_stride: int, surf_stride: int
) -> Bytes:
    """A writable uint8 view [surface, y, x, byte of the atom] of the int8 cube that starts at ``raw[0]``.

    ``raw`` must hold at least ``feature_extent`` bytes. ``channels`` counts bytes for wider elements.
    """
    surfaces = -(-channels // atom)
    needed = feature_extent(channels, height, width, atom, line_stride, surf_stride)
    if raw.size < needed:
        raise ValueError(f"a cube of {needed} bytes does not fit {raw.size} bytes")
    return np.lib.stride_tricks.as_strided(
        raw, (surfaces, height, width, atom), (surf_stride, line_stride, atom, 1)
    )


def pack_feature(
    values: Int8, atom: int, line_stride: int | None = None, surf_stride: int | None = None
) -> Bytes:
    """int8 CHW -> feature bytes; lanes beyond the last channel and stride gaps are 0.

    Element (c, y, x) is byte ``c//atom*surf_stride + y*line_stride + x*atom + c%atom``; strides (bytes)
    default to packed lines and surfaces.
    """
    channels, height, width = values.shape
    line = width * atom if line_stride is None else line_stride
    surf = height * line if surf_stride is None else surf_stride
    surfaces = -(-channels // atom)
    padded = np.zeros((surfaces * atom, height, width), np.int8)
    padded[:channels] = values
    raw = np.zeros(feature_extent(channels, height, width, atom, line, surf), np.uint8)
    blocks = padded.reshape(surfaces, atom, height, width).transpose(0, 2, 3, 1)
    feature_view(raw, channels, height, width, atom, line, surf)[:] = blocks.view(np.uint8)
    return raw


def unpack_feature(
    raw: Bytes, channels: int, height: int, width: int, atom: int, line_stride: int, surf_stride: int
) -> Int8:
    """Feature bytes -> int8 CHW, the inverse of ``pack_feature``."""
    blocks = feature_view(raw, channels, height, width, atom, line_stride, surf_stride)
    planes = blocks.transpose(0, 3, 1, 2).reshape(-1, height, width)[:channels]
    return np.ascontiguousarray(planes).view(np.int8)


def pack_weights(weights: Int8, atomic_c: int, atomic_k: int) -> Bytes:
    """int8 KCRS -> the stream the convolution core reads; no padding anywhere.

    Order: kernel group of ``atomic_k``, channel block of ``atomic_c``, ky, kx, kernel, channel.
    """
    return (
        np.ascontiguousarray(weights)
        .view(np.uint8)
        .reshape(-1)[weight_order(weights.shape, atomic_c, atomic_k)]
    )


def unpack_weights(raw: Bytes, shape: tuple[int, int, int, int], atomic_c: int, atomic_k: int) -> Int8:
    """The stream -> int8 KCRS, the inverse of ``pack_weights``; a tail of ``raw`` beyond it is ignored."""
    order = weight_order(shape, atomic_c, atomic_k)
    flat = np.empty(order.size, np.uint8)
    flat[order] = raw[: order.size]
    return flat.reshape(shape).view(np.int8)


def weight_order(shape: tuple[int, ...], atomic_c: int, atomic_k: int) -> NDArray[np.int64]:
    """For each element of the weight stream its flat index in a KCRS array of ``shape``."""
    kernels, channels, _, _ = shape
    index = np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape)
    pieces = [
        index[k : k + atomic_k, c : c + atomic_c].transpose(2, 3, 0, 1).reshape(-1)
        for k in range(0, kernels, atomic_k)
        for c in range(0, channels, atomic_c)
    ]
    return np.concatenate(pieces)
