"""PDP descriptors -> registers of PDP and its read DMA."""

from __future__ import annotations

from nvdla_sim.loadable.enums import MemType, PoolMode, Precision
from nvdla_sim.runtime.operation import Operation
from nvdla_sim.runtime.program.writes import Descriptor, Writes, ram_type

UNITS = ("PDP", "PDP_RDMA")

# 2^16 / kernel size: the averaging multiplier of kernel sizes 1..8
RECIPROCALS = (0x10000, 0x8000, 0x5555, 0x4000, 0x3333, 0x2AAA, 0x2492, 0x2000)
MAX_SIZE = 8192
MAX_SPLITS = 64


def needs_rdma(operation: Operation) -> bool:
    """Whether the source is in memory."""
    return operation.surface.src.type != MemType.HW


def program(operation: Operation, writes: Writes) -> None:
    """Write one pooling operation."""
    op, surface = operation.op, operation.surface
    writes.unmask_interrupts()
    if not _check(op, surface, writes):
        return
    if needs_rdma(operation):
        _read_dma(op, surface, writes)
    _core(op, surface, writes)


def _check(op: Descriptor, surface: Descriptor, writes: Writes) -> bool:
    """What the firmware refuses; without these limits the registers below cannot be computed."""
    before = len(writes.problems)
    src, dst = surface.src, surface.dst
    writes.require(dst.type != MemType.HW, "dst.type = on the fly: pooling writes to memory")
    for name, cube in (("src", src), ("dst", dst)):
        writes.require(cube.type <= MemType.HW, f"{name}.type = {cube.type}: 0, 1 or 2 is allowed")
        for side in ("width", "height", "channel"):
            size = getattr(cube, side)
            writes.require(size <= MAX_SIZE, f"{name}.{side} = {size}: at most {MAX_SIZE} is allowed")
    for name in ("pool_width", "pool_height"):
        size = getattr(op, name) + 1
        writes.require(
            size <= len(RECIPROCALS),
            f"{name}: a pool of size {size} is not possible, at most {len(RECIPROCALS)} is",
        )
    for name in ("stride_x", "stride_y"):
        writes.require(1 <= getattr(op, name) <= 8, f"{name} = {getattr(op, name)}: 1 to 8 is allowed")
    writes.require(op.pool_mode <= PoolMode.MIN, f"pool_mode = {op.pool_mode}: 0, 1 or 2 is allowed")
    writes.require(op.precision <= Precision.FP16, f"precision = {op.precision}: 0, 1 or 2 is allowed")
    writes.require(op.split_num <= MAX_SPLITS, f"split_num = {op.split_num}: at most {MAX_SPLITS} is allowed")
    writes.require(
        src.type != MemType.HW or op.split_num == 1,
        f"split_num = {op.split_num}: a source on the fly cannot be split, only 1 is allowed",
    )
    writes.require(
        op.precision != Precision.FP16 or not any(op.padding_value),
        "padding_value: fp16 pooling pads with 0 only",
    )
    return len(writes.problems) == before


def _partial(name: str, first: int, mid: int, last: int) -> dict[str, int]:
    """Widths of the pieces of a split cube, minus one; 0 where there is no such piece."""
    widths = {"FIRST": first, "LAST": last, "MID": mid}
    return {f"PARTIAL_WIDTH_{name}_{piece}": max(width - 1, 0) for piece, width in widths.items()}


def _partial_in(op: Descriptor) -> dict[str, int]:
    return _partial("IN", op.partial_in_width_first, op.partial_in_width_mid, op.partial_in_width_last)


