"""The same memory seen as another tensor: what only cuts, reorders or reshapes costs nothing.

Channels may be in any lanes, so any choice and order of channels is a view. A part of the rows and columns is
one too, and the pixels of a cube without gaps are the surfaces of a 1x1 cube.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nvdla_sim.compiler.lower.convolve import copy_channels
from nvdla_sim.compiler.lower.lowering import Lowering, Order
from nvdla_sim.compiler.program import NO_PADS, Cube, IntArray, Pdp, Tensor
from nvdla_sim.loadable.enums import PoolMode


def publish(to: Lowering, layer: str, view: Tensor, name: str) -> None:
    """Make ``view`` the graph's tensor ``name``; a network output needs memory of its own."""
    if name in to.graph.outputs:
        copy_channels(to, layer, view, name)
    else:
        to.tensors[name] = view


def choose_channels(tensor: Tensor, channels: IntArray, atom: int) -> Tensor:
    """The given channels in the given order."""
    lanes = channels if tensor.lanes is None else tensor.lanes[channels]
    first = int(lanes.min()) // atom * atom
    lanes = lanes - first
    cube = tensor.cube.lanes(first, int(lanes.max()) + 1, atom)
    in_order = np.array_equal(lanes, np.arange(lanes.size))
    return replace(tensor, cube=cube, lanes=None if in_order else lanes)


def cut_window(
    to: Lowering, layer: str, tensor: Tensor, top: int, left: int, height: int, width: int
) -> Tensor:
    """A part of the rows and columns; a single pixel is copied, as the SDP reads one without gaps only."""
    cube = tensor.cube.rows(top, height).columns(left, width, to.config.atom)
    view = replace(tensor, cube=cube)
    return without_gaps(to, layer, view) if height == width == 1 else view


def without_gaps(to: Lowering, layer: str, tensor: Tensor) -> Tensor:
    """The tensor in a cube without gaps between rows and surfaces: copied by PDP where it has some."""
    cube, atom = tensor.cube, to.config.atom
    if (cube.line, cube.surf) == (cube.width * atom, cube.width * cube.height * atom):
        return tensor
    copy = to.scratch(cube.channels, cube.height, cube.width, tensor.scale, tensor.lanes)
    to.emit(Pdp(layer, cube, copy.cube, PoolMode.MAX, (1, 1), (1, 1), NO_PADS))
    return copy


def flattened(to: Lowering, layer: str, tensor: Tensor, shape: tuple[int, int, int], order: Order) -> Tensor:
    """The elements of a CHW tensor, in the order of these axes, as the channels of a 1x1 one."""
    tensor = without_gaps(to, layer, tensor)
    channels, height, width = shape
    cube, atom = tensor.cube, to.config.atom
    lane = np.arange(channels) if tensor.lanes is None else tensor.lanes
    surface, lane = np.divmod(lane, atom)
    pixels = np.arange(height * width).reshape(1, height, width)
    each = (surface[:, None, None] * (height * width) + pixels) * atom + lane[:, None, None]
    surfaces = -(-cube.channels // atom) * height * width
    flat = Cube(cube.buffer, surfaces * atom, 1, 1, atom, atom, cube.offset)
    return Tensor(flat, tensor.scale, each.transpose(order).reshape(-1))
