"""PDP, the planar data processor: maximum, minimum and average pooling.

Source: hardware-facts 5.1, checked against the chip's model.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import reduce
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.hw.config import Config
from nvdla_sim.hw.fixed_point import round_shift, sign_extend, wrap
from nvdla_sim.hw.memory import Ports
from nvdla_sim.hw.program import Group, Problems, Registers, group, itemsize, require_same
from nvdla_sim.hw.surface import Surface

Int64 = NDArray[np.int64]


class PoolingMethod(IntEnum):
    AVERAGE = 0
    MAX = 1
    MIN = 2


@dataclass(frozen=True)
class PdpLayer:
    """One PDP layer. Sizes are elements, strides and item sizes bytes."""

    method: PoolingMethod
    width: int
    height: int
    channels: int
    out_width: int
    out_height: int
    itemsize: int
    kernel_width: int
    kernel_height: int
    stride_x: int
    stride_y: int
    pad_left: int
    pad_right: int
    pad_top: int
    pad_bottom: int
    pad_sums: tuple[int, ...]  # [n]: what n padding elements add to an average's sum; [0] = 0
    recip_width: int  # about 65536 / kernel width
    recip_height: int
    source: Surface | None  # None: SDP's stream
    destination: Surface


# Bits of PAD_VALUE_1X .. 7X that count, by item size.
_PAD_BITS = {1: (8, 9, 10, 10, 11, 11, 11), 2: (16, 17, 18, 18, 19, 19, 19)}


def decode(config: Config, pdp: Registers, rdma: Registers | None) -> PdpLayer:
    """The layer in PDP's register group and its read DMA's (None: it was not enabled).

    Raises ``ProgramError`` with everything the chip would refuse, hang on or compute nonsense with, and
    ``UnsupportedError`` for fp16.
    """
    problems = Problems("PDP")
    core = group(config, "PDP", pdp)
    x = _axis(core, "WIDTH", "LEFT", "RIGHT", problems)
    y = _axis(core, "HEIGHT", "TOP", "BOTTOM", problems)
    channels = core.size("D_DATA_CUBE_IN_CHANNEL.CUBE_IN_CHANNEL")
    out_channels = core.size("D_DATA_CUBE_OUT_CHANNEL.CUBE_OUT_CHANNEL")
    item = itemsize(config, core["D_DATA_FORMAT.INPUT_DATA"], "PDP INPUT_DATA", problems)
    surfaces, out_surfaces = (-(-c * item // config.atom) for c in (channels, out_channels))
    problems.require(
        surfaces == out_surfaces, f"CUBE_OUT_CHANNEL = {out_channels}: pooling keeps {channels} channels"
    )
    method = core["D_OPERATION_MODE_CFG.POOLING_METHOD"]
    problems.require(method <= PoolingMethod.MIN, f"POOLING_METHOD = {method}: average 0, max 1, min 2")
    flying = core["D_OPERATION_MODE_CFG.FLYING_MODE"] == 0
    if core["D_OPERATION_MODE_CFG.SPLIT_NUM"] > 0:
        problems.require(not flying, "SPLIT_NUM: no split on the fly")
        _check_split(core, x, problems)
    problems.require(flying or rdma is not None, "the source is in memory but PDP_RDMA is not enabled")
    source = None
    if not flying and rdma is not None:
        source = _source(core, group(config, "PDP_RDMA", rdma), problems)
        problems.require(
            not source.overlaps_itself(surfaces, y.size, x.size, config.atom),
            f"the source of {x.size}x{y.size}x{channels} at {source} overlaps itself",
        )
    destination = core.surface("DST", "D_DST_RAM_CFG.DST_RAM_TYPE")
    problems.require(
        not destination.overlaps_itself(surfaces, y.out_size, x.out_size, config.atom),
        f"the destination of {x.out_size}x{y.out_size}x{channels} at {destination} overlaps itself",
    )
    problems.stop()
    pads = (core[f"D_POOLING_PADDING_VALUE_{n}_CFG.PAD_VALUE_{n}X"] for n in range(1, 8))
    pad_sums = (int(sign_extend(pad, bits)) for pad, bits in zip(pads, _PAD_BITS[item], strict=True))
    return PdpLayer(
        method=PoolingMethod(method),
        width=x.size,
        height=y.size,
        channels=channels,
        out_width=x.out_size,
        out_height=y.out_size,
        itemsize=item,
        kernel_width=x.kernel,
        kernel_height=y.kernel,
        stride_x=x.stride,
        stride_y=y.stride,
        pad_left=x.pad_before,
        pad_right=x.pad_after,
        pad_top=y.pad_before,
        pad_bottom=y.pad_after,
        pad_sums=(0, *pad_sums),
        recip_width=core["D_RECIP_KERNEL_WIDTH.RECIP_KERNEL_WIDTH"],
        recip_height=core["D_RECIP_KERNEL_HEIGHT.RECIP_KERNEL_HEIGHT"],
        source=source,
        destination=destination,
    )


class _Axis(NamedTuple):
    """The geometry along x or y."""

    size: int
    out_size: int
    kernel: int
    stride: int
    pad_before: int
    pad_after: int


def _axis(core: Group, name: str, before: str, after: str, problems: Problems) -> _Axis:
    """Read and check one axis; ``name``, ``before`` and ``after`` are the registers' words for it."""
    axis = _Axis(
        size=core.size(f"D_DATA_CUBE_IN_{name}.CUBE_IN_{name}"),
        out_size=core.size(f"D_DATA_CUBE_OUT_{name}.CUBE_OUT_{name}"),
        kernel=core.size(f"D_POOLING_KERNEL_CFG.KERNEL_{name}"),
        stride=core.size(f"D_POOLING_KERNEL_CFG.KERNEL_STRIDE_{name}"),
        pad_before=core[f"D_POOLING_PADDING_CFG.PAD_{before}"],
        pad_after=core[f"D_POOLING_PADDING_CFG.PAD_{after}"],
    )
    problems.require(axis.kernel <= 8, f"KERNEL_{name} = {axis.kernel}: a kernel has 1 to 8 elements")
    for side, pad in ((before, axis.pad_before), (after, axis.pad_after)):
        problems.require(
            pad < axis.kernel, f"PAD_{side} = {pad}: must be less than the kernel, {axis.kernel}"
        )
    padding = axis.pad_before + axis.pad_after
    fits = (axis.size + padding - axis.kernel) // axis.stride + 1
    problems.require(
        axis.size + padding >= axis.kernel and axis.out_size == fits,
        f"CUBE_OUT_{name} = {axis.out_size}: {axis.size} + {padding} padding with kernel {axis.kernel} and "
        f"stride {axis.stride} gives {max(fits, 0)}",
    )
    return axis


