"""SDP descriptors -> registers of SDP and its read DMA."""

from __future__ import annotations

from nvdla_sim.loadable.enums import MemType, Precision, SdpAct, SdpMode, SdpOpType
from nvdla_sim.runtime.operation import Operation
from nvdla_sim.runtime.program import lut
from nvdla_sim.runtime.program.writes import Descriptor, Writes, ram_type

UNITS = ("SDP", "SDP_RDMA")

# the three stages: descriptor's name, name in registers, letter of its read DMA
_STAGES = (("x1", "BS", "B"), ("x2", "BN", "N"), ("y", "EW", "E"))
_ALU_TYPES = (SdpOpType.ADD, SdpOpType.BOTH)
_MUL_TYPES = (SdpOpType.MUL, SdpOpType.BOTH)


def needs_rdma(operation: Operation) -> bool:
    """Whether the read DMA runs: for the source, or for a stage whose operands vary inside the layer."""
    stages = (getattr(operation.op, name) for name, _, _ in _STAGES)
    return operation.surface.src.type != MemType.HW or any(
        stage.enable and stage.mode != SdpMode.PER_LAYER for stage in stages
    )


def program(operation: Operation, writes: Writes) -> None:
    """Write one SDP operation."""
    op, surface = operation.op, operation.surface
    writes.unmask_interrupts()
    for register in ("D_FEATURE_MODE_CFG", "D_BRDMA_CFG", "D_NRDMA_CFG", "D_ERDMA_CFG"):
        writes.word("SDP_RDMA", register, 0)
    _read_dma(operation, writes)
    if operation.table is not None:
        lut.program("SDP", operation.table, writes)
    _cubes(surface, writes)
    _x_stage(op.x1, "BS", writes)
    _x_stage(op.x2, "BN", writes)
    _y_stage(op.y, writes)
    _output(op, surface, writes)


def _read_dma(operation: Operation, writes: Writes) -> None:
    op, surface = operation.op, operation.surface
    src = surface.src
    flying = src.type == MemType.HW
    # int16 data for an int8 result are processed as int8
    narrow = op.dst_precision == Precision.INT8 and op.src_precision == Precision.INT16
    writes.fields(
        "SDP_RDMA",
        "D_FEATURE_MODE_CFG",
        FLYING_MODE=int(flying),
        WINOGRAD=op.conv_mode,
        IN_PRECISION=op.src_precision,
        PROC_PRECISION=Precision.INT8 if narrow else op.src_precision,
        OUT_PRECISION=op.dst_precision,
        BATCH_NUMBER=op.batch_num - 1,
    )
    if not needs_rdma(operation):
        return
    writes.fields("SDP_RDMA", "D_DATA_CUBE_WIDTH", WIDTH=src.width - 1)
    writes.fields("SDP_RDMA", "D_DATA_CUBE_HEIGHT", HEIGHT=src.height - 1)
    writes.fields("SDP_RDMA", "D_DATA_CUBE_CHANNEL", CHANNEL=src.channel - 1)
    if not flying:
        writes.base("SDP_RDMA", "SRC_BASE_ADDR", src)
        writes.word("SDP_RDMA", "D_SRC_LINE_STRIDE", src.line_stride)
        writes.word("SDP_RDMA", "D_SRC_SURFACE_STRIDE", src.surf_stride)
        writes.fields("SDP_RDMA", "D_SRC_DMA_CFG", SRC_RAM_TYPE=ram_type(src))
    for name, unit_stage, letter in _STAGES:
        _operands(getattr(op, name), getattr(surface, name), unit_stage, letter, writes)


def _operands(stage: Descriptor, cube: Descriptor, unit_stage: str, letter: str, writes: Writes) -> None:
    """The read DMA of one stage's operands."""
    enabled = bool(stage.enable) and stage.type != SdpOpType.NONE and stage.mode != SdpMode.PER_LAYER
    use = {SdpOpType.ADD: 1, SdpOpType.BOTH: 2}.get(stage.type, 0)
    prefix = f"{letter}RDMA"
    writes.fields(
        "SDP_RDMA",
        f"D_{prefix}_CFG",
        **{
            f"{prefix}_DISABLE": int(not enabled),
            f"{prefix}_DATA_USE": use,
            f"{prefix}_DATA_SIZE": int(stage.precision != Precision.INT8),
            f"{prefix}_DATA_MODE": int(stage.mode != SdpMode.PER_KERNEL),
            f"{prefix}_RAM_TYPE": ram_type(cube),
        },
    )
    if enabled:
        writes.base("SDP_RDMA", f"{unit_stage}_BASE_ADDR", cube)
        writes.word("SDP_RDMA", f"D_{unit_stage}_LINE_STRIDE", cube.line_stride)
        writes.word("SDP_RDMA", f"D_{unit_stage}_SURFACE_STRIDE", cube.surf_stride)


