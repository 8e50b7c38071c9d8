"""Convolution descriptors -> registers of CACC, CMAC, CSC and CDMA."""

from __future__ import annotations

from nvdla_sim.loadable.enums import ConvMode, MemType, PixelFormat, WeightFormat
from nvdla_sim.runtime.operation import Operation
from nvdla_sim.runtime.program.writes import Descriptor, Writes, ram_type

UNITS = ("CACC", "CMAC_A", "CMAC_B", "CSC", "CDMA")


def program(operation: Operation, writes: Writes) -> None:
    """Write one convolution."""
    op, surface = operation.op, operation.surface
    _check(op, surface, writes)
    _accumulator(op, surface, writes)
    for unit in ("CMAC_A", "CMAC_B"):
        writes.fields(unit, "D_MISC_CFG", CONV_MODE=op.conv_mode, PROC_PRECISION=op.out_precision)
    _sequencer(op, surface, writes)
    _input(op, surface, writes)
    _weights(op, surface, writes)
    _conversion(op, writes)


def _check(op: Descriptor, surface: Descriptor, writes: Writes) -> None:
    cvt, dst, atom = op.out_cvt, surface.dst, writes.config.atom
    writes.require(cvt.scale == 1, f"out_cvt.scale = {cvt.scale}: only 1 is allowed")
    writes.require(cvt.offset == 0, f"out_cvt.offset = {cvt.offset}: only 0 is allowed")
    writes.require(
        (dst.width, dst.height) != (1, 1) or dst.line_stride == atom,
        f"dst.line_stride = {dst.line_stride}: a 1x1 cube needs {atom}, the bytes of one atom",
    )
    if op.weight_format == WeightFormat.COMPRESSED:
        writes.require(writes.config.compression, f"{writes.config.name} cannot read compressed weights")
        for name in ("wmb", "wgs"):
            cube = getattr(surface, name)
            writes.require(cube.address != -1, f"{name}.address = -1: compressed weights need it")


def _accumulator(op: Descriptor, surface: Descriptor, writes: Writes) -> None:
    dst = surface.dst
    single = int((dst.width, dst.height) == (1, 1))
    writes.fields("CACC", "D_MISC_CFG", CONV_MODE=op.conv_mode, PROC_PRECISION=op.out_precision)
    writes.fields("CACC", "D_DATAOUT_SIZE_0", DATAOUT_WIDTH=dst.width - 1, DATAOUT_HEIGHT=dst.height - 1)
    writes.fields("CACC", "D_DATAOUT_SIZE_1", DATAOUT_CHANNEL=dst.channel - 1)
    writes.word("CACC", "D_DATAOUT_ADDR", 0 if dst.type == MemType.HW else writes.address(dst))
    writes.fields("CACC", "D_BATCH_NUMBER", BATCHES=op.batch - 1)
    writes.word("CACC", "D_LINE_STRIDE", dst.line_stride)
    writes.word("CACC", "D_SURF_STRIDE", dst.surf_stride)
    writes.fields("CACC", "D_DATAOUT_MAP", LINE_PACKED=single, SURF_PACKED=single)
    writes.fields("CACC", "D_CLIP_CFG", CLIP_TRUNCATE=op.out_cvt.truncate)


def _misc(op: Descriptor, unit: str, in_precision: int, writes: Writes) -> None:
    writes.fields(
        unit,
        "D_MISC_CFG",
        CONV_MODE=op.conv_mode,
        IN_PRECISION=in_precision,
        PROC_PRECISION=op.out_precision,
        DATA_REUSE=op.data_reuse,
        WEIGHT_REUSE=op.weight_reuse,
        SKIP_DATA_RLS=op.skip_data_rls,
        SKIP_WEIGHT_RLS=op.skip_weight_rls,
    )


