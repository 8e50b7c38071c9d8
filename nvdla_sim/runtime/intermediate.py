"""The tensors between a network's inputs and outputs, where our own compiler noted them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nvdla_sim.errors import LoadableError
from nvdla_sim.hw.config import Config
from nvdla_sim.hw.formats import Int8, feature_extent, round_up, unpack_feature
from nvdla_sim.loadable.loadable import Loadable
from nvdla_sim.runtime.buffers import Buffers
from nvdla_sim.runtime.source_map import NotedCube


def reader(loadable: Loadable, cube: NotedCube, buffers: Buffers, config: Config) -> Callable[[], Int8]:
    """What gives the tensor's int8 CHW values as they are in memory now.

    ``LoadableError`` when it does not lie inside the loadable's memories.
    """
    lanes = 1 + max(first + count - 1 for first, count in cube.lanes)
    channels = sum(count for _, count in cube.lanes)
    atom, size = config.atom, (cube.height, cube.width)
    extent = feature_extent(lanes, *size, atom, cube.line, cube.surf)
    room = loadable.memories[cube.memory].size if cube.memory < len(loadable.memories) else 0
    packed = round_up(lanes, atom) * cube.height * cube.width
    # a cube that takes less room than it has elements would be a way to ask for any amount of memory
    if cube.offset + extent > room or packed > extent or channels > lanes:
        raise LoadableError(
            f'{loadable.name}: tensor "{cube.tensor}" is noted as {channels}x{cube.height}x{cube.width} at '
            f"byte {cube.offset} of memory {cube.memory}, where it does not fit"
        )
    raw = buffers.ports.dram.view(buffers.base(cube.memory) + cube.offset, extent)
    channel_lanes = np.concatenate([np.arange(first, first + count) for first, count in cube.lanes])
    return lambda: unpack_feature(raw, lanes, *size, atom, cube.line, cube.surf)[channel_lanes]
