"""Network inputs and outputs: arrays <-> the surfaces that their tensor descriptors tell of.

A tensor of a batch holds its images one after the other, in equal parts of its bytes.

Source: compiler-facts 1.3 and 1.5.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.errors import ImageError, LoadableError, UnsupportedError
from nvdla_sim.hw.config import Config
from nvdla_sim.hw.formats import Int8, feature_extent, pack_feature, unpack_feature
from nvdla_sim.hw.memory import Bytes
from nvdla_sim.loadable.enums import DataCategory, DataType, PixelFormat
from nvdla_sim.loadable.lists import MAX_OPERATIONS
from nvdla_sim.loadable.loadable import Tensor

PIXEL_BYTES = 4

_TYPES: dict[int, Any] = {DataType.INT8: np.int8, DataType.INT16: np.int16}


def is_image(tensor: Tensor) -> bool:
    """Whether the tensor is a surface of pixels; otherwise it is a feature cube."""
    return tensor.data_category == DataCategory.IMAGE


def tensor_atom(tensor: Tensor, config: Config) -> int:
    """Bytes of an atom as the runtime sees it: it goes by the pixel format, which knows 8 and 32 only."""
    if tensor.pixel_format == PixelFormat.FEATURE_X8:
        return 8
    return config.atom if config.atom == 16 else 32


def check_input(tensor: Tensor, config: Config) -> None:
    """Raise unless ``write`` can serve the tensor and stays inside its ``size`` bytes."""
    _check_kind(tensor, (DataType.INT8,))
    line, surf = tensor.strides[1:3]
    if not is_image(tensor):
        atom = tensor_atom(tensor, config)
        row, extent = tensor.w * atom, feature_extent(tensor.c, tensor.h, tensor.w, atom, line, surf)
    else:
        if tensor.c > PIXEL_BYTES:
            raise LoadableError(f'tensor "{tensor.name}": {tensor.c} channels, a pixel has {PIXEL_BYTES}')
        row = tensor.w * PIXEL_BYTES
        extent = (tensor.h - 1) * line + row
    _check_extent(tensor, extent)
    if tensor.h > 1 and line < row:
        raise LoadableError(f'tensor "{tensor.name}": its lines of {row} bytes are only {line} bytes apart')


def check_output(tensor: Tensor, config: Config) -> None:
    """Raise unless ``read`` can serve the tensor and stays inside its ``size`` bytes."""
    _check_kind(tensor, (DataType.INT8, DataType.INT16))
    if is_image(tensor):
        raise UnsupportedError(f'tensor "{tensor.name}": pixels as a network output are not supported')
    channel_bytes = tensor.c * np.dtype(_TYPES[tensor.data_type]).itemsize
    line, surf = tensor.strides[1:3]
    _check_extent(
        tensor,
        feature_extent(channel_bytes, tensor.h, tensor.w, tensor_atom(tensor, config), line, surf),
    )


def _check_kind(tensor: Tensor, types: tuple[DataType, ...]) -> None:
    if tensor.data_type not in types:
        allowed = ", ".join(f"{kind.name} ({kind:d})" for kind in types)
        name = next((kind.name for kind in DataType if kind == tensor.data_type), "unknown")
        raise UnsupportedError(
            f'tensor "{tensor.name}" has data type {name} ({tensor.data_type}): only {allowed} is supported; '
            "compile the network with --cprecision int8"
        )
    formats = (PixelFormat.A8B8G8R8,) if is_image(tensor) else (PixelFormat.FEATURE, PixelFormat.FEATURE_X8)
    if tensor.pixel_format not in formats:
        allowed = ", ".join(f"{form.name} ({form:d})" for form in formats)
        raise UnsupportedError(
            f'tensor "{tensor.name}" has pixel format {tensor.pixel_format}: only {allowed} is supported'
        )


def _check_extent(tensor: Tensor, extent: int) -> None:
    line, surf = tensor.strides[1:3]
    if tensor.n > MAX_OPERATIONS:
        raise LoadableError(
            f'tensor "{tensor.name}" has {tensor.n} images, at most {MAX_OPERATIONS} are possible: '
            "each takes an operation"
        )
    if extent > tensor.size // tensor.n:
        raise LoadableError(
            f'tensor "{tensor.name}" of {tensor.c}x{tensor.h}x{tensor.w} (channels x height x width) with '
            f"lines of {line} and surfaces of {surf} bytes takes {extent} bytes, it has "
            f"{tensor.size // tensor.n}"
        )


def write(tensor: Tensor, raw: Bytes, images: Int8, config: Config) -> None:
    """Put int8 NCHW values into the surface ``raw`` as its first images; all other bytes become 0.

    ``ImageError`` when they do not fit the tensor. Pixels may have fewer channels than components.
    """
    count, channels, height, width = images.shape
    fits = 1 <= channels <= tensor.c if is_image(tensor) else channels == tensor.c
    if (height, width) != (tensor.h, tensor.w) or not fits:
        raise ImageError(
            f'input "{tensor.name}" takes {"1 to " * is_image(tensor)}{tensor.c}x{tensor.h}x{tensor.w} '
            f"values (channels x height x width), {channels}x{height}x{width} are given"
        )
    if not 1 <= count <= tensor.n:
        takes = "1 image" if tensor.n == 1 else f"1 to {tensor.n} images"
        raise ImageError(f'input "{tensor.name}" takes {takes}, {count} are given')
    line, surf = tensor.strides[1:3]
    raw[:] = 0
    for values, part in zip(images, _images(tensor, raw), strict=False):
        if is_image(tensor):
            pixels = np.lib.stride_tricks.as_strided(part, (height, width, channels), (line, PIXEL_BYTES, 1))
            pixels[:] = values.transpose(1, 2, 0).view(np.uint8)
        else:
            packed = pack_feature(values, tensor_atom(tensor, config), line, surf)
            part[: packed.size] = packed


def read(tensor: Tensor, raw: Bytes, config: Config) -> NDArray[Any]:
    """A feature surface as CHW, of a batch as NCHW; int8 or int16 as the tensor is."""
    kind = np.dtype(_TYPES[tensor.data_type])
    line, surf = tensor.strides[1:3]
    size = (tensor.c * kind.itemsize, tensor.h, tensor.w)
    atom = tensor_atom(tensor, config)
    images = np.stack([unpack_feature(part, *size, atom, line, surf) for part in _images(tensor, raw)])
    elements = images.reshape(tensor.n, tensor.c, kind.itemsize, tensor.h, tensor.w).transpose(0, 1, 3, 4, 2)
    values = np.ascontiguousarray(elements).view(kind)[..., 0]
    return values if tensor.n > 1 else values[0]


def _images(tensor: Tensor, raw: Bytes) -> list[Bytes]:
    """The part of each image."""
    size = tensor.size // tensor.n
    return [raw[image * size : (image + 1) * size] for image in range(tensor.n)]
