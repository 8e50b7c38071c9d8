"""Int8 weights in the order in which the convolution core reads them.

Source: compiler-facts sections 6.8 and 7, hardware-facts sections 2.3 and 2.4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.hw.config import Config
from nvdla_sim.hw.formats import Int8, pack_image_weights, pack_weights, round_up

PIXEL = 4  # components of a pixel

Bytes = NDArray[np.uint8]


def feature_weights(values: Int8, config: Config) -> Bytes:
    """KCRS for a feature source; zero bytes fill the last buffer entry."""
    return _whole_entries(pack_weights(values, config.atomic_c, config.atomic_k), config)


def image_weights(values: Int8, extension: int, config: Config) -> Bytes:
    """KCRS (C <= 4) for a picture whose pixels have four components; missing ones weigh 0.

    ``extension``: rows of a kernel that the core takes in one step.
    """
    kernels, channels, height, width = values.shape
    pixels = np.zeros((kernels, PIXEL, height, width), np.int8)
    pixels[:, :channels] = values
    return _whole_entries(pack_image_weights(pixels, config.atomic_c, config.atomic_k, extension), config)


def image_extension(kernel: tuple[int, int], stride_x: int, config: Config) -> int:
    """Rows of an image's kernel (height, width) that one step of the core can take: 1, 2 or 4."""
    height, width = kernel
    row, step = PIXEL * width, PIXEL * stride_x
    if stride_x > width:
        return 1
    if 3 * step + row <= config.atomic_c and row <= config.atomic_c // 4 and height >= 8:
        return 4
    if step + row <= config.atomic_c and row <= config.atomic_c // 2 and height >= 4:
        return 2
    return 1


def _whole_entries(data: Bytes, config: Config) -> Bytes:
    padded = np.zeros(round_up(data.size, config.cbuf_entry), np.uint8)
    padded[: data.size] = data
    return padded