def _check_split(core: Group, x: _Axis, problems: Problems) -> None:
    """The parts that the width is split into must tile it: then the result is that of the whole width."""
    parts = core.size("D_OPERATION_MODE_CFG.SPLIT_NUM")
    first_in, mid_in, last_in, first, mid, last = (
        core.size(f"D_PARTIAL_WIDTH_{side}.PARTIAL_WIDTH_{side}_{part}")
        for side in ("IN", "OUT")
        for part in ("FIRST", "MID", "LAST")
    )
    for side, whole, tiled in (
        ("IN", x.size, first_in + (parts - 2) * mid_in + last_in),
        ("OUT", x.out_size, first + (parts - 2) * mid + last),
    ):
        problems.require(tiled == whole, f"PARTIAL_WIDTH_{side}: {parts} parts make {tiled}, not {whole}")
    needed = (first - 1) * x.stride + x.kernel - x.pad_before
    problems.require(
        first_in == needed, f"PARTIAL_WIDTH_IN_FIRST = {first_in}: {first} outputs take {needed} columns"
    )
    problems.require(
        parts == 2 or mid_in == mid * x.stride,
        f"PARTIAL_WIDTH_IN_MID = {mid_in}: {mid} outputs step over {mid * x.stride} columns",
    )
    problems.require(
        first * x.stride >= x.pad_before,
        f"PARTIAL_WIDTH_OUT_FIRST = {first}: the second part starts in the padding",
    )