def _read_dma(op: Descriptor, surface: Descriptor, writes: Writes) -> None:
    src = surface.src
    for side in ("WIDTH", "HEIGHT", "CHANNEL"):
        writes.fields(
            "PDP_RDMA", f"D_DATA_CUBE_IN_{side}", **{f"CUBE_IN_{side}": getattr(src, side.lower()) - 1}
        )
    writes.base("PDP_RDMA", "SRC_BASE_ADDR", src, high_first=True)
    writes.word("PDP_RDMA", "D_SRC_LINE_STRIDE", src.line_stride)
    writes.word("PDP_RDMA", "D_SRC_SURFACE_STRIDE", src.surf_stride)
    writes.fields("PDP_RDMA", "D_DATA_FORMAT", INPUT_DATA=op.precision)
    writes.fields("PDP_RDMA", "D_SRC_RAM_CFG", SRC_RAM_TYPE=ram_type(src))
    writes.fields("PDP_RDMA", "D_OPERATION_MODE_CFG", SPLIT_NUM=op.split_num - 1)
    writes.fields(
        "PDP_RDMA",
        "D_POOLING_KERNEL_CFG",
        KERNEL_WIDTH=op.pool_width,
        KERNEL_STRIDE_WIDTH=op.stride_x - 1,
    )
    writes.fields("PDP_RDMA", "D_POOLING_PADDING_CFG", PAD_WIDTH=op.pad_left)
    writes.fields("PDP_RDMA", "D_PARTIAL_WIDTH_IN", **_partial_in(op))


def _core(op: Descriptor, surface: Descriptor, writes: Writes) -> None:
    src, dst = surface.src, surface.dst
    for direction, cube in (("IN", src), ("OUT", dst)):
        for side in ("WIDTH", "HEIGHT", "CHANNEL"):
            name = f"CUBE_{direction}_{side}"
            writes.fields("PDP", f"D_DATA_{name}", **{name: getattr(cube, side.lower()) - 1})
    writes.fields(
        "PDP",
        "D_OPERATION_MODE_CFG",
        POOLING_METHOD=op.pool_mode,
        FLYING_MODE=int(src.type != MemType.HW),  # 0: from SDP, 1: from memory
        SPLIT_NUM=op.split_num - 1,
    )
    writes.fields("PDP", "D_PARTIAL_WIDTH_IN", **_partial_in(op))
    writes.fields(
        "PDP",
        "D_PARTIAL_WIDTH_OUT",
        **_partial("OUT", op.partial_width_first, op.partial_width_mid, op.partial_width_last),
    )
    writes.fields(
        "PDP",
        "D_POOLING_KERNEL_CFG",
        KERNEL_WIDTH=op.pool_width,
        KERNEL_HEIGHT=op.pool_height,
        KERNEL_STRIDE_WIDTH=op.stride_x - 1,
        KERNEL_STRIDE_HEIGHT=op.stride_y - 1,
    )
    # the firmware fixes the multiplier: no descriptor field chooses it
    writes.fields("PDP", "D_RECIP_KERNEL_WIDTH", RECIP_KERNEL_WIDTH=RECIPROCALS[op.pool_width])
    writes.fields("PDP", "D_RECIP_KERNEL_HEIGHT", RECIP_KERNEL_HEIGHT=RECIPROCALS[op.pool_height])
    writes.fields(
        "PDP",
        "D_POOLING_PADDING_CFG",
        PAD_LEFT=op.pad_left,
        PAD_TOP=op.pad_top,
        PAD_RIGHT=op.pad_right,
        PAD_BOTTOM=op.pad_bottom,
    )
    for i, value in enumerate(op.padding_value, start=1):
        writes.word("PDP", f"D_POOLING_PADDING_VALUE_{i}_CFG", value)
    writes.word("PDP", "D_SRC_LINE_STRIDE", src.line_stride)
    writes.word("PDP", "D_SRC_SURFACE_STRIDE", src.surf_stride)
    writes.base("PDP", "DST_BASE_ADDR", dst)
    writes.word("PDP", "D_DST_LINE_STRIDE", dst.line_stride)
    writes.word("PDP", "D_DST_SURFACE_STRIDE", dst.surf_stride)
    writes.fields("PDP", "D_DST_RAM_CFG", DST_RAM_TYPE=ram_type(dst))
    writes.fields("PDP", "D_DATA_FORMAT", INPUT_DATA=op.precision)
