"""Pooling -> PDP, or a convolution with ones where PDP cannot do it.

PDP keeps the scale: its output's int8 steps are the input's. Its kernels end at 8, so a larger maximum is a
chain of smaller ones. Its averages divide by the kernel's area, so any other average is a depthwise
convolution with ones, which sums exactly, rounds once and has a scale of its own; and so is one that needs
far finer steps than its input has. The average of a plane too large for that is an average of averages.

Source: compiler-facts sections 6.4, 8.3, 8.13 and 9.1, recipes section 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.compiler.lower.convolve import (
    convolve,
    convolve_into,
    cuts_kernels,
    features,
    features_for,
)
from nvdla_sim.compiler.lower.lowering import MAX_SIZE, Lowering
from nvdla_sim.compiler.program import Converter, Cube, Pads, Pair, Pdp, Post, Stage, Tensor
from nvdla_sim.compiler.scaling import multiplier, multipliers
from nvdla_sim.compiler.steps import Step
from nvdla_sim.compiler.tile import Geometry
from nvdla_sim.errors import UnsupportedError
from nvdla_sim.graph.graph import Graph, Node
from nvdla_sim.graph.ops.concat import Concat
from nvdla_sim.graph.ops.pooling import Pooling
from nvdla_sim.hw.config import Config
from nvdla_sim.hw.formats import Int8
from nvdla_sim.loadable import descriptors
from nvdla_sim.loadable.enums import PoolMode

PDP_KERNEL = 8
PDP_PAD = 7
MAX_KERNEL = 32  # of a convolution
MAX_STRIDE = 8  # of a convolution
FINER = 2  # times that an average's own steps must be finer to be worth a convolution
FEW_BYTES = 8192  # that it may always add to a loadable
SMALL_PART = 20  # besides, one byte for so many weights of the net
REPEATED_BYTES = 3072  # of weights that are equal at every tap
OPERATION_BYTES = descriptors.DEP_GRAPH_STRIDE + descriptors.OP_STRIDE + descriptors.SURFACE_STRIDE
PDP_PART = 1024  # source columns of one part of a split row


def keeps_scale(node: Node, graph: Graph) -> bool:
    """Whether the layer's output can have its input's scale: where PDP can make it."""
    op = _op(node)
    source, dest = (graph.tensors[name].chw for name in (node.inputs[0], node.outputs[0]))
    return op.method == "MAX" or bool(_average_chain(op, source, dest))


def needs_own_scale(
    node: Node, graph: Graph, given: Mapping[str, np.float32], in_scale: np.float32, config: Config
) -> bool:
    """Whether an average that PDP could make is worth a convolution with the scale that the table gives it.

    Averages are smaller than what they are made of, so their own steps can be far finer. The convolution must
    not make a loadable much larger, unless PDP would round twice, and a window's rows must fit the buffer.
    """
    op = _op(node)
    if op.method == "MAX" or max(op.kernel) > MAX_KERNEL:
        return False
    _, _, width = graph.tensors[node.inputs[0]].chw
    one = config.atom * op.kernel[0] * op.kernel[1]  # kernel's weights
    half = config.cbuf_bytes // 2
    folded = _folded_plane(op, graph.tensors[node.inputs[0]].chw)
    surfaces = 1 if folded else _surfaces(graph, node.inputs[0], config.atom)
    operations = surfaces * -(-config.atom * one // half)
    size = operations * 2 * OPERATION_BYTES + min(config.atom * one, REPEATED_BYTES)
    others = sum(int(np.prod(params.shape)) for other in graph.nodes for params in other.params.values())
    return (
        bool(in_scale > FINER * given[node.outputs[0]])
        and (max(op.kernel) > PDP_KERNEL or size <= FEW_BYTES + others // SMALL_PART)
        and one + config.atom * width * op.kernel[0] <= half
    )


def _folded_plane(op: Pooling, source: tuple[int, int, int]) -> Pair | None:
    """Height and width of as many elements as the plane has, if that is what an average is taken over.

    Planes that lie one behind the other are a column of that width, and the height is the stride.
    """
    elements = source[1] * source[2]
    if op.kernel == source[1:] and max(op.pad) == 0:
        for height in range(MAX_STRIDE, 0, -1):
            if elements % height == 0 and elements // height <= MAX_KERNEL:
                return height, elements // height
    return None


def _surfaces(graph: Graph, name: str, atom: int) -> int:
    """Of a tensor in memory, where each part of a concatenation begins a new one."""
    maker = graph.producer(name)
    parts = maker.inputs if maker is not None and isinstance(maker.op, Concat) else (name,)
    return sum(-(-graph.tensors[part].chw[0] // atom) for part in parts)


def _average_chain(op: Pooling, source: tuple[int, int, int], dest: tuple[int, int, int]) -> list[Pair]:
    """Kernels of one PDP average after the other; empty where PDP cannot make it."""
    if np.any(_areas(op, source, dest) != op.kernel[0] * op.kernel[1]):
        return []
    if max(op.kernel) <= PDP_KERNEL and max(op.pad) <= PDP_PAD:
        return [op.kernel]
    if dest[1:] != (1, 1) or max(op.pad) > 0:
        return []
    for height in range(PDP_KERNEL, 0, -1):
        for width in range(PDP_KERNEL, 0, -1):
            rest = (op.kernel[0] / height, op.kernel[1] / width)
            if max(rest) <= PDP_KERNEL and all(size.is_integer() for size in rest):
                return [(height, width), (int(rest[0]), int(rest[1]))]
    return []


def real_stride(op: Pooling, dest: tuple[int, int, int]) -> Pair:
    """The stride, 1 along an axis that has a single window."""
    return op.stride[0] if dest[1] > 1 else 1, op.stride[1] if dest[2] > 1 else 1


def lower(step: Step, to: Lowering) -> None:
    """Lanes that no channel uses are pooled along with the others."""
    node, op = step.head, _op(step.head)
    if op.method == "MAX":
        _maximum(node, op, to)
    elif keeps_scale(node, to.graph) and to.scales[node.outputs[0]] == to.scales[node.inputs[0]]:
        _pdp_average(node, op, to)
    else:
        _average(node, op, to)


def _maximum(node: Node, op: Pooling, to: Lowering) -> None:
    """A window of 8 + 7 + 7 .. elements is a window of 8 over windows of 8: the last one has the stride."""
    source = features_for(to, node.inputs[0], node.outputs[0])
    dest = to.destination(node.outputs[0], source.lanes)
    cube = source.cube
    count = max(1, -(-(max(op.kernel) - 1) // (PDP_KERNEL - 1)))
    parts = list(zip(*(_chain(k, p, count) for k, p in zip(op.kernel, op.pad, strict=True)), strict=True))
    for (kernel_y, pad_y), (kernel_x, pad_x) in parts[:-1]:
        # every position whose window reaches into the source
        height, width = cube.height + pad_y, cube.width + pad_x
        between = to.scratch(dest.cube.channels, height, width, source.scale).cube
        _pdp(to, node.name, cube, between, PoolMode.MAX, (kernel_y, kernel_x), (1, 1), (pad_y, pad_x))
        cube = between
    (kernel_y, pad_y), (kernel_x, pad_x) = parts[-1]
    stride = real_stride(op, to.graph.tensors[node.outputs[0]].chw)
    _pdp(to, node.name, cube, dest.cube, PoolMode.MAX, (kernel_y, kernel_x), stride, (pad_y, pad_x))


def _pdp_average(node: Node, op: Pooling, to: Lowering) -> None:
    """One average, or the average of averages that do not overlap."""
    source = features_for(to, node.inputs[0], node.outputs[0])
    dest = to.destination(node.outputs[0], source.lanes)
    shapes = [to.graph.tensors[name].chw for name in (node.inputs[0], node.outputs[0])]
    first, *rest = _average_chain(op, shapes[0], shapes[1])
    cube, stride = source.cube, real_stride(op, shapes[1])
    if rest:
        between = to.scratch(dest.cube.channels, *rest[0], source.scale).cube
        _pdp(to, node.name, cube, between, PoolMode.AVG, first, first, (0, 0))
        cube, first, stride = between, rest[0], (1, 1)
    _pdp(to, node.name, cube, dest.cube, PoolMode.AVG, first, stride, op.pad)


def _chain(kernel: int, pad: int, count: int) -> list[Pair]:
    """Kernels and pads of ``count`` windows over each other that reach as far as one; the pad goes first."""
    parts = []
    reach = kernel - 1
    for _ in range(count):
        step = min(reach, PDP_KERNEL - 1)
        parts.append((step + 1, min(pad, step)))
        reach -= step
        pad -= min(pad, step)
    return parts


def _pdp(
    to: Lowering, layer: str, source: Cube, dest: Cube, mode: PoolMode, kernel: Pair, stride: Pair, pad: Pair
) -> None:
    """One PDP operation; ``source`` is cut, or padded, to where the last window ends."""
    (height, bottom), (width, right) = (
        _fit(size, count, k, s, p)
        for size, count, k, s, p in zip(
            (source.height, source.width), (dest.height, dest.width), kernel, stride, pad, strict=True
        )
    )
    src = replace(source, channels=dest.channels, height=height, width=width)
    pads = Pads(pad[0], pad[1], bottom, right)
    parts = _width_parts(to.config, dest.width, kernel, stride, pads)
    to.emit(Pdp(layer, src, dest, mode, kernel, stride, pads, parts))


def _fit(size: int, count: int, kernel: int, stride: int, pad: int) -> Pair:
    """Source size and padding behind it such that the last of ``count`` windows ends exactly there."""
    needed = (count - 1) * stride + kernel - pad
    return min(size, needed), max(0, needed - size)


def _width_parts(config: Config, width: int, kernel: Pair, stride: Pair, pads: Pads) -> tuple[Pair, ...]:
    """(source, output) widths of the parts of a row that the engine's line buffer cannot hold at once."""
    lines = (1, 1, 2, 4, 4, 8, 8, 8, 8)[-(-kernel[0] // stride[0])]
    largest = 7 * 1024 * 8 // (lines * config.atomic_k * 14)
    largest = min(largest, (PDP_PART - kernel[1]) // stride[1] + 1)
    if width <= largest:
        return ()
    for count in range(-(-width // largest), width):
        each = width // count
        last = width - (count - 1) * each
        # columns that a part shares with the one before are not counted
        end = last * stride[1] - pads.right
        if last <= largest and end > 0:
            first = (each - 1) * stride[1] + kernel[1] - pads.left
            return ((first, each), *((each * stride[1], each),) * (count - 2), (end, last))
    raise AssertionError("a part of one column always fits")


def _average(node: Node, op: Pooling, to: Lowering) -> None:
    """Sums by a convolution with ones, then one multiplication by 1 / area for each position."""
    source = features(to, node.inputs[0])
    shape, (_, height, width) = (to.graph.tensors[name].chw for name in (node.inputs[0], node.outputs[0]))
    areas = _areas(op, shape, (shape[0], height, width))
    factors = source.scale / (areas * to.scales[node.outputs[0]])
    what = f'layer "{node.name}"'
    if areas.min() == areas.max():
        post = Post(out=Converter(*multiplier(float(factors[0, 0]), what)))
    else:
        muls, truncate = multipliers(factors.reshape(-1), what)
        each = np.broadcast_to(muls.reshape(1, height, width), (shape[0], height, width))
        post = Post(Stage(mul=each, truncate=truncate))
    ones = np.ones((shape[0], 1, *op.kernel), np.int8)
    top, left = op.pad
    if (plane := _folded_plane(op, shape)) and _sums_of_planes(to, node, source, plane, post):
        return
    stride = real_stride(op, (shape[0], height, width))
    (rows, bottom), (columns, right) = (
        _fit(size, count, k, s, p)
        for size, count, k, s, p in zip(shape[1:], (height, width), op.kernel, stride, op.pad, strict=True)
    )
    source = replace(source, cube=replace(source.cube, height=rows, width=columns))
    geometry = Geometry(op.kernel, stride, (1, 1), Pads(top, left, bottom, right))
    _sums(to, node, source, ones, geometry, post)


def _sums_of_planes(to: Lowering, node: Node, source: Tensor, plane: Pair, post: Post) -> bool:
    """One operation for all surfaces, if they lie one behind the other: a column, whose windows they are."""
    cube, atom, output = source.cube, to.config.atom, node.outputs[0]
    surfaces = -(-cube.channels // atom)
    height, width = plane
    packed = (cube.line, cube.surf) == (cube.width * atom, cube.width * cube.height * atom)
    in_order = source.lanes is None or output not in to.graph.outputs
    if not packed or not in_order or surfaces * height > MAX_SIZE:
        return False
    column = Cube(
        cube.buffer, atom, surfaces * height, width, width * atom, surfaces * cube.surf, cube.offset
    )
    work = Tensor(column, source.scale), np.ones((atom, 1, *plane), np.int8), Geometry(plane, (height, 1))
    try:
        if cuts_kernels(to, *work, group=atom):
            return False
    except UnsupportedError:
        return False
    dest = to.destination(output, source.lanes).cube
    sums = replace(dest, channels=atom, height=surfaces, surf=surfaces * atom)
    convolve_into(to, node.name, *work, post, sums, group=atom)
    return True


def _sums(to: Lowering, node: Node, source: Tensor, ones: Int8, geometry: Geometry, post: Post) -> None:
    """Where lanes are unused they are summed up along with the others: all surfaces have the same weights."""
    output, count = node.outputs[0], source.cube.channels
    if source.lanes is not None and output not in to.graph.outputs:
        every = replace(source, lanes=None), np.ones((count, *ones.shape[1:]), np.int8), geometry
        if not cuts_kernels(to, *every, group=count):
            dest = to.destination(output, source.lanes)
            convolve_into(to, node.name, *every, post.in_lanes(source.lanes), dest.cube, group=count)
            return
    convolve(to, node.name, source, ones, geometry, post, output, group=ones.shape[0])


def _areas(op: Pooling, source: tuple[int, int, int], dest: tuple[int, int, int]) -> NDArray[np.float32]:
    """What Caffe divides each position's sum by, [H, W]: padding counts, what lies beyond it does not."""
    sides = []
    for axis in (0, 1):
        start = np.arange(dest[1 + axis]) * op.stride[axis] - op.pad[axis]
        end = np.minimum(start + op.kernel[axis], source[1 + axis] + op.pad[axis])
        sides.append((end - start).astype(np.float32))
    return sides[0][:, None] * sides[1]


def _op(node: Node) -> Pooling:
    assert isinstance(node.op, Pooling)
    return node.op
