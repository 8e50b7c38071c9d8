"""``output.dimg``: the two forms in which NVIDIA's runtime writes a network output.

Source: compiler-facts section 1.5.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.loadable.enums import DataType, PixelFormat
from nvdla_sim.loadable.loadable import Tensor

# "surface format" numbers of the present runtime; older files have 41 for int16
_INT8_X32, _INT8_X8, _INT16 = 40, 41, 42
_PIECE = 1 << 20  # values


def text_dump(values: NDArray[Any]) -> bytes:
    """What ``--rawdump`` writes: each CHW value in decimal followed by one blank, no newline."""
    numbers = np.arange(-128, 128) if values.dtype == np.int8 else np.arange(-(1 << 15), 1 << 15)
    words = np.array([f"{number} " for number in numbers], "S")
    letters = words.view(np.uint8).reshape(words.size, -1)
    # in pieces: the text of all values with its gaps would take twice the room
    flat = values.reshape(-1)
    pieces = []
    for first in range(0, flat.size, _PIECE):
        piece = letters[flat[first : first + _PIECE].astype(np.int64) - numbers[0]]
        pieces.append(piece[piece != 0].tobytes())
    return b"".join(pieces)


def binary_dump(values: NDArray[Any], tensor: Tensor) -> bytes:
    """A 36-byte little-endian header, then the CHW values.

    Header: "DIMG", version 0, surface format, width, height, channels, then line stride, surface stride and
    size in bytes of the surface in memory, although the values follow without padding.
    """
    form = _INT8_X8 if tensor.pixel_format == PixelFormat.FEATURE_X8 else _INT8_X32
    if tensor.data_type == DataType.INT16:
        form = _INT16
    channels, height, width = values.shape
    line_stride, surf_stride = tensor.strides[1:3]
    header = (0, form, width, height, channels, line_stride, surf_stride, tensor.size)
    return struct.pack("<4s8I", b"DIMG", *header) + values.astype(values.dtype.newbyteorder("<")).tobytes()
