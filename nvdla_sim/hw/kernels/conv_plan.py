"""How a convolution's input is packed, where the windows lie in it, and in which chunks it is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.hw.config import Config
from nvdla_sim.hw.conv import ConvLayer
from nvdla_sim.hw.fixed_point import round_shift_saturate, saturate
from nvdla_sim.hw.formats import round_up
from nvdla_sim.hw.kernels import pack
from nvdla_sim.hw.kernels._record import fill
from nvdla_sim.hw.kernels.binding import Binding, Cube
from nvdla_sim.hw.kernels.block import SKIP
from nvdla_sim.hw.kernels.microkernel import RUN, TAP, Isa
from nvdla_sim.hw.kernels.runs import place_runs
from nvdla_sim.hw.kernels.weights import channel_pieces
from nvdla_sim.hw.surface import Surface

CHUNK_BYTES = 192 << 10  # packed input that stays in a CPU's second level cache beside the weights
MAX_KERNEL_BYTES = (1 << 17) - 1  # so many products of 2^14 fit int32


def runs(layer: ConvLayer) -> bool:
    """Whether the kernel runs it: uncompressed int8, a cube or 8-bit pixels in one plane, nothing reused."""
    pixels = layer.pixels
    return (
        layer.itemsize == layer.in_itemsize == 1
        and not (layer.winograd or layer.compressed or layer.data_reuse or layer.weight_reuse)
        and layer.batches == 1
        and layer.height == layer.ext_height
        and layer.kernel_bytes <= MAX_KERNEL_BYTES
        and layer.weight_bytes >= layer.kernels * layer.kernel_bytes
        and (pixels is None or (pixels.planes == 1 and pixels.sample_bytes == 1))
    )


@dataclass(frozen=True)
class Packing:
    """Which part of the input is packed; in elements, rows and columns."""

    columns: int  # packed columns (elements for pixel input)
    column_step: int  # in the input, from one packed column to the next
    row: int  # elements of a packed row
    pixel: int  # elements from one output pixel to the next
    tap_column: int  # elements from one kernel column to the next
    rows_first: int  # packed rows of one output row
    rows_per_output: int  # and of each further one
    row_step: int  # in the input, from one packed row to the next
    tap_row: int  # packed rows from one kernel row to the next


def _packing(config: Config, layer: ConvLayer, isa: Isa) -> Packing:
    """Only rows and columns that windows meet, where the kernel is one high or wide."""
    tap_row = 1 if layer.pixels else layer.dilation_y
    if layer.kernel_height == 1:
        rows = (1, 1, layer.stride_y, tap_row)
    else:
        rows = ((layer.kernel_height - 1) * tap_row + 1, layer.stride_y, 1, tap_row)
    if layer.pixels:
        pixel = layer.stride_x * layer.channels
        row = (layer.out_width - 1) * pixel + round_up(layer.kernel_channels, isa.lanes_per_step)
        return Packing(row, 1, row, pixel, 0, *rows)
    atom = config.atom
    if layer.kernel_width == 1:
        return Packing(layer.out_width, layer.stride_x, layer.out_width * atom, atom, 0, *rows)
    columns = (layer.out_width - 1) * layer.stride_x + (layer.kernel_width - 1) * layer.dilation_x + 1
    return Packing(columns, 1, columns * atom, layer.stride_x * atom, layer.dilation_x * atom, *rows)


def fill_input(
    config: Config, layer: ConvLayer, isa: Isa, binding: Binding, op: Any, destination: Cube
) -> None:
    """Fill those fields of a CONV record that tell of the input, the output's size, and the way through them.

    The input is packed as a whole before anything is written where it overlaps the destination.
    """
    packing = _packing(config, layer, isa)
    source = op["input"]
    cube = _fill_source(config, layer, isa, binding, source)
    pixel_step = packing.pixel * isa.itemsize
    row_bytes = round_up(packing.row * isa.itemsize, pixel_step)
    output_bytes = cube.surfaces * packing.rows_per_output * row_bytes  # for each further row of the output
    height, width = layer.out_height, layer.out_width
    together = cube.region.overlaps(destination.region)
    chunks = -(-height // (height if together else max(1, CHUNK_BYTES // output_bytes)))
    chunk = -(-height // chunks)
    plane_bytes = (packing.rows_first + packing.rows_per_output * (chunk - 1)) * row_bytes
    whole_lines = (
        not layer.pixels
        and packing.row_step == packing.column_step == 1
        and packing.columns == layer.width
        and layer.pad_left == 0
        and row_bytes == cube.line * isa.itemsize
    )
    fill(
        source,
        {"columns": packing.columns, "column_step": packing.column_step, "row_step": packing.row_step}
        | {"rows_first": packing.rows_first, "rows_per_output": packing.rows_per_output}
        | {"row_bytes": row_bytes, "plane_bytes": plane_bytes, "whole_lines": whole_lines},
    )

    run = RUN if width * height > 1 else 1
    placed = place_runs(height, width, chunk, packing.rows_per_output * row_bytes // pixel_step, run)
    out = np.where(placed.skip, SKIP, placed.y * destination.line + placed.x * destination.pixel)
    taps = _taps(config, layer, isa, packing, row_bytes, plane_bytes)
    fill(
        op,
        {"out_height": height, "chunk_rows": chunk, "chunk_runs": placed.per_chunk}
        | {"run": run, "run_count": placed.start.size, "run_offset": binding.keep(placed.start * pixel_step)}
        | {
            "slot_y": binding.keep(placed.y.astype(np.int32)),
            "slot_x": binding.keep(placed.x.astype(np.int32)),
        }
        | {"slot_out": binding.keep(out), "taps": binding.keep(taps), "tap_count": taps.size}
        # the last run of a chunk may reach over its end
        | {"pixel_step": pixel_step, "packed_bytes": cube.surfaces * plane_bytes + run * pixel_step},
    )


def _taps(
    config: Config, layer: ConvLayer, isa: Isa, packing: Packing, row_bytes: int, plane_bytes: int
) -> NDArray[np.void]:
    """For each piece of a window its byte offset from the window's first element, and its steps."""
    steps = [
        -(-size // isa.lanes_per_step)
        for first, last, size in channel_pieces(config, layer)
        for _ in range(first, last, size)
    ]
    taps = np.zeros((layer.kernel_height, layer.kernel_width, len(steps)), TAP)
    ky, kx, surface = np.ogrid[: layer.kernel_height, : layer.kernel_width, : len(steps)]
    columns = kx * packing.tap_column * isa.itemsize
    taps["offset"] = ky * packing.tap_row * row_bytes + columns + surface * plane_bytes
    taps["steps"] = steps
    return taps.reshape(-1)


def _fill_source(config: Config, layer: ConvLayer, isa: Isa, binding: Binding, source: Any) -> Cube:
    """What the input looks like in memory, and what its bytes become."""
    if layer.pixels:
        mode, components, pixel = pack.PIXELS, layer.channels, layer.pixels.plane_bytes[0]
        surfaces, address = 1, layer.address + layer.pixel_x_offset * pixel
        fill(source, {f"component_{i}": c.low_bit // 8 for i, c in enumerate(layer.pixels.components)})
    else:
        mode, components, pixel = pack.LOOK_UP if layer.convert else pack.COPY, 1, config.atom
        surfaces, address = -(-layer.channels // config.atom), layer.address
    surface = Surface(address, layer.line_stride, layer.surf_stride, layer.ram_type)
    cube = binding.cube(surface, surfaces, layer.height, layer.width, pixel)
    fill(
        source,
        {"mode": mode, "address": cube.address, "surf": cube.surf, "line": cube.line, "surfaces": surfaces}
        | {"width": layer.width, "height": layer.height, "pixel": pixel, "components": components}
        | {"table": binding.keep(_table(layer, components, isa)), "itemsize": isa.itemsize}
        | {"pad_left": layer.pad_left, "pad_top": layer.pad_top, "pad": layer.pad_value + isa.bias}
        | {"stride_y": layer.stride_y},
    )
    return cube


def _table(layer: ConvLayer, components: int, isa: Isa) -> NDArray[np.int16]:
    """int16 [component, byte]: what each byte of the input becomes, the packed form's bias included."""
    raw = np.arange(256, dtype=np.uint8)
    signed = layer.pixels is None or layer.pixel_signed or not layer.convert
    values = np.tile(raw.view(np.int8) if signed else raw, (components, 1)).astype(np.int64)
    if layer.convert:
        offsets = np.broadcast_to(np.array(layer.cvt_offset), components)[:, np.newaxis]
        values = round_shift_saturate((values - offsets) * layer.cvt_scale, layer.cvt_truncate, 17)
    return (saturate(values, 8) + isa.bias).astype(np.int16)