def _sequencer(op: Descriptor, surface: Descriptor, writes: Writes) -> None:
    dst = surface.dst
    direct = op.conv_mode == ConvMode.DIRECT
    _misc(op, "CSC", op.out_precision, writes)
    writes.fields("CSC", "D_DATAIN_FORMAT", DATAIN_FORMAT=int(op.data_format != PixelFormat.FEATURE))
    writes.fields(
        "CSC",
        "D_DATAIN_SIZE_EXT_0",
        DATAIN_WIDTH_EXT=op.in_width_csc - 1,
        DATAIN_HEIGHT_EXT=op.in_height_csc - 1,
    )
    writes.fields("CSC", "D_DATAIN_SIZE_EXT_1", DATAIN_CHANNEL_EXT=op.in_channel_csc - 1)
    writes.fields("CSC", "D_BATCH_NUMBER", BATCHES=op.batch - 1)
    writes.fields("CSC", "D_POST_Y_EXTENSION", Y_EXTENSION=op.post_extension)
    writes.fields("CSC", "D_ENTRY_PER_SLICE", ENTRIES=op.entry_per_slice - 1)
    writes.fields("CSC", "D_WEIGHT_FORMAT", WEIGHT_FORMAT=op.weight_format)
    writes.fields(
        "CSC",
        "D_WEIGHT_SIZE_EXT_0",
        WEIGHT_WIDTH_EXT=op.kernel_width_csc - 1,
        WEIGHT_HEIGHT_EXT=op.kernel_height_csc - 1,
    )
    writes.fields(
        "CSC",
        "D_WEIGHT_SIZE_EXT_1",
        WEIGHT_CHANNEL_EXT=op.kernel_channel_csc - 1,
        WEIGHT_KERNEL=dst.channel - 1,
    )
    writes.word("CSC", "D_WEIGHT_BYTES", surface.weight.size)
    writes.word("CSC", "D_WMB_BYTES", surface.wmb.size)
    writes.fields(
        "CSC",
        "D_DATAOUT_SIZE_0",
        DATAOUT_WIDTH=op.in_width_cmac - 1,
        DATAOUT_HEIGHT=op.in_height_cmac - 1,
    )
    writes.fields("CSC", "D_DATAOUT_SIZE_1", DATAOUT_CHANNEL=dst.channel - 1)
    writes.fields("CSC", "D_ATOMICS", ATOMICS=dst.width * dst.height - 1)
    writes.fields("CSC", "D_RELEASE", RLS_SLICES=op.release - 1)
    writes.fields(
        "CSC",
        "D_CONV_STRIDE_EXT",
        CONV_X_STRIDE_EXT=op.stride_x - 1 if direct else 0,
        CONV_Y_STRIDE_EXT=op.stride_y - 1 if direct else 0,
    )
    writes.fields("CSC", "D_DILATION_EXT", X_DILATION_EXT=op.dilation_x - 1, Y_DILATION_EXT=op.dilation_y - 1)
    writes.fields(
        "CSC",
        "D_ZERO_PADDING",
        PAD_LEFT=op.pad_left if direct else 0,
        PAD_TOP=op.pad_top if direct else 0,
    )
    writes.fields("CSC", "D_ZERO_PADDING_VALUE", PAD_VALUE=op.pad_val & 0xFFFF)
    writes.fields("CSC", "D_BANK", DATA_BANK=op.data_bank - 1, WEIGHT_BANK=op.weight_bank - 1)
    writes.fields("CSC", "D_PRA_CFG", PRA_TRUNCATE=op.pra_truncate)


def _input(op: Descriptor, surface: Descriptor, writes: Writes) -> None:
    src, atom = surface.src, writes.config.atom
    pixels = op.data_format != PixelFormat.FEATURE
    _misc(op, "CDMA", op.in_precision, writes)
    writes.fields(
        "CDMA",
        "D_DATAIN_FORMAT",
        DATAIN_FORMAT=int(pixels),
        PIXEL_FORMAT=op.data_format if pixels else 0,
        PIXEL_MAPPING=op.pixel_mapping,
        PIXEL_SIGN_OVERRIDE=op.pixel_override,
    )
    writes.fields("CDMA", "D_DATAIN_SIZE_0", DATAIN_WIDTH=src.width - 1, DATAIN_HEIGHT=src.height - 1)
    writes.fields("CDMA", "D_DATAIN_SIZE_1", DATAIN_CHANNEL=src.channel - 1)
    writes.fields(
        "CDMA",
        "D_DATAIN_SIZE_EXT_0",
        DATAIN_WIDTH_EXT=op.in_width_csc - 1,
        DATAIN_HEIGHT_EXT=op.in_height_csc - 1,
    )
    writes.fields("CDMA", "D_DAIN_RAM_TYPE", DATAIN_RAM_TYPE=ram_type(src))
    first = writes.address(src)
    for plane, address in enumerate((first, first + surface.offset_u)):
        writes.word("CDMA", f"D_DAIN_ADDR_HIGH_{plane}", address >> 32)
        writes.word("CDMA", f"D_DAIN_ADDR_LOW_{plane}", address)
    writes.word("CDMA", "D_LINE_STRIDE", src.line_stride)
    writes.word("CDMA", "D_SURF_STRIDE", src.surf_stride)
    writes.word("CDMA", "D_LINE_UV_STRIDE", surface.in_line_uv_stride)
    writes.fields(
        "CDMA",
        "D_DAIN_MAP",
        LINE_PACKED=int(src.line_stride == src.width * atom),
        SURF_PACKED=int(src.surf_stride == src.width * src.height * atom),
    )
    writes.fields("CDMA", "D_BATCH_NUMBER", BATCHES=op.batch - 1)
    writes.word("CDMA", "D_BATCH_STRIDE", op.batch_stride)
    writes.fields("CDMA", "D_ENTRY_PER_SLICE", ENTRIES=op.entry_per_slice - 1)
    writes.fields("CDMA", "D_FETCH_GRAIN", GRAINS=op.fetch_grain - 1)