def _source(core: Group, read: Group, problems: Problems) -> Surface:
    """The source in memory; notes where the read DMA does not agree with the core."""
    same = [
        "D_DATA_CUBE_IN_WIDTH.CUBE_IN_WIDTH",
        "D_DATA_CUBE_IN_HEIGHT.CUBE_IN_HEIGHT",
        "D_DATA_CUBE_IN_CHANNEL.CUBE_IN_CHANNEL",
        "D_DATA_FORMAT.INPUT_DATA",
        "D_OPERATION_MODE_CFG.SPLIT_NUM",
    ]
    if core["D_OPERATION_MODE_CFG.SPLIT_NUM"] > 0:  # only then the read DMA takes part in the geometry
        same += ["D_POOLING_KERNEL_CFG.KERNEL_WIDTH", "D_POOLING_KERNEL_CFG.KERNEL_STRIDE_WIDTH"]
        same += [f"D_PARTIAL_WIDTH_IN.PARTIAL_WIDTH_IN_{part}" for part in ("FIRST", "MID", "LAST")]
    require_same(read, core, same, problems)
    return read.surface("SRC", "D_SRC_RAM_CFG.SRC_RAM_TYPE")


def reference(config: Config, layer: PdpLayer, ports: Ports, stream: Int64 | None) -> None:
    """Run one layer; ``stream``: SDP's int64 [1, lane, y, x] when ``layer.source`` is None.

    Unused lanes of the last atom are pooled like all others. ``ProgramError`` when the layer leaves the
    mapped memory: nothing is written then.
    """
    surfaces = -(-layer.channels * layer.itemsize // config.atom)
    layer.destination.view(ports, surfaces, layer.out_height, layer.out_width, config.atom)
    if layer.source is None:
        assert stream is not None
        values = stream[0]
    else:
        values = layer.source.read(ports, surfaces, layer.height, layer.width, config.atom, layer.itemsize)
    if layer.method is PoolingMethod.AVERAGE:
        pooled = _average(layer, values)
    elif layer.method is PoolingMethod.MAX:
        pooled = reduce(np.maximum, _windows(layer, values, np.iinfo(np.int64).min))
    else:
        pooled = reduce(np.minimum, _windows(layer, values, np.iinfo(np.int64).max))
    layer.destination.write(ports, pooled, config.atom, layer.itemsize)


def _windows(layer: PdpLayer, values: Int64, padding: int) -> list[Int64]:
    """For each element of the kernel the values [lane, oy, ox] that it meets."""
    pads = ((0, 0), (layer.pad_top, layer.pad_bottom), (layer.pad_left, layer.pad_right))
    padded = np.pad(values, pads, constant_values=padding)
    rows = (layer.out_height - 1) * layer.stride_y + 1
    columns = (layer.out_width - 1) * layer.stride_x + 1
    return [
        padded[:, ky : ky + rows : layer.stride_y, kx : kx + columns : layer.stride_x]
        for ky in range(layer.kernel_height)
        for kx in range(layer.kernel_width)
    ]


def _average(layer: PdpLayer, values: Int64) -> Int64:
    """Sum with what the padding adds, times both reciprocals, each rounded; the result wraps.

    A row inside the cube meets ``nx`` padding columns and adds pad_sums[nx]; each of the ``ny`` padding rows
    counts kernel_width times, which makes kernel_width * pad_sums[ny].
    """
    nx = _padding(layer.width, layer.out_width, layer.kernel_width, layer.stride_x, layer.pad_left)
    ny = _padding(layer.height, layer.out_height, layer.kernel_height, layer.stride_y, layer.pad_top)[:, None]
    sums = np.array(layer.pad_sums, np.int64)
    total = reduce(np.add, _windows(layer, values, 0))
    total = total + (layer.kernel_height - ny) * sums[nx] + layer.kernel_width * sums[ny]
    narrowed = round_shift(total * layer.recip_width, 16)
    return wrap(round_shift(narrowed * layer.recip_height, 16), 8 * layer.itemsize)


def _padding(size: int, out_size: int, kernel: int, stride: int, pad: int) -> Int64:
    """For each output along one axis how many elements of its window are padding."""
    first = np.arange(out_size) * stride - pad
    inside = np.minimum(first + kernel, size) - np.maximum(first, 0)
    return kernel - inside
