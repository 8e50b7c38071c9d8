"""The descriptors that driver, firmware and CPU emulator read, as numpy structured types.

Packed little-endian structs with explicit offsets; a byte no field names is reserved and 0. A descriptor list
is an array of slots: slot i belongs to operation i, and a record shorter than its slot starts it.
Two generations exist. The names without prefix are the current one (blob versions 0.12.x). ``OLD_*`` are the
older ones (0.10.x, 0.11.x) where they differ: their cubes have no ``offset``.

Source: compiler-facts sections 2, 2.1 and 3.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from nvdla_sim.loadable.enums import EmuOpType, OpType

DEP_GRAPH_STRIDE = 36
OP_STRIDE = 116
SURFACE_STRIDE = 644
LUT_STRIDE = 700
EMU_OP_STRIDE = 24
OLD_EMU_OP_STRIDE = 16
EMU_BUFFER_STRIDE = 512  # source, then destination

_I8, _U8, _I16, _U16, _I32, _U32, _I64, _F32 = "i1", "u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<f4"


def _struct(size: int, /, **fields: tuple[DTypeLike, int]) -> np.dtype[np.void]:
    """A struct of ``size`` bytes; each field is (type, byte offset)."""
    return np.dtype(
        {
            "names": list(fields),
            "formats": [kind for kind, _ in fields.values()],
            "offsets": [offset for _, offset in fields.values()],
            "itemsize": size,
        }
    )


def _in_a_row(first: int, kind: DTypeLike, *names: str) -> dict[str, tuple[DTypeLike, int]]:
    """Fields of one type that follow each other without a gap."""
    size = np.dtype(kind).itemsize
    return {name: (kind, first + i * size) for i, name in enumerate(names)}


# --- network and dependency graph --------------------------------------------------------------------------

NETWORK = _struct(
    40,
    # indexes into the task's address list, -1 where there is none
    **_in_a_row(
        0, _I16, "op_list", "surf_list", "dep_graph", "lut_list", "roi_array", "surface", "stat_list"
    ),
    op_head=((_I16, 6), 16),  # first operation of each OpType, -1 where there is none
    **_in_a_row(28, _U16, "num_rois", "num_ops", "num_luts", "num_addresses"),
    input_layer=(_I16, 36),
    dynamic_roi=(_U8, 38),
)

CONSUMER = _struct(4, index=(_I16, 0), event=(_U8, 2))

COMMON_OP = _struct(
    36,
    index=(_I16, 0),
    roi=(_I8, 2),
    op_type=(_U8, 3),
    dependency_count=(_U8, 4),
    consumers=((CONSUMER, 6), 8),  # slot = OpType of the consumer
    fused_parent=(CONSUMER, 32),
)

# --- parts -------------------------------------------------------------------------------------------------

CUBE = _struct(
    32,
    type=(_U16, 0),  # MemType
    address=(_I16, 2),  # index into the task's address list, -1 on the fly
    **_in_a_row(4, _U32, "offset", "size"),  # bytes
    **_in_a_row(12, _U16, "width", "height", "channel"),
    **_in_a_row(20, _U32, "line_stride", "surf_stride", "plane_stride"),  # bytes
)

OLD_CUBE = _struct(
    28,
    type=(_U16, 0),
    address=(_I16, 2),
    size=(_U32, 4),
    **_in_a_row(8, _U16, "width", "height", "channel"),
    **_in_a_row(16, _U32, "line_stride", "surf_stride", "plane_stride"),
)

CVT = _struct(8, scale=(_I16, 0), truncate=(_U8, 2), enable=(_U8, 3), offset=(_I32, 4))

# --- convolution -------------------------------------------------------------------------------------------

CONV_OP = _struct(
    92,
    **_in_a_row(
        0, _U8, "conv_mode", "data_reuse", "weight_reuse", "skip_data_rls", "skip_weight_rls"
    ),
    entry_per_slice=(_U16, 6),
    data_format=(_U8, 8),  # PixelFormat
    pixel_mapping=(_U8, 9),
    fetch_grain=(_U16, 10),
    batch=(_U8, 20),
    weight_format=(_U8, 21),
    data_bank=(_U8, 22),
    weight_bank=(_U8, 23),
    batch_stride=(_U32, 24),
    post_extension=(_U8, 28),
    pixel_override=(_U8, 29),
    **_in_a_row(
        30, _U16, "release",
        "in_width_csc", "in_height_csc", "in_channel_csc",
        "kernel_width_csc", "kernel_height_csc", "kernel_channel_csc",
        "in_width_cmac", "in_height_cmac",
    ),
    bytes_per_kernel=(_U32, 48),
    **_in_a_row(52, _I16, "mean_ry", "mean_gu", "mean_bv", "mean_ax"),
    **_in_a_row(
        60, _U8, "mean_format", "stride_x", "stride_y",
        "pad_left", "pad_right", "pad_top", "pad_bottom", "dilation_x", "dilation_y",
    ),
    **_in_a_row(71, _U8, "pra_truncate", "in_precision", "out_precision"),
    pad_val=(_I16, 74),
    in_cvt=(CVT, 76),
    out_cvt=(CVT, 84),
)  # fmt: skip

CONV_SURFACE = _struct(
    172,
    **_in_a_row(0, CUBE, "weight", "wmb", "wgs", "src", "dst"),
    offset_u=(_I64, 160),
    in_line_uv_stride=(_U32, 168),
)

OLD_CONV_SURFACE = _struct(
    152,
    **_in_a_row(0, OLD_CUBE, "weight", "wmb", "wgs", "src", "dst"),
    offset_u=(_I64, 140),
    in_line_uv_stride=(_U32, 148),
)

# --- single point processor --------------------------------------------------------------------------------

SDP_SUB_OP = _struct(
    32,
    **_in_a_row(0, _U8, "enable", "alu_type", "type", "mode", "act", "shift_value", "truncate", "precision"),
    **_in_a_row(8, _I32, "alu_operand", "mul_operand"),
    **_in_a_row(16, CVT, "alu_cvt", "mul_cvt"),
)

SDP_OP = _struct(
    116,
    src_precision=(_U8, 0),
    dst_precision=(_U8, 1),
    lut_index=(_I16, 2),  # -1: no table
    out_cvt=(CVT, 4),
    conv_mode=(_U8, 12),
    batch_num=(_U8, 13),
    batch_stride=(_U32, 16),
    **_in_a_row(20, SDP_SUB_OP, "x1", "x2", "y"),
)

SDP_SURFACE = _struct(160, **_in_a_row(0, CUBE, "src", "x1", "x2", "y", "dst"))
OLD_SDP_SURFACE = _struct(140, **_in_a_row(0, OLD_CUBE, "src", "x1", "x2", "y", "dst"))

# --- pooling, cross-channel, reshape, copy -----------------------------------------------------------------

PDP_OP = _struct(
    52,
    **_in_a_row(
        0, _U16,
        "partial_in_width_first", "partial_in_width_mid", "partial_in_width_last",
        "partial_width_first", "partial_width_mid", "partial_width_last",
    ),
    **_in_a_row(
        12, _U8, "split_num", "pool_mode",
        "pool_width", "pool_height",  # kernel size minus one
        "stride_x", "stride_y", "pad_left", "pad_right", "pad_top", "pad_bottom", "precision",
    ),
    padding_value=((_I32, 7), 24),
)  # fmt: skip

CDP_OP = _struct(
    24,
    in_precision=(_U8, 0),
    out_precision=(_U8, 1),
    lut_index=(_I16, 2),
    in_cvt=(CVT, 4),
    out_cvt=(CVT, 12),
    **_in_a_row(20, _U8, "local_size", "bypass_sqsum", "bypass_out_mul"),
)

RUBIK_OP = _struct(4, **_in_a_row(0, _U8, "mode", "precision", "stride_x", "stride_y"))

PDP_SURFACE = CDP_SURFACE = RUBIK_SURFACE = _struct(64, **_in_a_row(0, CUBE, "src", "dst"))
OLD_PDP_SURFACE = OLD_CDP_SURFACE = OLD_RUBIK_SURFACE = _struct(56, **_in_a_row(0, OLD_CUBE, "src", "dst"))

BDMA_OP = _struct(4, num_transfers=(_U16, 0))

BDMA_TRANSFER = _struct(
    32,
    **_in_a_row(0, _I16, "src_address", "dst_address"),
    **_in_a_row(
        4, _U32, "line_size", "line_repeat", "src_line", "dst_line",
        "surface_repeat", "src_surface", "dst_surface",
    ),
)  # fmt: skip

BDMA_SURFACE = _struct(
    644,
    source_type=(_U8, 0),
    destination_type=(_U8, 1),
    num_transfers=(_U16, 2),
    transfers=((BDMA_TRANSFER, 20), 4),
)

# --- lookup table ------------------------------------------------------------------------------------------

SLOPE = _struct(4, scale=(_I16, 0), shifter=(_I8, 2))

LUT = _struct(
    700,
    le=((_I16, 65), 0),
    lo=((_I16, 257), 130),
    le_index=(_I8, 644),  # LutMethod EXPONENTIAL: index offset; LINEAR: index select = fraction bits
    lo_index=(_I8, 646),  # index select = fraction bits
    # the format calls these unsigned; ranges below zero are two's complement
    **_in_a_row(648, _I64, "le_start", "le_end", "lo_start", "lo_end"),
    **_in_a_row(680, SLOPE, "le_underflow", "le_overflow", "lo_underflow", "lo_overflow"),
    **_in_a_row(696, _U8, "hybrid_priority", "underflow_priority", "overflow_priority", "method"),
)

# --- CPU emulator ------------------------------------------------------------------------------------------

EMU_NETWORK = _struct(256, op_list=(_I16, 0), buffer_list=(_I16, 2), num_ops=(_U16, 4))

EMU_POWER = _struct(
    24, type=(_U8, 0), **_in_a_row(4, _F32, "in_scale", "out_scale", "power", "scale", "shift")
)
EMU_SOFTMAX = _struct(24, type=(_U8, 0), **_in_a_row(4, _F32, "in_scale", "out_scale"), axis=(_U8, 12))
# the older ones have no scales and are packed behind the type
OLD_EMU_POWER = _struct(16, type=(_U8, 0), **_in_a_row(1, _F32, "power", "scale", "shift"))
OLD_EMU_SOFTMAX = _struct(16, type=(_U8, 0), axis=(_U8, 1))

EMU_BUFFER = _struct(
    256,
    address=(_I16, 0),
    **_in_a_row(2, _U32, "offset", "size"),
    **_in_a_row(10, _U16, "format", "width", "height", "channel"),  # EmuFormat
    **_in_a_row(18, _U32, "line_stride", "surf_stride"),
)
OLD_EMU_BUFFER = _struct(
    256,
    address=(_I16, 0),
    size=(_U32, 2),
    **_in_a_row(6, _U16, "format", "width", "height", "channel"),
    **_in_a_row(14, _U32, "line_stride", "surf_stride"),
)

# --- by operation type -------------------------------------------------------------------------------------

OPS: dict[OpType, np.dtype[np.void]] = {
    OpType.BDMA: BDMA_OP,
    OpType.CONV: CONV_OP,
    OpType.SDP: SDP_OP,
    OpType.PDP: PDP_OP,
    OpType.CDP: CDP_OP,
    OpType.RUBIK: RUBIK_OP,
}

SURFACES: dict[OpType, np.dtype[np.void]] = {
    OpType.BDMA: BDMA_SURFACE,
    OpType.CONV: CONV_SURFACE,
    OpType.SDP: SDP_SURFACE,
    OpType.PDP: PDP_SURFACE,
    OpType.CDP: CDP_SURFACE,
    OpType.RUBIK: RUBIK_SURFACE,
}

OLD_SURFACES: dict[OpType, np.dtype[np.void]] = {
    OpType.BDMA: BDMA_SURFACE,
    OpType.CONV: OLD_CONV_SURFACE,
    OpType.SDP: OLD_SDP_SURFACE,
    OpType.PDP: OLD_PDP_SURFACE,
    OpType.CDP: OLD_CDP_SURFACE,
    OpType.RUBIK: OLD_RUBIK_SURFACE,
}

# the names of a surface record's cubes
CUBES: dict[OpType, tuple[str, ...]] = {
    kind: tuple(name for name in surface.names or () if surface[name] == CUBE)
    for kind, surface in SURFACES.items()
}

EMU_OPS: dict[EmuOpType, np.dtype[np.void]] = {EmuOpType.POWER: EMU_POWER, EmuOpType.SOFTMAX: EMU_SOFTMAX}

OLD_EMU_OPS: dict[EmuOpType, np.dtype[np.void]] = {
    EmuOpType.POWER: OLD_EMU_POWER,
    EmuOpType.SOFTMAX: OLD_EMU_SOFTMAX,
}
