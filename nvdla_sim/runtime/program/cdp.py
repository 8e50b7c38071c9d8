"""CDP descriptors -> registers of CDP and its read DMA."""

from __future__ import annotations

from nvdla_sim.loadable.enums import MemType
from nvdla_sim.runtime.operation import Operation
from nvdla_sim.runtime.program import lut
from nvdla_sim.runtime.program.writes import Writes, ram_type

UNITS = ("CDP", "CDP_RDMA")

LOCAL_SIZES = (3, 5, 7, 9)


def needs_rdma(operation: Operation) -> bool:
    """Always: the source is in memory."""
    return True


def program(operation: Operation, writes: Writes) -> None:
    """Write one cross-channel operation."""
    op, src, dst = operation.op, operation.surface.src, operation.surface.dst
    writes.unmask_interrupts()
    for name, cube in (("src", src), ("dst", dst)):
        writes.require(cube.type != MemType.HW, f"{name}.type = on the fly: CDP works from memory to memory")
    writes.require(
        op.in_precision == op.out_precision,
        f"in_precision = {op.in_precision}, out_precision = {op.out_precision}: they must be equal",
    )
    writes.require(op.local_size in LOCAL_SIZES, f"local_size = {op.local_size}: 3, 5, 7 or 9 is allowed")
    if writes.problems:
        return
    if operation.table is not None:
        lut.program("CDP", operation.table, writes)
    for side in ("WIDTH", "HEIGHT", "CHANNEL"):
        writes.fields("CDP_RDMA", f"D_DATA_CUBE_{side}", **{side: getattr(src, side.lower()) - 1})
    writes.base("CDP_RDMA", "SRC_BASE_ADDR", src)
    writes.word("CDP_RDMA", "D_SRC_LINE_STRIDE", src.line_stride)
    writes.word("CDP_RDMA", "D_SRC_SURFACE_STRIDE", src.surf_stride)
    writes.fields("CDP_RDMA", "D_SRC_DMA_CFG", SRC_RAM_TYPE=ram_type(src))
    writes.fields("CDP_RDMA", "D_DATA_FORMAT", INPUT_DATA=op.in_precision)

    writes.base("CDP", "DST_BASE_ADDR", dst)
    writes.word("CDP", "D_DST_LINE_STRIDE", dst.line_stride)
    writes.word("CDP", "D_DST_SURFACE_STRIDE", dst.surf_stride)
    writes.fields("CDP", "D_DST_DMA_CFG", DST_RAM_TYPE=ram_type(dst))
    writes.fields("CDP", "D_DATA_FORMAT", INPUT_DATA_TYPE=op.in_precision)
    writes.fields("CDP", "D_LRN_CFG", NORMALZ_LEN=LOCAL_SIZES.index(op.local_size))
    writes.word("CDP", "D_DATIN_OFFSET", op.in_cvt.offset & 0xFFFF)
    writes.word("CDP", "D_DATIN_SCALE", op.in_cvt.scale & 0xFFFF)
    writes.fields("CDP", "D_DATIN_SHIFTER", DATIN_SHIFTER=op.in_cvt.truncate)
    writes.word("CDP", "D_DATOUT_OFFSET", op.out_cvt.offset)
    writes.word("CDP", "D_DATOUT_SCALE", op.out_cvt.scale & 0xFFFF)
    writes.fields("CDP", "D_DATOUT_SHIFTER", DATOUT_SHIFTER=op.out_cvt.truncate)
    writes.fields("CDP", "D_FUNC_BYPASS", SQSUM_BYPASS=op.bypass_sqsum, MUL_BYPASS=op.bypass_out_mul)
