"""The convolution pipeline: CDMA and convolution buffer, then CSC's walk, CMAC's sums, CACC's delivery.

Source: hardware-facts section 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.hw import winograd
from nvdla_sim.hw.cbuf import ConvBuffer, Slices
from nvdla_sim.hw.cdma import fetch_data, fetch_weights
from nvdla_sim.hw.config import Config
from nvdla_sim.hw.conv_layer import ConvLayer
from nvdla_sim.hw.conv_program import decode
from nvdla_sim.hw.fixed_point import round_shift, saturate
from nvdla_sim.hw.formats import unpack_weights
from nvdla_sim.hw.memory import Bytes, Ports

__all__ = ["ConvBuffer", "ConvLayer", "decode", "reference"]

ACCUMULATOR_BITS = 48
DELIVERY_BITS = 32
CHANNELS_AT_ONCE = 512  # bounds the float64 copy of one step's data

Ints = NDArray[np.int64]
# data [line, batch, column, channel] and weights [kernel, channel] whose products are summed over channels
Step = tuple[NDArray[np.int16], NDArray[Any]]


def reference(
    config: Config, layer: ConvLayer, ports: Ports, buffer: ConvBuffer, counters: dict[str, int]
) -> Ints:
    """Run the layer; the stream to SDP as int64 [batch, lane, y, x].

    Lanes are the kernels rounded up to whole atoms, those beyond the last kernel 0. ``buffer`` is what the
    layer before left in the convolution buffer and is updated. ``ProgramError`` when data or weights leave
    the mapped memory or do not fit what ``buffer`` holds.
    """
    slices = buffer.data(layer, lambda: fetch_data(config, layer, ports))
    stream = buffer.weights(layer, lambda: fetch_weights(config, layer, ports))
    if layer.winograd:
        sums = winograd.convolve(config, layer, slices, stream)[:, np.newaxis]
    else:
        sums = _convolve(config, layer, slices, stream)
    rounded = round_shift(sums, layer.clip_truncate)
    delivered = saturate(rounded, DELIVERY_BITS)
    counters["CACC.D_OUT_SATURATION"] = int(np.count_nonzero(rounded != delivered))
    out = np.zeros((layer.batches, layer.lanes(config), layer.out_height, layer.out_width), np.int64)
    out[:, : layer.kernels] = delivered.transpose(1, 3, 0, 2)
    return out


def _convolve(config: Config, layer: ConvLayer, slices: Slices, stream: Bytes) -> Ints:
    """The sums [y, batch, x, kernel], saturated to the accumulator's bits at every step.

    A step's sum is exact in float64: at most 512 channels * 2^30.
    """
    shape = (layer.kernels, layer.kernel_channels, layer.kernel_height, layer.kernel_width)
    weights = unpack_weights(
        stream, shape, config.atomic_c, layer.atomic_k(config), layer.rows_per_step, layer.itemsize
    )
    block = channels_of_step(config, layer)
    steps = _pixel_steps if layer.pixels else _feature_steps
    sums = np.zeros((layer.out_height, layer.batches, layer.out_width, layer.kernels), np.int64)
    for data, kernels in steps(layer, slices, weights, block):
        step = data.astype(np.float64) @ kernels.T.astype(np.float64)
        sums = saturate(sums + step.astype(np.int64), ACCUMULATOR_BITS)
    return sums


def channels_of_step(config: Config, layer: ConvLayer) -> int:
    """Channels that are summed at once: the chip's own steps matter where a sum can saturate on its way."""
    largest = layer.kernel_bytes // layer.itemsize << 2 * (8 * layer.itemsize - 1)
    return config.atomic_c if largest >> (ACCUMULATOR_BITS - 1) else CHANNELS_AT_ONCE


def _feature_steps(layer: ConvLayer, slices: Slices, weights: NDArray[Any], block: int) -> Iterator[Step]:
    """``in[oy*SY + ky*DY - pad_top, ox*SX + kx*DX - pad_left]``, the pad value outside the cube."""
    cube = slices.reshape(layer.ext_height, layer.batches, layer.ext_width, layer.ext_channels)
    pads = ((layer.pad_top, layer.pad_bottom), (0, 0), (layer.pad_left, layer.pad_right), (0, 0))
    padded = np.pad(cube, pads, constant_values=layer.pad_value)
    for c in range(0, layer.kernel_channels, block):
        for ky in range(layer.kernel_height):
            lines = padded[ky * layer.dilation_y :: layer.stride_y][: layer.out_height]
            for kx in range(layer.kernel_width):
                window = lines[:, :, kx * layer.dilation_x :: layer.stride_x][:, :, : layer.out_width]
                yield window[..., c : c + block], weights[:, c : c + block, ky, kx]


def _pixel_steps(layer: ConvLayer, slices: Slices, weights: NDArray[Any], block: int) -> Iterator[Step]:
    """``line[oy*SY + ky - pad_top][ox*SX*components + c]``, the pad value above and below the image."""
    pads = ((layer.pad_top, layer.pad_bottom), (0, 0))
    padded = np.pad(slices, pads, constant_values=layer.pad_value)[:, np.newaxis]
    elements = np.lib.stride_tricks.sliding_window_view(padded, layer.kernel_channels, axis=2)
    windows = elements[:, :, :: layer.stride_x * layer.channels][:, :, : layer.out_width]
    for c in range(0, layer.kernel_channels, block):
        for ky in range(layer.kernel_height):
            window = windows[ky :: layer.stride_y][: layer.out_height]
            yield window[..., c : c + block], weights[:, c : c + block, ky, 0]
