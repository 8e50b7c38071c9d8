"""Deconvolution -> for each phase of the stride an ordinary convolution; their pixels are written apart.

Along an axis with stride S, kernel k and pad P, output o = o0 + u*S of phase r is a convolution of stride 1
with the taps r, r+S, .. in reverse. The convolutions of one column phase write every S-th row themselves; a
copy for each column phase spreads the columns.

Source: compiler-facts section 8.9, recipes section 2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nvdla_sim.compiler.lower import fused
from nvdla_sim.compiler.lower.convolution import quantise
from nvdla_sim.compiler.lower.convolve import convolve_into, features
from nvdla_sim.compiler.lower.lowering import Lowering
from nvdla_sim.compiler.lower.spread import copy, copy_columns, every_row
from nvdla_sim.compiler.program import Cube, Pads, Pair, Post, Tensor
from nvdla_sim.compiler.steps import Step
from nvdla_sim.compiler.tile import Geometry
from nvdla_sim.graph.operator import Array
from nvdla_sim.graph.ops.deconvolution import Deconvolution
from nvdla_sim.hw.formats import Int8


@dataclass(frozen=True)
class Phase:
    """A phase along one axis: its outputs ``first + u * stride``, u < ``count``, read ``taps`` in reverse."""

    first: int
    count: int
    taps: slice
    before: int  # rows or columns of padding before the source; negative: source that is skipped


def lower(step: Step, to: Lowering) -> None:
    node, op = step.head, step.head.op
    assert isinstance(op, Deconvolution)
    source = features(to, node.inputs[0])
    weights = _dilated(_kernels_first(node.params["weight"], op.group), op.dilation)
    scale = to.scales[step.output]
    quantised, values = quantise(node, weights, source.scale, scale, to.per_filter)
    if fused.stays_apart(values, step.followers, scale, to.config):
        alone, rest = step.apart()
        lower(alone, to)
        fused.lower(rest, to)
        return
    post = fused.post_for(values, step.followers, step.output, to)
    deconvolve(to, node.name, source, quantised.values, op.stride, op.pad, post, step.output, op.group)


def deconvolve(
    to: Lowering,
    layer: str,
    source: Tensor,
    weights: Int8,
    stride: Pair,
    pad: Pair,
    post: Post,
    name: str,
    group: int,
) -> None:
    """``weights``: int8 [K, channels of a group, y, x], in Caffe's direction."""
    weights = _at_least(weights, stride)
    _, height, width = to.graph.tensors[name].chw
    rows = phases(weights.shape[2], stride[0], pad[0], height)
    columns = phases(weights.shape[3], stride[1], pad[1], width)
    kernels, each = weights.shape[0], -(-width // stride[1])
    spread = len(columns) > 1  # a single column is of a single phase, and has no place beside it
    direct = not spread or each * stride[1] == width
    if direct:
        whole = to.destination(name).cube
    else:
        whole = to.scratch(kernels, height, each * stride[1], to.scales[name]).cube
    for column in columns:
        part = whole
        if spread:
            part = to.scratch(kernels, height, each, to.scales[name]).cube
        for row in rows:
            dest = every_row(part, stride[0], row.first, row.count)
            _convolve_phase(to, layer, source, weights, row, replace(column, count=each), post, dest, group)
        if spread:
            copy_columns(to, layer, part, whole, stride[1], column.first)
    if not direct:
        wide = Tensor(replace(whole, width=width), to.scales[name])
        if name in to.graph.outputs or name in to.places:
            copy(to, layer, wide.cube, to.destination(name).cube)
        else:
            to.tensors[name] = wide


def phases(kernel: int, stride: int, pad: int, outputs: int) -> list[Phase]:
    """The phases along one axis that have outputs; ``kernel`` >= ``stride``."""
    found = []
    for tap in range(stride):
        taps = slice(tap, kernel, stride)
        skipped = -(-(pad - tap) // stride)  # of the outputs of this phase, those before the first one
        first = skipped * stride + tap - pad
        if first < outputs:
            count = -(-(outputs - first) // stride)
            found.append(Phase(first, count, taps, len(range(tap, kernel, stride)) - 1 - skipped))
    return found


def _convolve_phase(
    to: Lowering,
    layer: str,
    source: Tensor,
    weights: Int8,
    row: Phase,
    column: Phase,
    post: Post,
    dest: Cube,
    group: int,
) -> None:
    taps = weights[:, :, row.taps, column.taps][:, :, ::-1, ::-1]
    cube, before, after = source.cube, [], []
    for axis, (phase, length) in enumerate(((row, cube.height), (column, cube.width))):
        skip, pad = max(0, -phase.before), max(0, phase.before)
        reach = phase.count - 1 + taps.shape[2 + axis] - pad  # rows or columns of the source, and padding
        used = min(length - skip, reach)
        before.append(pad)
        after.append(reach - used)
        if axis == 0:
            cube = cube.rows(skip, used)
        else:
            cube = cube.columns(skip, used, to.config.atom)
    geometry = Geometry((taps.shape[2], taps.shape[3]), pads=Pads(before[0], before[1], after[0], after[1]))
    dest = replace(dest, width=column.count)
    view = replace(source, cube=cube)
    convolve_into(to, layer, view, taps, geometry, post, dest, group)


def _kernels_first(weights: Array, group: int) -> Array:
    """Caffe's [C, K of a group, y, x] -> [K, C of a group, y, x]."""
    channels, each, *window = weights.shape
    split = weights.reshape(group, channels // group, each, *window)
    return split.swapaxes(1, 2).reshape(group * each, channels // group, *window)


def _at_least(weights: Int8, size: Pair) -> Int8:
    """The kernel with zeros behind it up to this size, so that every phase has a tap."""
    wide = np.zeros((*weights.shape[:2], *np.maximum(weights.shape[2:], size)), np.int8)
    wide[:, :, : weights.shape[2], : weights.shape[3]] = weights
    return wide


def _dilated(weights: Array, dilation: Pair) -> Array:
    """The kernel with zeros between its taps."""
    if dilation == (1, 1):
        return weights
    height, width = ((size - 1) * step + 1 for size, step in zip(weights.shape[2:], dilation, strict=True))
    wide = np.zeros((*weights.shape[:2], height, width), weights.dtype)
    wide[:, :, :: dilation[0], :: dilation[1]] = weights
    return wide
