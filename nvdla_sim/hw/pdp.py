"""PDP, the planar data processor: maximum, minimum and average pooling.

Source: hardware-facts 5.1, checked against the chip's model.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from nvdla_sim.hw.config import Config
from nvdla_sim.hw.fixed_point import sign_extend
from nvdla_sim.hw.program import Group, Problems, Registers, group, itemsize
from nvdla_sim.hw.surface import Surface


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
    width = core.size("D_DATA_CUBE_IN_WIDTH.CUBE_IN_WIDTH")
    height = core.size("D_DATA_CUBE_IN_HEIGHT.CUBE_IN_HEIGHT")
    channels = core.size("D_DATA_CUBE_IN_CHANNEL.CUBE_IN_CHANNEL")
    out_width = core.size("D_DATA_CUBE_OUT_WIDTH.CUBE_OUT_WIDTH")
    out_height = core.size("D_DATA_CUBE_OUT_HEIGHT.CUBE_OUT_HEIGHT")
    out_channels = core.size("D_DATA_CUBE_OUT_CHANNEL.CUBE_OUT_CHANNEL")
    item = itemsize(config, core["D_DATA_FORMAT.INPUT_DATA"], "PDP INPUT_DATA", problems)
    flying = core["D_OPERATION_MODE_CFG.FLYING_MODE"] == 0
    method = core["D_OPERATION_MODE_CFG.POOLING_METHOD"]
    kernel = "D_POOLING_KERNEL_CFG.KERNEL_"
    kernel_width, kernel_height = core.size(f"{kernel}WIDTH"), core.size(f"{kernel}HEIGHT")
    stride_x, stride_y = core.size(f"{kernel}STRIDE_WIDTH"), core.size(f"{kernel}STRIDE_HEIGHT")
    left, right, top, bottom = (
        core[f"D_POOLING_PADDING_CFG.PAD_{side}"] for side in ("LEFT", "RIGHT", "TOP", "BOTTOM")
    )

    problems.require(method <= PoolingMethod.MIN, f"POOLING_METHOD = {method}: average 0, max 1, min 2")
    _check_axis(
        "WIDTH", width, out_width, kernel_width, stride_x, (left, right), ("PAD_LEFT", "PAD_RIGHT"), problems
    )
    _check_axis(
        "HEIGHT",
        height,
        out_height,
        kernel_height,
        stride_y,
        (top, bottom),
        ("PAD_TOP", "PAD_BOTTOM"),
        problems,
    )
    surfaces, out_surfaces = (-(-c * item // config.atom) for c in (channels, out_channels))
    problems.require(
        surfaces == out_surfaces, f"CUBE_OUT_CHANNEL = {out_channels}: pooling keeps {channels} channels"
    )
    source = None
    if flying:
        problems.require(core["D_OPERATION_MODE_CFG.SPLIT_NUM"] == 0, "SPLIT_NUM: no split on the fly")
    elif rdma is None:
        problems.require(False, "the source is in memory but PDP_RDMA is not enabled")
    else:
        source = _source(config, core, group(config, "PDP_RDMA", rdma), problems)
    destination = core.surface("DST", "D_DST_RAM_CFG.DST_RAM_TYPE")
    problems.require(
        not destination.overlaps_itself(surfaces, out_height, out_width, config.atom),
        f"the destination {destination} of {out_width}x{out_height}x{channels} overlaps itself",
    )
    problems.stop()
    values = (core[f"D_POOLING_PADDING_VALUE_{n}_CFG.PAD_VALUE_{n}X"] for n in range(1, 8))
    return PdpLayer(
        method=PoolingMethod(method),
        width=width,
        height=height,
        channels=channels,
        out_width=out_width,
        out_height=out_height,
        itemsize=item,
        kernel_width=kernel_width,
        kernel_height=kernel_height,
        stride_x=stride_x,
        stride_y=stride_y,
        pad_left=left,
        pad_right=right,
        pad_top=top,
        pad_bottom=bottom,
        pad_sums=(
            0,
            *(int(sign_extend(v, bits)) for v, bits in zip(values, _PAD_BITS[item], strict=True)),
        ),
        recip_width=core["D_RECIP_KERNEL_WIDTH.RECIP_KERNEL_WIDTH"],
        recip_height=core["D_RECIP_KERNEL_HEIGHT.RECIP_KERNEL_HEIGHT"],
        source=source,
        destination=destination,
    )


def _check_axis(
    axis: str,
    size: int,
    out_size: int,
    kernel: int,
    stride: int,
    pads: tuple[int, int],
    pad_names: tuple[str, str],
    problems: Problems,
) -> None:
    problems.require(kernel <= 8, f"KERNEL_{axis} = {kernel}: a kernel has 1 to 8 elements")
    for name, pad in zip(pad_names, pads, strict=True):
        problems.require(pad < kernel, f"{name} = {pad}: must be less than the kernel, {kernel}")
    padded = size + sum(pads)
    fits = (padded - kernel) // stride + 1
    problems.require(
        padded >= kernel and out_size == fits,
        f"CUBE_OUT_{axis} = {out_size}: {size} + {sum(pads)} padding with kernel {kernel} and "
        f"stride {stride} gives {fits}",
    )


def _source(config: Config, core: Group, read: Group, problems: Problems) -> Surface:
    """The source in memory; notes where the read DMA does not agree with the core."""
    pairs = (
        ("D_DATA_CUBE_IN_WIDTH.CUBE_IN_WIDTH", "D_DATA_CUBE_IN_WIDTH.CUBE_IN_WIDTH"),
        ("D_DATA_CUBE_IN_HEIGHT.CUBE_IN_HEIGHT", "D_DATA_CUBE_IN_HEIGHT.CUBE_IN_HEIGHT"),
        ("D_DATA_CUBE_IN_CHANNEL.CUBE_IN_CHANNEL", "D_DATA_CUBE_IN_CHANNEL.CUBE_IN_CHANNEL"),
        ("D_FLYING_MODE.FLYING_MODE", "D_OPERATION_MODE_CFG.FLYING_MODE"),
        ("D_DATA_FORMAT.INPUT_DATA", "D_DATA_FORMAT.INPUT_DATA"),
        ("D_OPERATION_MODE_CFG.SPLIT_NUM", "D_OPERATION_MODE_CFG.SPLIT_NUM"),
        ("D_POOLING_KERNEL_CFG.KERNEL_WIDTH", "D_POOLING_KERNEL_CFG.KERNEL_WIDTH"),
        ("D_POOLING_KERNEL_CFG.KERNEL_STRIDE_WIDTH", "D_POOLING_KERNEL_CFG.KERNEL_STRIDE_WIDTH"),
        ("D_POOLING_PADDING_CFG.PAD_WIDTH", "D_POOLING_PADDING_CFG.PAD_LEFT"),
    )
    for there, here in pairs:
        problems.require(read[there] == core[here], f"{here}: PDP_RDMA has {read[there]}, PDP {core[here]}")
    return read.surface("SRC", "D_SRC_RAM_CFG.SRC_RAM_TYPE")
