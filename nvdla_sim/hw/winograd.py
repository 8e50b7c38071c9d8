"""Winograd F(2x2, 3x3): a 3x3 convolution with 16 multiplications for 4 outputs instead of 36.

Source: hardware-facts 3.6.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.hw.cbuf import Slices
from nvdla_sim.hw.config import Config
from nvdla_sim.hw.conv_layer import ConvLayer
from nvdla_sim.hw.fixed_point import round_shift_saturate
from nvdla_sim.hw.memory import Bytes

CHANNELS_PER_STEP = 4
DATA_TRANSFORM = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])  # B^T
OUTPUT_TRANSFORM = np.array([[1, 1, 1, 0], [0, 1, -1, -1]])  # A^T

Ints = NDArray[np.int64]


def convolve(config: Config, layer: ConvLayer, cube: Slices, stream: Bytes) -> Ints:
    """The sums [y, x, kernel] over the extended cube [y, x, channel].

    For each 4x4 window d at a step of 2, and each kernel's 4x4 weights w (transformed by the compiler)::

        U = saturate(round(B^T d B / 2^pra_truncate));  out (2x2) = A^T (sum over channels of U * w) A

    Exact in float64, and below the accumulator's 48 bits: 9 terms * 8192 channels * 2^30 < 2^47.
    """
    tiles_y, tiles_x = layer.out_height // 2, layer.out_width // 2
    windows = np.lib.stride_tricks.sliding_window_view(cube, (4, 4), axis=(0, 1))
    tiles = windows[::2, ::2][:tiles_y, :tiles_x]  # tile y, tile x, channel, y, x
    transformed = _both_sides(tiles.astype(np.int64), DATA_TRANSFORM)
    transformed = round_shift_saturate(transformed, layer.pra_truncate, 8 * layer.itemsize)
    points = transformed.reshape(tiles_y * tiles_x, layer.ext_channels, 16).transpose(2, 0, 1)
    weights = _unpack_weights(config, layer, stream).transpose(2, 1, 0)  # point, channel, kernel
    products = points.astype(np.float64) @ weights.astype(np.float64)
    sums = products.transpose(1, 2, 0).reshape(tiles_y, tiles_x, layer.kernels, 4, 4)
    blocks = _both_sides(sums.astype(np.int64), OUTPUT_TRANSFORM)  # tile y, tile x, kernel, y, x
    return blocks.transpose(0, 3, 1, 4, 2).reshape(layer.out_height, layer.out_width, layer.kernels)


def _both_sides(matrices: Ints, transform: Ints) -> Ints:
    """``transform @ m @ transform.T`` for each matrix m of the last two axes."""
    return np.einsum("...yx,iy,jx->...ij", matrices, transform, transform, optimize=True)


def _unpack_weights(config: Config, layer: ConvLayer, stream: Bytes) -> NDArray[Any]:
    """[kernel, channel, point 4*y + x] from: kernel group, block of 4 channels, kernel, point, channel."""
    weights = np.empty((layer.kernels, layer.kernel_channels, 16), f"<i{layer.itemsize}")
    raw = stream[: weights.nbytes].view(weights.dtype)
    group = layer.atomic_k(config)
    for start in range(0, layer.kernels, group):
        kernels = weights[start : start + group]
        blocks = raw[start * kernels[0].size :][: kernels.size].reshape(
            -1, len(kernels), 16, CHANNELS_PER_STEP
        )
        kernels[:] = blocks.transpose(1, 0, 3, 2).reshape(kernels.shape)
    return weights
