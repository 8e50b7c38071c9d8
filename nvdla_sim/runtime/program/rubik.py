"""Rubik descriptors -> registers."""

from __future__ import annotations

from nvdla_sim.loadable.enums import MemType, Precision, RubikMode
from nvdla_sim.runtime.operation import Operation
from nvdla_sim.runtime.program.writes import Writes, ram_type

UNITS = ("RBK",)

ATOM = 32  # bytes; the engine exists in nv_full only


def program(operation: Operation, writes: Writes) -> None:
    """Write one reshape operation."""
    op, src, dst = operation.op, operation.surface.src, operation.surface.dst
    writes.require(writes.config.rubik, f"{writes.config.name} has no Rubik engine; nv_full has")
    for name, cube in (("src", src), ("dst", dst)):
        writes.require(
            cube.type != MemType.HW, f"{name}.type = on the fly: Rubik works from memory to memory"
        )
    if op.mode == RubikMode.MERGE:
        stride = src.plane_stride
        writes.require(
            stride > 0 and stride % ATOM == 0,
            f"src.plane_stride = {stride}: a multiple of {ATOM}, not 0, is needed",
        )
    if writes.problems:
        return
    writes.fields("RBK", "D_MISC_CFG", RUBIK_MODE=op.mode, IN_PRECISION=op.precision)
    writes.fields("RBK", "D_DAIN_RAM_TYPE", DATAIN_RAM_TYPE=ram_type(src))
    writes.fields("RBK", "D_DATAIN_SIZE_0", DATAIN_WIDTH=src.width - 1, DATAIN_HEIGHT=src.height - 1)
    writes.fields("RBK", "D_DATAIN_SIZE_1", DATAIN_CHANNEL=src.channel - 1)
    writes.base("RBK", "DAIN_ADDR", src, high_first=True)
    writes.word("RBK", "D_DAIN_LINE_STRIDE", src.line_stride)
    if op.mode == RubikMode.MERGE:
        writes.word("RBK", "D_DAIN_PLANAR_STRIDE", src.plane_stride)
    else:
        writes.word("RBK", "D_DAIN_SURF_STRIDE", src.surf_stride)
    writes.fields("RBK", "D_DAOUT_RAM_TYPE", DATAOUT_RAM_TYPE=ram_type(dst))
    writes.fields("RBK", "D_DATAOUT_SIZE_1", DATAOUT_CHANNEL=dst.channel - 1)
    writes.base("RBK", "DAOUT_ADDR", dst, high_first=True)
    writes.word("RBK", "D_DAOUT_LINE_STRIDE", dst.line_stride)
    if op.mode == RubikMode.SPLIT:
        writes.word("RBK", "D_DAOUT_PLANAR_STRIDE", dst.plane_stride)
    else:
        writes.word("RBK", "D_DAOUT_SURF_STRIDE", dst.surf_stride)
    if op.mode == RubikMode.CONTRACT:
        # from one kernel phase's surfaces to the next one's, and from one output line group to the next
        itemsize = 1 if op.precision == Precision.INT8 else 2
        writes.word("RBK", "D_CONTRACT_STRIDE_0", -(-dst.channel * itemsize // ATOM) * src.surf_stride)
        writes.word("RBK", "D_CONTRACT_STRIDE_1", op.stride_y * dst.line_stride)
        writes.fields(
            "RBK", "D_DECONV_STRIDE", DECONV_X_STRIDE=op.stride_x - 1, DECONV_Y_STRIDE=op.stride_y - 1
        )
