"""Flatten: the same memory seen as a 1x1 cube.

The surfaces of a cube without gaps lie pixel behind pixel, so each pixel of each surface is a surface of the
1x1 cube; the channels are in other lanes then, and nothing moves.
"""

from __future__ import annotations

import numpy as np

from nvdla_sim.compiler.lower.convolve import copy_channels, features
from nvdla_sim.compiler.lower.lowering import Lowering, Tensor
from nvdla_sim.compiler.program import Cube
from nvdla_sim.compiler.steps import Step


def lower(step: Step, to: Lowering) -> None:
    node = step.head
    flat = flattened(features(to, node.inputs[0]), to.graph.tensors[node.inputs[0]].chw, to.config.atom)
    if node.outputs[0] in to.graph.outputs:
        copy_channels(to, node.name, flat, node.outputs[0])
    else:
        to.tensors[node.outputs[0]] = flat


def flattened(tensor: Tensor, shape: tuple[int, int, int], atom: int) -> Tensor:
    """The elements of a CHW tensor in their order as the channels of a 1x1 tensor."""
    channels, height, width = shape
    pixels = height * width
    cube = tensor.cube
    lane = np.arange(channels) if tensor.lanes is None else tensor.lanes
    surface, lane = np.divmod(lane, atom)
    lanes = ((surface[:, None] * pixels + np.arange(pixels)) * atom + lane[:, None]).reshape(-1)
    surfaces = -(-cube.channels // atom) * pixels
    flat = Cube(cube.buffer, surfaces * atom, 1, 1, atom, atom, cube.offset)
    return Tensor(flat, tensor.scale, lanes)
