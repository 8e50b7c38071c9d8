"""CDMA: fetches data and weights from memory, converts and pads, and fills the convolution buffer.

Source: hardware-facts 2.1, 2.2, 2.6, 3.1, 3.2 and 3.6.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.errors import ProgramError
from nvdla_sim.hw.cbuf import Slices
from nvdla_sim.hw.config import Config
from nvdla_sim.hw.conv_layer import ConvLayer
from nvdla_sim.hw.fixed_point import round_shift_saturate, saturate
from nvdla_sim.hw.memory import Bytes, Memory, Ports
from nvdla_sim.hw.pixel import PixelFormat, unpack_pixels
from nvdla_sim.hw.surface import Surface

Ints = NDArray[Any]


def fetch_data(config: Config, layer: ConvLayer, ports: Ports) -> Slices:
    """The input as it lies in the convolution buffer; ``ProgramError`` when it leaves the mapped memory."""
    if layer.pixels:
        return _pixel_lines(config, layer, layer.pixels, ports)
    if layer.winograd:
        return _winograd_cube(config, layer, ports)
    cubes = [_surfaces(config, layer, ports, batch) for batch in range(layer.batches)]
    lines = np.stack(cubes).transpose(2, 0, 3, 1, 4)  # line, batch, column, surface, lane
    cube = lines.reshape(layer.height * layer.batches, layer.width, -1)[..., : layer.channels]
    return _convert(layer, cube).astype(np.int16)


def _surfaces(config: Config, layer: ConvLayer, ports: Ports, batch: int) -> Ints:
    """The feature cube of one batch as [surface, y, x, lane]."""
    surfaces = -(-layer.channels * layer.in_itemsize // config.atom)
    cube = Surface(layer.address, layer.line_stride, layer.surf_stride, layer.ram_type)
    offset = batch * layer.batch_stride
    atoms = cube.view(ports, surfaces, layer.height, layer.width, config.atom, offset)
    return np.ascontiguousarray(atoms).view(f"<i{layer.in_itemsize}")


def _convert(layer: ConvLayer, values: Ints) -> Ints:
    """``(x - offset) * scale / 2^truncate``, clamped to 17 bits and then to the processed element."""
    if not layer.convert:
        return values
    scaled = (values.astype(np.int64) - np.array(layer.cvt_offset)) * layer.cvt_scale
    return saturate(round_shift_saturate(scaled, layer.cvt_truncate, 17), 8 * layer.itemsize)


def _pixel_lines(config: Config, layer: ConvLayer, pixels: PixelFormat, ports: Ports) -> Slices:
    """Converted lines [y, column * components + component], padded left and right."""
    memory = ports.port(layer.ram_type)
    starts = layer.plane_starts(config, pixels)
    places = ((layer.address, layer.line_stride), (layer.address_1, layer.uv_line_stride))
    planes = [
        _plane(memory, layer, address + start, stride, pixel_bytes)
        for start, (address, stride), pixel_bytes in zip(starts, places, pixels.plane_bytes, strict=False)
    ]
    # without the converter the raw bits are the signed element
    image = unpack_pixels(pixels, planes, signed=layer.pixel_signed or not layer.convert)
    pads = ((0, 0), (layer.pad_left, layer.pad_right), (0, 0))
    padded = np.pad(_convert(layer, image), pads, constant_values=layer.pad_value)
    return padded.reshape(layer.height, -1).astype(np.int16)


def _plane(memory: Memory, layer: ConvLayer, address: int, stride: int, pixel_bytes: int) -> Bytes:
    """uint8 [y, x, byte of the pixel]."""
    raw = memory.view(address, (layer.height - 1) * stride + layer.width * pixel_bytes)
    shape = (layer.height, layer.width, pixel_bytes)
    return np.lib.stride_tricks.as_strided(raw, shape, (stride, pixel_bytes, 1), writeable=False)


def _winograd_cube(config: Config, layer: ConvLayer, ports: Ports) -> Slices:
    """The padded cube with strides turned into channels, unused lanes of the last atom included.

    ``ext[y, x, ((j*SX + i)*surfaces + surface)*A + lane] = padded[y*SY + j, x*SX + i, surface, lane]``
    """
    pads = ((0, 0), (layer.pad_top, layer.pad_bottom), (layer.pad_left, layer.pad_right), (0, 0))
    padded = np.pad(_surfaces(config, layer, ports, 0), pads, constant_values=layer.pad_value)
    surfaces, _, _, per_atom = padded.shape
    parts = padded.reshape(
        surfaces, layer.ext_height, layer.channel_stride_y, layer.ext_width, layer.channel_stride_x, per_atom
    )
    cube = parts.transpose(1, 3, 2, 4, 0, 5).reshape(layer.ext_height, layer.ext_width, layer.ext_channels)
    return cube.astype(np.int16)


def fetch_weights(config: Config, layer: ConvLayer, ports: Ports) -> Bytes:
    """The uncompressed weight stream, at least ``kernels * kernel_bytes`` long.

    ``ProgramError`` when it leaves the mapped memory, or when bit mask and sizes do not fit the weights.
    """
    memory = ports.port(layer.weight_ram_type)
    raw = memory.view(layer.weight_address, layer.weight_bytes)
    if not layer.compressed:
        return raw
    count = layer.kernels * layer.kernel_bytes // layer.itemsize
    mask = memory.view(layer.wmb_address, layer.wmb_bytes)
    present = np.unpackbits(mask, count=count, bitorder="little").view(bool)
    groups = -(-layer.kernels // layer.atomic_k(config))
    sizes = memory.view(layer.wgs_address, 4 * groups).copy().view("<u4")
    group_weights = layer.atomic_k(config) * layer.kernel_bytes // layer.itemsize
    expected = np.add.reduceat(present, np.arange(0, count, group_weights)) * layer.itemsize
    wrong = np.flatnonzero(sizes != expected)
    if wrong.size:
        first = wrong[0]
        raise ProgramError(
            f"WGS: kernel group {first} has {sizes[first]} bytes, by the bit mask {expected[first]}"
        )
    if expected.sum() > layer.weight_bytes:
        raise ProgramError(f"WEIGHT_BYTES: {layer.weight_bytes}, by the bit mask {expected.sum()} are needed")
    if expected.max() > layer.weight_banks * config.bank_bytes:
        raise ProgramError(f"WEIGHT_BANK: a kernel group of {expected.max()} bytes does not fit its banks")
    stream = np.zeros(count, f"<u{layer.itemsize}")
    stream[present] = raw[: expected.sum()].view(stream.dtype)
    return stream.view(np.uint8)
