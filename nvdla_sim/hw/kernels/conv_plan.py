"""Convolutions prepared for the kernel: weights packed, taps listed, the input cut into chunks of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.hw.config import Config
from nvdla_sim.hw.conv import ConvLayer
from nvdla_sim.hw.fixed_point import round_shift_saturate, saturate
from nvdla_sim.hw.formats import round_up, unpack_weights
from nvdla_sim.hw.kernels import pack
from nvdla_sim.hw.kernels._memory import aligned
from nvdla_sim.hw.kernels.binding import Binding, Region, fill
from nvdla_sim.hw.kernels.microkernel import GROUP, RUN, TAP, Isa
from nvdla_sim.hw.surface import Surface

Int64 = NDArray[np.int64]

CHUNK_BYTES = 192 << 10  # packed input that stays in a CPU's second level cache beside the weights
MAX_KERNEL_BYTES = (1 << 17) - 1  # so many products of 2^14 fit int32


def runs(layer: ConvLayer) -> bool:
    """Whether the kernel runs it: uncompressed int8, direct or 8-bit pixels in one plane, one batch, no reuse."""
    pixels = layer.pixels
    return (
        layer.itemsize == layer.in_itemsize == 1
        and not (layer.winograd or layer.compressed or layer.data_reuse or layer.weight_reuse)
        and layer.batches == 1
        and layer.height == layer.ext_height
        and layer.kernel_bytes <= MAX_KERNEL_BYTES
        and (pixels is None or (pixels.planes == 1 and pixels.sample_bytes == 1))
    )


@dataclass(frozen=True)
class Weights:
    """Packed weights and what the accumulators have to start at, int64 [lane], and a bound of |sum|."""

    packed: NDArray[Any]
    group_bytes: int
    start: Int64
    largest: Int64


def pack_weights(config: Config, layer: ConvLayer, isa: Isa, binding: Binding) -> Weights:
    """[group, kernel row, kernel column, surface, step, kernel of the group, element of the step]."""
    shape = (layer.kernels, layer.kernel_channels, layer.kernel_height, layer.kernel_width)
    stream = binding.frozen_bytes(layer.weight_ram_type, layer.weight_address, layer.weight_bytes)
    weights = unpack_weights(stream, shape, config.atomic_c, config.atomic_k, layer.rows_per_step, 1)
    groups = -(-layer.kernels // GROUP)
    padded = np.zeros((groups * GROUP, *shape[1:]), isa.element if isa.bias == 0 else np.int8)
    padded[: layer.kernels] = weights
    blocks = padded.reshape(groups, GROUP, *shape[1:]).transpose(0, 3, 4, 2, 1)  # group, ky, kx, channel, kernel
    pieces = []
    for first, count in _channel_blocks(config, layer):
        steps = -(-count // isa.lanes_per_step)
        piece = np.zeros((*blocks.shape[:3], steps * isa.lanes_per_step, GROUP), padded.dtype)
        piece[:, :, :, :count] = blocks[:, :, :, first : first + count]
        piece = piece.reshape(*blocks.shape[:3], steps, isa.lanes_per_step, GROUP)
        pieces.append(piece.swapaxes(4, 5).reshape(*blocks.shape[:3], -1))
    whole = np.concatenate(pieces, axis=3)
    packed = aligned(whole.size, whole.dtype)
    packed[:] = whole.ravel()
    flat = padded.reshape(groups * GROUP, -1)
    start = -isa.bias * flat.sum(1, dtype=np.int64)
    largest = 128 * np.abs(flat.astype(np.int16)).sum(1, dtype=np.int64)
    return Weights(packed, packed.nbytes // groups, start, largest)


def _channel_blocks(config: Config, layer: ConvLayer) -> list[tuple[int, int]]:
    """First channel and number of channels of each contiguous piece of a packed pixel."""
    if layer.pixels:
        return [(0, layer.kernel_channels)]
    channels, atom = layer.kernel_channels, config.atom
    return [(first, min(atom, channels - first)) for first in range(0, channels, atom)]


def plan(config: Config, layer: ConvLayer, isa: Isa, binding: Binding, op: Any, destination: Region) -> None:
    """Fill a CONV record except for weights, start and end.

    The input is packed as a whole before anything is written where it overlaps the destination.
    """
    source = op["input"]
    region = _fill_input(config, layer, isa, binding, source)
    itemsize = isa.element().itemsize
    one_column = layer.kernel_width == 1 and not layer.pixels
    pixel_elements = layer.stride_x * layer.channels if layer.pixels else config.atom
    if not one_column and not layer.pixels:
        pixel_elements *= layer.stride_x
    pixel_step = pixel_elements * itemsize
    row_bytes = round_up(_row_elements(config, layer, isa) * itemsize, pixel_step)
    one_row = layer.kernel_height == 1
    rows_first = 1 if one_row else (layer.kernel_height - 1) * _dilation_y(layer) + 1
    rows_per_output = 1 if one_row else layer.stride_y
    row_pixels = rows_per_output * row_bytes // pixel_step

    surfaces = int(source["surfaces"])
    chunk = max(1, CHUNK_BYTES // (surfaces * rows_per_output * row_bytes))
    if region.overlaps(destination):
        chunk = layer.out_height
    chunk = -(-layer.out_height // -(-layer.out_height // chunk))  # chunks of equal size
    width = layer.out_width
    run = RUN if width * layer.out_height > 1 else 1
    joined = -(-((chunk - 1) * row_pixels + width) // run) < chunk * -(-width // run)
    plane_bytes = (rows_first + rows_per_output * (chunk - 1)) * row_bytes
    fill(
        source,
        {"rows_first": rows_first, "rows_per_output": rows_per_output, "row_step": layer.stride_y if one_row else 1}
        | {"column_step": layer.stride_x if one_column else 1, "row_bytes": row_bytes, "plane_bytes": plane_bytes},
    )
    taps = _taps(config, layer, isa, row_bytes, plane_bytes)
    fill(
        op,
        {"out_width": width, "out_height": layer.out_height, "chunk_rows": chunk, "run": run, "joined": joined}
        | {"row_pixels": row_pixels, "pixel_step": pixel_step, "taps": binding.keep(taps), "tap_count": taps.size}
        # a run that begins in the last pixels reads on
        | {"packed_bytes": surfaces * plane_bytes + run * pixel_step},
    )


def _dilation_y(layer: ConvLayer) -> int:
    return 1 if layer.pixels else layer.dilation_y


def _row_elements(config: Config, layer: ConvLayer, isa: Isa) -> int:
    """Elements of a packed row that windows meet."""
    if layer.pixels:
        window = round_up(layer.kernel_channels, isa.lanes_per_step)
        return (layer.out_width - 1) * layer.stride_x * layer.channels + window
    if layer.kernel_width == 1:
        return layer.out_width * config.atom
    return ((layer.out_width - 1) * layer.stride_x + (layer.kernel_width - 1) * layer.dilation_x + 1) * config.atom


def _taps(config: Config, layer: ConvLayer, isa: Isa, row_bytes: int, plane_bytes: int) -> NDArray[np.void]:
    """For each piece of a window its byte offset from the window's first pixel, and its steps."""
    itemsize = isa.element().itemsize
    blocks = [-(-count // isa.lanes_per_step) for _, count in _channel_blocks(config, layer)]
    taps = np.zeros((layer.kernel_height, layer.kernel_width, len(blocks)), TAP)
    ky, kx, block = np.ogrid[: layer.kernel_height, : layer.kernel_width, : len(blocks)]
    columns = kx * layer.dilation_x * config.atom * itemsize
    taps["offset"] = ky * _dilation_y(layer) * row_bytes + columns + block * plane_bytes
    taps["steps"] = blocks
    return taps.reshape(-1)


def _fill_input(config: Config, layer: ConvLayer, isa: Isa, binding: Binding, source: Any) -> Region:
    """What the input looks like in memory; the bytes it spans."""
    surfaces, pixel, address = -(-layer.channels // config.atom), config.atom, layer.address
    components = 1
    mode = pack.LOOK_UP if layer.convert else pack.COPY
    if layer.pixels:
        surfaces, mode, components = 1, pack.PIXELS, layer.channels
        pixel = layer.pixels.plane_bytes[0]
        address += layer.pixel_x_offset * pixel
        for i, component in enumerate(layer.pixels.components):
            source[f"component_{i}"] = component.low_bit // 8
    surface = Surface(address, layer.line_stride, layer.surf_stride, layer.ram_type)
    cube = binding.cube(surface, surfaces, layer.height, layer.width, pixel)
    table = _table(layer, components, isa)
    elements = _row_elements(config, layer, isa)
    fill(
        source,
        {"mode": mode, "address": cube.address, "surf": cube.surf, "line": cube.line, "pixel": pixel}
        | {"surfaces": surfaces, "width": layer.width, "height": layer.height, "stride_y": layer.stride_y}
        | {"components": components, "pad_left": layer.pad_left, "pad_top": layer.pad_top}
        | {"pad": layer.pad_value + isa.bias, "itemsize": isa.element().itemsize, "table": binding.keep(table)}
        | {"columns": elements if layer.pixels else elements // config.atom},
    )
    return cube.region


def _table(layer: ConvLayer, components: int, isa: Isa) -> NDArray[np.int16]:
    """int16 [component, byte]: what each byte of the input becomes, the packed form's bias included."""
    raw = np.arange(256, dtype=np.int64)
    signed = layer.pixels is None or layer.pixel_signed or not layer.convert
    values = np.tile(raw.astype(np.uint8).astype(np.int8) if signed else raw, (components, 1)).astype(np.int64)
    if layer.convert:
        offsets = np.broadcast_to(np.array(layer.cvt_offset), components)[:, np.newaxis]
        values = round_shift_saturate((values - offsets) * layer.cvt_scale, layer.cvt_truncate, 17)
    return (saturate(values, 8) + isa.bias).astype(np.int16)


