"""A convolution's register program decoded: what CDMA, CSC, CMAC and CACC are asked to do.

Source: hardware-facts sections 3 and 6.1; the checks are the chip model's own and those that keep a wrong
program from reading outside its memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nvdla_sim.hw.config import Config
from nvdla_sim.hw.fixed_point import sign_extend

Registers = Mapping[str, int]

INT8, INT16, FP16 = 0, 1, 2  # the register code of a precision


@dataclass(frozen=True)
class ConvLayer:
    """One convolution. Sizes are elements (not minus one), strides and addresses bytes."""

    winograd: bool
    pixel: bool  # pixel input instead of a feature cube
    in_precision: int
    precision: int  # of processing: data and weights inside the convolution buffer

    # CDMA: the input in memory
    ram_type: int
    address: int
    address_1: int  # second plane of semi-planar pixels
    line_stride: int
    uv_line_stride: int
    surf_stride: int
    width: int
    height: int
    channels: int
    batches: int
    batch_stride: int
    pixel_format: int
    pixel_x_offset: int
    pixel_signed: bool  # PIXEL_SIGN_OVERRIDE

    # CDMA: the input converter; mean (R|Y, G|U, B|V, A|X) replaces the offset when it is given
    convert: bool
    cvt_offset: int
    cvt_scale: int
    cvt_truncate: int
    mean: tuple[int, int, int, int] | None

    # padding, in the converted domain
    pad_left: int
    pad_right: int
    pad_top: int
    pad_bottom: int
    pad_value: int

    # the cube inside the convolution buffer, as CSC walks over it (extended by stride in Winograd mode)
    ext_width: int
    ext_height: int
    ext_channels: int
    stride_x: int
    stride_y: int
    dilation_x: int
    dilation_y: int
    channel_stride_x: int  # Winograd only: the strides that became channels
    channel_stride_y: int
    pra_truncate: int

    # weights; in pixel mode kernel_width is 1 and kernel_channels = kernel width * components
    weight_ram_type: int
    weight_address: int
    weight_bytes: int
    kernels: int
    kernel_width: int
    kernel_height: int
    kernel_channels: int
    lines_per_step: int  # post extension: 1, 2 or 4 kernel lines in one MAC step
    compressed: bool
    wmb_address: int
    wmb_bytes: int
    wgs_address: int

    # convolution buffer
    entries_per_slice: int
    data_banks: int
    weight_banks: int
    data_reuse: bool
    weight_reuse: bool
    skip_data_release: bool
    skip_weight_release: bool
    release_slices: int

    # CACC
    out_width: int
    out_height: int
    clip_truncate: int

    @property
    def itemsize(self) -> int:
        """Bytes of one processed element."""
        return 1 if self.precision == INT8 else 2


def decode(config: Config, cdma: Registers, csc: Registers, cmac: Registers, cacc: Registers) -> ConvLayer:
    """The convolution that the four units' registers (``"REGISTER.FIELD"`` -> raw value) describe."""
    # the v1 registers leave out the low bits of addresses and strides, which are then 0
    unit, weight_unit = (32, 128) if config.register_family == "v1" else (1, 1)

    def address(high: str, low: str) -> int:
        return (cdma[high] << 32) + cdma[low] * unit

    def int16(regs: Registers, field: str) -> int:
        return int(sign_extend(regs[field], 16))

    precision = csc["D_MISC_CFG.PROC_PRECISION"]
    winograd = csc["D_MISC_CFG.CONV_MODE"] == 1
    pixel = csc["D_DATAIN_FORMAT.DATAIN_FORMAT"] == 1
    mean = None
    if pixel and cdma["D_MEAN_FORMAT.MEAN_FORMAT"]:
        mean = (
            int16(cdma, "D_MEAN_GLOBAL_0.MEAN_RY"),
            int16(cdma, "D_MEAN_GLOBAL_0.MEAN_GU"),
            int16(cdma, "D_MEAN_GLOBAL_1.MEAN_BV"),
            int16(cdma, "D_MEAN_GLOBAL_1.MEAN_AX"),
        )
    return ConvLayer(
        winograd=winograd,
        pixel=pixel,
        in_precision=cdma["D_MISC_CFG.IN_PRECISION"],
        precision=precision,
        ram_type=cdma["D_DAIN_RAM_TYPE.DATAIN_RAM_TYPE"],
        address=address("D_DAIN_ADDR_HIGH_0.DATAIN_ADDR_HIGH_0", "D_DAIN_ADDR_LOW_0.DATAIN_ADDR_LOW_0"),
        address_1=address("D_DAIN_ADDR_HIGH_1.DATAIN_ADDR_HIGH_1", "D_DAIN_ADDR_LOW_1.DATAIN_ADDR_LOW_1"),
        line_stride=cdma["D_LINE_STRIDE.LINE_STRIDE"] * unit,
        uv_line_stride=cdma["D_LINE_UV_STRIDE.UV_LINE_STRIDE"] * unit,
        surf_stride=cdma["D_SURF_STRIDE.SURF_STRIDE"] * unit,
        width=cdma["D_DATAIN_SIZE_0.DATAIN_WIDTH"] + 1,
        height=cdma["D_DATAIN_SIZE_0.DATAIN_HEIGHT"] + 1,
        channels=cdma["D_DATAIN_SIZE_1.DATAIN_CHANNEL"] + 1,
        batches=cdma["D_BATCH_NUMBER.BATCHES"] + 1,
        batch_stride=cdma["D_BATCH_STRIDE.BATCH_STRIDE"] * unit,
        pixel_format=cdma["D_DATAIN_FORMAT.PIXEL_FORMAT"],
        pixel_x_offset=cdma["D_PIXEL_OFFSET.PIXEL_X_OFFSET"],
        pixel_signed=cdma["D_DATAIN_FORMAT.PIXEL_SIGN_OVERRIDE"] == 1,
        convert=cdma["D_CVT_CFG.CVT_EN"] == 1,
        cvt_offset=int16(cdma, "D_CVT_OFFSET.CVT_OFFSET"),
        cvt_scale=int16(cdma, "D_CVT_SCALE.CVT_SCALE"),
        cvt_truncate=cdma["D_CVT_CFG.CVT_TRUNCATE"],
        mean=mean,
        pad_left=cdma["D_ZERO_PADDING.PAD_LEFT"],
        pad_right=cdma["D_ZERO_PADDING.PAD_RIGHT"],
        pad_top=cdma["D_ZERO_PADDING.PAD_TOP"],
        pad_bottom=cdma["D_ZERO_PADDING.PAD_BOTTOM"],
        pad_value=int(sign_extend(csc["D_ZERO_PADDING_VALUE.PAD_VALUE"], 8 if precision == INT8 else 16)),
        ext_width=csc["D_DATAIN_SIZE_EXT_0.DATAIN_WIDTH_EXT"] + 1,
        ext_height=csc["D_DATAIN_SIZE_EXT_0.DATAIN_HEIGHT_EXT"] + 1,
        ext_channels=csc["D_DATAIN_SIZE_EXT_1.DATAIN_CHANNEL_EXT"] + 1,
        stride_x=csc["D_CONV_STRIDE_EXT.CONV_X_STRIDE_EXT"] + 1,
        stride_y=csc["D_CONV_STRIDE_EXT.CONV_Y_STRIDE_EXT"] + 1,
        dilation_x=csc["D_DILATION_EXT.X_DILATION_EXT"] + 1,
        dilation_y=csc["D_DILATION_EXT.Y_DILATION_EXT"] + 1,
        channel_stride_x=cdma["D_CONV_STRIDE.CONV_X_STRIDE"] + 1,
        channel_stride_y=cdma["D_CONV_STRIDE.CONV_Y_STRIDE"] + 1,
        pra_truncate=csc["D_PRA_CFG.PRA_TRUNCATE"],
        weight_ram_type=cdma["D_WEIGHT_RAM_TYPE.WEIGHT_RAM_TYPE"],
        weight_address=address("D_WEIGHT_ADDR_HIGH.WEIGHT_ADDR_HIGH", "D_WEIGHT_ADDR_LOW.WEIGHT_ADDR_LOW"),
        weight_bytes=cdma["D_WEIGHT_BYTES.WEIGHT_BYTES"] * weight_unit,
        kernels=csc["D_WEIGHT_SIZE_EXT_1.WEIGHT_KERNEL"] + 1,
        kernel_width=csc["D_WEIGHT_SIZE_EXT_0.WEIGHT_WIDTH_EXT"] + 1,
        kernel_height=csc["D_WEIGHT_SIZE_EXT_0.WEIGHT_HEIGHT_EXT"] + 1,
        kernel_channels=csc["D_WEIGHT_SIZE_EXT_1.WEIGHT_CHANNEL_EXT"] + 1,
        lines_per_step=1 << csc["D_POST_Y_EXTENSION.Y_EXTENSION"] if pixel else 1,
        compressed=csc["D_WEIGHT_FORMAT.WEIGHT_FORMAT"] == 1,
        wmb_address=address("D_WMB_ADDR_HIGH.WMB_ADDR_HIGH", "D_WMB_ADDR_LOW.WMB_ADDR_LOW"),
        wmb_bytes=cdma["D_WMB_BYTES.WMB_BYTES"] * weight_unit,
        wgs_address=address("D_WGS_ADDR_HIGH.WGS_ADDR_HIGH", "D_WGS_ADDR_LOW.WGS_ADDR_LOW"),
        entries_per_slice=csc["D_ENTRY_PER_SLICE.ENTRIES"] + 1,
        data_banks=csc["D_BANK.DATA_BANK"] + 1,
        weight_banks=csc["D_BANK.WEIGHT_BANK"] + 1,
        data_reuse=csc["D_MISC_CFG.DATA_REUSE"] == 1,
        weight_reuse=csc["D_MISC_CFG.WEIGHT_REUSE"] == 1,
        skip_data_release=csc["D_MISC_CFG.SKIP_DATA_RLS"] == 1,
        skip_weight_release=csc["D_MISC_CFG.SKIP_WEIGHT_RLS"] == 1,
        release_slices=csc["D_RELEASE.RLS_SLICES"] + 1,
        out_width=cacc["D_DATAOUT_SIZE_0.DATAOUT_WIDTH"] + 1,
        out_height=cacc["D_DATAOUT_SIZE_0.DATAOUT_HEIGHT"] + 1,
        clip_truncate=cacc["D_CLIP_CFG.CLIP_TRUNCATE"],
    )
