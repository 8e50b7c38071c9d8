"""Softmax -> the driver's CPU emulator, which walks the channels of one pixel, byte behind byte.

With more than one pixel each is an operation of its own. Where the channels fill several surfaces, copies put
those of a pixel behind each other first, and back afterwards.

Source: compiler-facts section 3.
"""

from __future__ import annotations

from dataclasses import replace

from nvdla_sim.compiler.lower.convolve import features
from nvdla_sim.compiler.lower.lowering import Lowering
from nvdla_sim.compiler.lower.spread import copy
from nvdla_sim.compiler.lower.views import without_gaps
from nvdla_sim.compiler.program import Cube, Softmax
from nvdla_sim.compiler.steps import Step


def lower(step: Step, to: Lowering) -> None:
    node, atom = step.head, to.config.atom
    source = without_gaps(to, node.name, features(to, node.inputs[0], in_order=True))
    dest = to.destination(node.outputs[0])
    src, dst = source.cube, dest.cube
    pixels, surfaces = src.height * src.width, -(-src.channels // atom)
    regroup = pixels > 1 and surfaces > 1
    if regroup:
        size = (src.channels, src.height, src.width)
        src, dst = to.scratch(*size, source.scale).cube, to.scratch(*size, dest.scale).cube
        for surface in range(surfaces):
            copy(to, node.name, _plane(source.cube, surface, atom), _interleaved(src, surface, atom))
    for pixel in range(pixels):
        place = pixel * surfaces * atom
        one = [
            replace(cube, height=1, width=1, line=atom, surf=atom, offset=cube.offset + place)
            for cube in (src, dst)
        ]
        to.emit(Softmax(node.name, one[0], one[1], float(source.scale), float(dest.scale)))
    if regroup:
        for surface in range(surfaces):
            copy(to, node.name, _interleaved(dst, surface, atom), _plane(dest.cube, surface, atom))


def _plane(cube: Cube, surface: int, atom: int) -> Cube:
    """One surface of a cube without gaps as a column of pixels."""
    lane = surface * atom
    plane = cube.lanes(lane, min(atom, cube.channels - lane), atom)
    return replace(plane, height=cube.height * cube.width, width=1, line=atom)


def _interleaved(cube: Cube, surface: int, atom: int) -> Cube:
    """The same column where each pixel's surfaces lie behind each other."""
    surfaces = -(-cube.channels // atom)
    plane = _plane(cube, surface, atom)
    return replace(plane, line=surfaces * atom, offset=cube.offset + surface * atom)
