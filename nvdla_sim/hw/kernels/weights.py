"""A convolution's weights in the order in which the microkernels read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.hw.config import Config
from nvdla_sim.hw.conv import ConvLayer
from nvdla_sim.hw.formats import unpack_weights
from nvdla_sim.hw.kernels._memory import aligned
from nvdla_sim.hw.kernels.microkernel import GROUP, Isa

Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class Weights:
    """[group, kernel row, kernel column, piece of channels, step, kernel, lane of the step]."""

    packed: NDArray[Any]
    group_bytes: int
    start: Int64  # [kernel] where the accumulators have to start for the bias of the packed input
    largest: Int64  # [kernel] bound of |sum| for any int8 input


def pack_weights(config: Config, layer: ConvLayer, isa: Isa, stream: NDArray[np.uint8]) -> Weights:
    """Pack the weight stream of an int8 layer; lanes are the kernels rounded up to whole groups."""
    shape = (layer.kernels, layer.kernel_channels, layer.kernel_height, layer.kernel_width)
    weights = unpack_weights(stream, shape, config.atomic_c, config.atomic_k, layer.rows_per_step, 1)
    groups = -(-layer.kernels // GROUP)
    kernels = np.zeros((groups * GROUP, *shape[1:]), isa.weight)
    kernels[: layer.kernels] = weights
    # group, kernel row, kernel column, channel, kernel
    ordered = kernels.reshape(groups, GROUP, *shape[1:]).transpose(0, 3, 4, 2, 1)
    outer, step, packed = ordered.shape[:3], isa.lanes_per_step, []
    for first, last, size in channel_pieces(config, layer):
        steps = -(-size // step)
        piece = np.zeros((*outer, (last - first) // size, steps * step, GROUP), isa.weight)
        piece[..., :size, :] = ordered[..., first:last, :].reshape(*outer, -1, size, GROUP)
        in_steps = piece.reshape(*outer, -1, steps, step, GROUP).swapaxes(-1, -2)
        packed.append(in_steps.reshape(*outer, -1))
    whole = np.concatenate(packed, axis=3)
    room = aligned(whole.size, isa.weight)
    room[:] = whole.ravel()
    flat = kernels.reshape(groups * GROUP, -1).astype(np.int16)
    start = -isa.bias * flat.sum(1, dtype=np.int64)
    largest = 128 * np.abs(flat).sum(1, dtype=np.int64)
    return Weights(room, room.nbytes // groups, start, largest)


def channel_pieces(config: Config, layer: ConvLayer) -> list[tuple[int, int, int]]:
    """(first, last, size): the channels [first, last) lie in pieces of ``size``; a tap is one piece."""
    channels, atom = layer.kernel_channels, config.atom
    if layer.pixels:
        return [(0, channels, channels)]
    whole = channels // atom * atom
    pieces = [(0, whole, atom), (whole, channels, channels - whole)]
    return [piece for piece in pieces if piece[0] < piece[1]]