def _weights(op: Descriptor, surface: Descriptor, writes: Writes) -> None:
    weight = surface.weight
    writes.fields("CDMA", "D_WEIGHT_FORMAT", WEIGHT_FORMAT=op.weight_format)
    writes.fields("CDMA", "D_WEIGHT_SIZE_0", BYTE_PER_KERNEL=op.bytes_per_kernel - 1)
    writes.fields("CDMA", "D_WEIGHT_SIZE_1", WEIGHT_KERNEL=surface.dst.channel - 1)
    writes.fields("CDMA", "D_WEIGHT_RAM_TYPE", WEIGHT_RAM_TYPE=ram_type(weight))
    writes.base("CDMA", "WEIGHT_ADDR", weight, high_first=True)
    writes.word("CDMA", "D_WEIGHT_BYTES", weight.size)
    if op.weight_format == WeightFormat.COMPRESSED:
        writes.base("CDMA", "WGS_ADDR", surface.wgs, high_first=True)
        writes.base("CDMA", "WMB_ADDR", surface.wmb, high_first=True)
        writes.word("CDMA", "D_WMB_BYTES", surface.wmb.size)


def _conversion(op: Descriptor, writes: Writes) -> None:
    """Mean, input converter, stride, padding and banks; registers of a disabled part keep what they hold."""
    writes.fields("CDMA", "D_MEAN_FORMAT", MEAN_FORMAT=op.mean_format)
    if op.mean_format:
        writes.fields("CDMA", "D_MEAN_GLOBAL_0", MEAN_RY=op.mean_ry & 0xFFFF, MEAN_GU=op.mean_gu & 0xFFFF)
        writes.fields("CDMA", "D_MEAN_GLOBAL_1", MEAN_BV=op.mean_bv & 0xFFFF, MEAN_AX=op.mean_ax & 0xFFFF)
    if op.in_cvt.enable:
        writes.fields("CDMA", "D_CVT_CFG", CVT_EN=1, CVT_TRUNCATE=op.in_cvt.truncate)
        writes.word("CDMA", "D_CVT_OFFSET", op.in_cvt.offset)
        writes.word("CDMA", "D_CVT_SCALE", op.in_cvt.scale & 0xFFFF)
    else:
        writes.fields("CDMA", "D_CVT_CFG", CVT_EN=0)
    writes.fields("CDMA", "D_CONV_STRIDE", CONV_X_STRIDE=op.stride_x - 1, CONV_Y_STRIDE=op.stride_y - 1)
    writes.fields(
        "CDMA",
        "D_ZERO_PADDING",
        PAD_LEFT=op.pad_left,
        PAD_RIGHT=op.pad_right,
        PAD_TOP=op.pad_top,
        PAD_BOTTOM=op.pad_bottom,
    )
    writes.fields("CDMA", "D_ZERO_PADDING_VALUE", PAD_VALUE=op.pad_val & 0xFFFF)
    writes.fields("CDMA", "D_BANK", DATA_BANK=op.data_bank - 1, WEIGHT_BANK=op.weight_bank - 1)