def _cubes(surface: Descriptor, writes: Writes) -> None:
    src, dst = surface.src, surface.dst
    writes.fields("SDP", "D_DATA_CUBE_WIDTH", WIDTH=src.width - 1)
    writes.fields("SDP", "D_DATA_CUBE_HEIGHT", HEIGHT=src.height - 1)
    writes.fields("SDP", "D_DATA_CUBE_CHANNEL", CHANNEL=src.channel - 1)
    if dst.type != MemType.HW:
        writes.base("SDP", "DST_BASE_ADDR", dst, high_first=True)
        writes.word("SDP", "D_DST_LINE_STRIDE", dst.line_stride)
        writes.word("SDP", "D_DST_SURFACE_STRIDE", dst.surf_stride)


def _bypasses(stage: Descriptor, name: str) -> dict[str, int]:
    """The fields that X1, X2 and Y have in common."""
    return {
        f"{name}_BYPASS": int(not stage.enable),
        f"{name}_ALU_BYPASS": int(stage.type not in _ALU_TYPES),
        f"{name}_ALU_ALGO": stage.alu_type,
        f"{name}_MUL_BYPASS": int(stage.type not in _MUL_TYPES),
        f"{name}_MUL_PRELU": int(stage.act == SdpAct.PRELU),
    }


def _x_stage(stage: Descriptor, name: str, writes: Writes) -> None:
    relu_bypass = {f"{name}_RELU_BYPASS": int(stage.act != SdpAct.RELU)}
    writes.fields("SDP", f"D_DP_{name}_CFG", **_bypasses(stage, name), **relu_bypass)
    if not stage.enable:
        return
    per_layer = stage.mode == SdpMode.PER_LAYER
    from_memory = int(not per_layer)
    if stage.type in _ALU_TYPES:
        writes.fields(
            "SDP",
            f"D_DP_{name}_ALU_CFG",
            **{f"{name}_ALU_SRC": from_memory, f"{name}_ALU_SHIFT_VALUE": stage.shift_value},
        )
    if per_layer:
        writes.word("SDP", f"D_DP_{name}_ALU_SRC_VALUE", stage.alu_operand)
        writes.word("SDP", f"D_DP_{name}_MUL_SRC_VALUE", stage.mul_operand)
    # the shift takes effect with and without a multiplication
    writes.fields(
        "SDP",
        f"D_DP_{name}_MUL_CFG",
        **{f"{name}_MUL_SRC": from_memory, f"{name}_MUL_SHIFT_VALUE": stage.truncate},
    )


def _y_stage(stage: Descriptor, writes: Writes) -> None:
    lut_bypass = {"EW_LUT_BYPASS": int(stage.act != SdpAct.LUT)}
    writes.fields("SDP", "D_DP_EW_CFG", **_bypasses(stage, "EW"), **lut_bypass)
    if not stage.enable:
        return
    if stage.type in _ALU_TYPES:
        _y_operand(stage, "ALU", stage.alu_operand, stage.alu_cvt, writes)
    if stage.type in _MUL_TYPES:
        _y_operand(stage, "MUL", stage.mul_operand, stage.mul_cvt, writes)
    writes.fields("SDP", "D_DP_EW_TRUNCATE_VALUE", EW_TRUNCATE=stage.truncate)


def _y_operand(stage: Descriptor, part: str, operand: int, cvt: Descriptor, writes: Writes) -> None:
    name = f"EW_{part}"
    per_layer = stage.mode == SdpMode.PER_LAYER
    writes.fields(
        "SDP",
        f"D_DP_{name}_CFG",
        **{f"{name}_SRC": int(not per_layer), f"{name}_CVT_BYPASS": int(not cvt.enable)},
    )
    if per_layer:
        writes.word("SDP", f"D_DP_{name}_SRC_VALUE", operand)
    else:
        writes.word("SDP", f"D_DP_{name}_CVT_OFFSET_VALUE", cvt.offset)
        writes.word("SDP", f"D_DP_{name}_CVT_SCALE_VALUE", cvt.scale & 0xFFFF)
        writes.fields("SDP", f"D_DP_{name}_CVT_TRUNCATE_VALUE", **{f"{name}_CVT_TRUNCATE": cvt.truncate})


def _output(op: Descriptor, surface: Descriptor, writes: Writes) -> None:
    src, dst = surface.src, surface.dst
    to_memory = dst.type != MemType.HW
    narrow = op.dst_precision == Precision.INT8 and op.src_precision == Precision.INT16
    writes.fields(
        "SDP",
        "D_FEATURE_MODE_CFG",
        FLYING_MODE=int(src.type == MemType.HW),
        OUTPUT_DST=int(not to_memory),
        WINOGRAD=op.conv_mode,
        BATCH_NUMBER=op.batch_num - 1,
    )
    if to_memory:
        writes.fields("SDP", "D_DST_DMA_CFG", DST_RAM_TYPE=ram_type(dst))
        if op.batch_num > 1:
            writes.word("SDP", "D_DST_BATCH_STRIDE", op.batch_stride)
    writes.fields(
        "SDP",
        "D_DATA_FORMAT",
        PROC_PRECISION=Precision.INT8 if narrow else op.src_precision,
        OUT_PRECISION=op.dst_precision,
    )
    writes.word("SDP", "D_CVT_OFFSET", op.out_cvt.offset)
    writes.word("SDP", "D_CVT_SCALE", op.out_cvt.scale & 0xFFFF)
    writes.fields("SDP", "D_CVT_SHIFT", CVT_SHIFT=op.out_cvt.truncate)
