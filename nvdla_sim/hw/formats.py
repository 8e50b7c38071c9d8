"""NVDLA's memory formats: feature cubes and convolution weights, packed and unpacked.

Source: hardware-facts section 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

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
    """Feature bytes -> int8 CHW, the inverse of ``pack_feature``; never a view of ``raw``."""
    blocks = feature_view(raw, channels, height, width, atom, line_stride, surf_stride)
    values = np.empty((channels, height, width), np.int8)
    # one by one: where lines overlap, a surface with its unused lanes can be far larger than its bytes
    for first, block in zip(range(0, channels, atom), blocks.view(np.int8), strict=True):
        lanes = values[first : first + atom]
        lanes[:] = block.transpose(2, 0, 1)[: len(lanes)]
    return values


def weight_blocks(
    shape: tuple[int, ...], atomic_c: int, atomic_k: int, rows_per_step: int = 1
) -> Iterator[tuple[slice, slice, slice]]:
    """The (kernels, channels, rows) blocks of a KCRS array in the order of the weight stream.

    Inside a block the order is column, kernel, row, channel. ``rows_per_step``: kernel rows that one MAC step
    takes (post extension of pixel input), else 1.
    """
    kernels, channels, rows, _ = shape
    for k in range(0, kernels, atomic_k):
        for c in range(0, channels, atomic_c):
            for y in range(0, rows, rows_per_step):
                yield slice(k, k + atomic_k), slice(c, c + atomic_c), slice(y, y + rows_per_step)


def pack_weights(weights: NDArray[Any], atomic_c: int, atomic_k: int, rows_per_step: int = 1) -> Bytes:
    """int8 or int16 KCRS -> the bytes that the convolution core reads; no padding anywhere.

    Order: kernel group of ``atomic_k``, channel block of ``atomic_c``, ky, kx, kernel, channel.
    """
    blocks = weight_blocks(weights.shape, atomic_c, atomic_k, rows_per_step)
    stream = np.concatenate([weights[block].transpose(3, 0, 2, 1).reshape(-1) for block in blocks])
    return stream.view(np.uint8)


def unpack_weights(
    raw: Bytes,
    shape: tuple[int, int, int, int],
    atomic_c: int,
    atomic_k: int,
    rows_per_step: int = 1,
    itemsize: int = 1,
) -> NDArray[Any]:
    """The stream -> KCRS of int8 (``itemsize`` 1) or int16 (2), the inverse of ``pack_weights``.

    A tail of ``raw`` beyond the last weight is ignored.
    """
    kernels, channels, rows, columns = shape
    weights = np.empty(shape, f"<i{itemsize}")
    stream = raw[: weights.nbytes].view(weights.dtype).reshape(kernels, -1)
    whole = kernels // atomic_k * atomic_k
    for first, last, size in ((0, whole, atomic_k), (whole, kernels, kernels - whole)):
        if first == last:
            continue
        # all groups of one size at once
        groups = weights[first:last].reshape(-1, size, channels, rows, columns)
        parts = stream[first:last].reshape(len(groups), -1)
        start = 0
        for _, c, y in weight_blocks((size, channels, rows, columns), atomic_c, size, rows_per_step):
            target = groups[:, :, c, y].transpose(0, 4, 1, 3, 2)
            end = start + target[0].size
            target[:] = parts[:, start:end].reshape(target.shape)
            start = end
    return weights


def fold_kernel_width(weights: NDArray[Any]) -> NDArray[Any]:
    """KCRS weights for pixel input -> [kernel, column * components + component, row, 1] (pre-extension)."""
    kernels, components, rows, columns = weights.shape
    return weights.transpose(0, 3, 1, 2).reshape(kernels, columns * components, rows, 1)


def pack_image_weights(weights: Int8, atomic_c: int, atomic_k: int, rows_per_step: int = 1) -> Bytes:
    """int8 KCRS for pixel input (C = components of a pixel) -> the bytes that the convolution core reads.

    ``rows_per_step`` 2 or 4 (post extension) needs ``columns * components * rows_per_step <= atomic_c``.
    """
    return pack_weights(fold_kernel_width(weights), atomic_c, atomic_k, rows_per_step)
