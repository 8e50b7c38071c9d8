"""Which surfaces each operation of a convolution reads and writes.

Each operation takes whole surfaces and gives whole surfaces. A grouped convolution becomes one operation for
all output surfaces that need the same input surfaces, with zeros where a kernel does not look.

Source: compiler-facts sections 8.1 and 8.15.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from nvdla_sim.compiler.lower.lowering import Lowering, Tensor
from nvdla_sim.compiler.program import Cube, IntArray
from nvdla_sim.compiler.tile import Demand, Geometry, Plan, plan
from nvdla_sim.errors import UnsupportedError
from nvdla_sim.hw.config import Config
from nvdla_sim.hw.formats import Int8


@dataclass(frozen=True)
class Block:
    """Kernels that read the same surfaces. ``weights``: int8 KCRS over the channels of ``src``."""

    kernels: slice
    src: Cube
    weights: Int8
    cut: Plan


def split_blocks(
    to: Lowering, layer: str, source: Tensor, weights: Int8, geometry: Geometry, group: int = 1
) -> Iterator[Block]:
    """``weights``: int8 KCRS over the real channels of a group.

    Raises ``UnsupportedError`` naming the layer for a kernel that the buffer cannot hold.
    """
    config, cube, atom = to.config, source.cube, to.config.atom
    kernels = weights.shape[0]

    def block(part: slice, src: Cube, values: Int8) -> Block:
        return Block(part, src, values, plan(config, _demand(layer, src, part, geometry, source.image)))

    if source.image:
        yield block(slice(0, kernels), cube, weights)
        return
    lanes = np.arange(weights.shape[1] * group) if source.lanes is None else source.lanes
    for part, groups in _shared_inputs(lanes, kernels, group, atom):
        channels = lanes[_channels(groups, weights)]
        first = int(channels.min()) // atom * atom
        values = _dense(weights, part, groups, kernels // group, channels - first)
        src = replace(cube.lanes(first, values.shape[1], atom), channels=values.shape[1])
        yield block(part, src, values)


def takes_picture(config: Config, picture: Cube, kernels: int, geometry: Geometry) -> bool:
    """Whether a picture's rows under a kernel fit the buffer: pictures are not cut by columns."""
    try:
        plan(config, _demand("", picture, slice(0, kernels), geometry, image=True))
    except UnsupportedError:
        return False
    return True


def _demand(layer: str, src: Cube, kernels: slice, geometry: Geometry, image: bool) -> Demand:
    count = kernels.stop - kernels.start
    return Demand(f'layer "{layer}"', geometry, src.channels, src.height, src.width, count, image)


def _shared_inputs(lanes: IntArray, kernels: int, group: int, atom: int) -> list[tuple[slice, range]]:
    """Kernels by whole output surfaces, with their groups; neighbours that read the same surfaces are one."""
    per_group, channels = kernels // group, lanes.size // group
    parts: list[tuple[slice, range]] = []
    spans: list[tuple[int, int]] = []
    for start in range(0, kernels, atom):
        stop = min(start + atom, kernels)
        groups = range(start // per_group, (stop - 1) // per_group + 1)
        needed = lanes[groups.start * channels : groups.stop * channels] // atom
        span = (int(needed.min()), int(needed.max()))
        if spans and spans[-1] == span:
            before, first = parts[-1]
            parts[-1] = slice(before.start, stop), range(first.start, groups.stop)
        else:
            parts.append((slice(start, stop), groups))
            spans.append(span)
    return parts


def _channels(groups: range, weights: Int8) -> slice:
    return slice(groups.start * weights.shape[1], groups.stop * weights.shape[1])


def _dense(weights: Int8, part: slice, groups: range, per_group: int, channels: IntArray) -> Int8:
    """The weights of some kernels over all lanes they share; ``channels``: the lane of each channel."""
    own = weights.shape[1]
    if len(groups) == 1 and np.array_equal(channels, np.arange(own)):
        return weights[part]
    dense = np.zeros((part.stop - part.start, int(channels.max()) + 1, *weights.shape[2:]), np.int8)
    for position, member in enumerate(groups):
        first, last = max(part.start, member * per_group), min(part.stop, (member + 1) * per_group)
        kernels = slice(first - part.start, last - part.start)
        dense[kernels, channels[position * own : (position + 1) * own]] = weights[first:last]
    return dense


def result_lanes(blocks: list[Block], atom: int) -> IntArray | None:
    """Where the kernels' results go: each piece of kernels starts a surface. None: to their own lanes."""
    lanes, surface = [], 0
    for block in blocks:
        for piece in block.cut.kernels:
            count = piece.stop - piece.start
            lanes.append(np.arange(count) + surface * atom)
            surface += -(-count // atom)
    joined = np.concatenate(lanes)
    return None if np.array_equal(joined, np.arange(joined.size)) else joined
