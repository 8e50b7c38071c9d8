"""A convolution's registers decoded into one layer: what CDMA, CSC, CMAC and CACC are asked to do.

Source: hardware-facts sections 2, 3 and 6.1.
"""

from __future__ import annotations

from nvdla_sim.hw.config import Config
from nvdla_sim.hw.conv_layer import ConvLayer
from nvdla_sim.hw.conv_rules import check_layer, check_units
from nvdla_sim.hw.fixed_point import sign_extend
from nvdla_sim.hw.pixel import PixelFormat, pixel_format
from nvdla_sim.hw.program import Group, Problems, Registers, group, itemsize


def decode(config: Config, cdma: Registers, csc: Registers, cmac: Registers, cacc: Registers) -> ConvLayer:
    """The convolution in the four units' register groups (``cmac``: either half's).

    Raises ``ProgramError`` with everything the chip would refuse, hang on or compute nonsense with, and
    ``UnsupportedError`` for fp16.
    """
    problems = Problems("The convolution")
    dma = group(config, "CDMA", cdma)
    seq = group(config, "CSC", csc)
    mac = group(config, "CMAC", cmac)
    acc = group(config, "CACC", cacc)
    size = itemsize(config, seq["D_MISC_CFG.PROC_PRECISION"], "CSC PROC_PRECISION", problems)
    in_size = itemsize(config, dma["D_MISC_CFG.IN_PRECISION"], "CDMA IN_PRECISION", problems)
    winograd = seq["D_MISC_CFG.CONV_MODE"] == 1
    pixels = None
    if seq["D_DATAIN_FORMAT.DATAIN_FORMAT"] == 1:
        code = dma["D_DATAIN_FORMAT.PIXEL_FORMAT"]
        pixels = pixel_format(code)
        problems.require(pixels is not None, f"PIXEL_FORMAT: {code} is reserved")
    check_units(dma, seq, mac, acc, problems)
    problems.stop()

    # the v1 registers leave out the low seven bits of weight sizes
    weight_unit = 128 if config.register_family == "v1" else 1
    layer = ConvLayer(
        winograd=winograd,
        pixels=pixels,
        in_itemsize=in_size,
        itemsize=size,
        ram_type=dma["D_DAIN_RAM_TYPE.DATAIN_RAM_TYPE"],
        address=_data_address(dma, 0),
        address_1=_data_address(dma, 1),
        line_stride=dma.stride("D_LINE_STRIDE", "LINE_STRIDE"),
        uv_line_stride=dma.stride("D_LINE_UV_STRIDE", "UV_LINE_STRIDE"),
        surf_stride=dma.stride("D_SURF_STRIDE", "SURF_STRIDE"),
        width=dma.size("D_DATAIN_SIZE_0.DATAIN_WIDTH"),
        height=dma.size("D_DATAIN_SIZE_0.DATAIN_HEIGHT"),
        channels=dma.size("D_DATAIN_SIZE_1.DATAIN_CHANNEL"),
        batches=dma.size("D_BATCH_NUMBER.BATCHES"),
        batch_stride=dma.stride("D_BATCH_STRIDE", "BATCH_STRIDE"),
        pixel_x_offset=dma["D_PIXEL_OFFSET.PIXEL_X_OFFSET"],
        pixel_signed=dma["D_DATAIN_FORMAT.PIXEL_SIGN_OVERRIDE"] == 1,
        # Winograd data passes as it is: the chip's model has no converter in that mode
        convert=dma["D_CVT_CFG.CVT_EN"] == 1 and not winograd,
        cvt_offset=_offsets(dma, pixels),
        cvt_scale=dma.signed("D_CVT_SCALE.CVT_SCALE", 16),
        cvt_truncate=dma["D_CVT_CFG.CVT_TRUNCATE"],
        pad_left=dma["D_ZERO_PADDING.PAD_LEFT"],
        pad_right=dma["D_ZERO_PADDING.PAD_RIGHT"],
        pad_top=dma["D_ZERO_PADDING.PAD_TOP"],
        pad_bottom=dma["D_ZERO_PADDING.PAD_BOTTOM"],
        pad_value=int(sign_extend(seq["D_ZERO_PADDING_VALUE.PAD_VALUE"], 8 * size)),
        ext_width=seq.size("D_DATAIN_SIZE_EXT_0.DATAIN_WIDTH_EXT"),
        ext_height=seq.size("D_DATAIN_SIZE_EXT_0.DATAIN_HEIGHT_EXT"),
        ext_channels=seq.size("D_DATAIN_SIZE_EXT_1.DATAIN_CHANNEL_EXT"),
        channel_stride_x=dma.size("D_CONV_STRIDE.CONV_X_STRIDE"),
        channel_stride_y=dma.size("D_CONV_STRIDE.CONV_Y_STRIDE"),
        stride_x=seq.size("D_CONV_STRIDE_EXT.CONV_X_STRIDE_EXT"),
        stride_y=seq.size("D_CONV_STRIDE_EXT.CONV_Y_STRIDE_EXT"),
        # the walk over pixel lines has no dilation
        dilation_x=1 if pixels else seq.size("D_DILATION_EXT.X_DILATION_EXT"),
        dilation_y=1 if pixels else seq.size("D_DILATION_EXT.Y_DILATION_EXT"),
        pra_truncate=seq["D_PRA_CFG.PRA_TRUNCATE"],
        weight_ram_type=dma["D_WEIGHT_RAM_TYPE.WEIGHT_RAM_TYPE"],
        weight_address=dma.address("WEIGHT_ADDR"),
        weight_bytes=dma["D_WEIGHT_BYTES.WEIGHT_BYTES"] * weight_unit,
        kernels=seq.size("D_WEIGHT_SIZE_EXT_1.WEIGHT_KERNEL"),
        kernel_width=seq.size("D_WEIGHT_SIZE_EXT_0.WEIGHT_WIDTH_EXT"),
        kernel_height=seq.size("D_WEIGHT_SIZE_EXT_0.WEIGHT_HEIGHT_EXT"),
        kernel_channels=seq.size("D_WEIGHT_SIZE_EXT_1.WEIGHT_CHANNEL_EXT"),
        rows_per_step=1 << seq["D_POST_Y_EXTENSION.Y_EXTENSION"],
        compressed=seq["D_WEIGHT_FORMAT.WEIGHT_FORMAT"] == 1,
        wmb_address=dma.address("WMB_ADDR"),
        wmb_bytes=dma["D_WMB_BYTES.WMB_BYTES"] * weight_unit,
        wgs_address=dma.address("WGS_ADDR"),
        entries_per_slice=seq.size("D_ENTRY_PER_SLICE.ENTRIES"),
        data_banks=seq.size("D_BANK.DATA_BANK"),
        weight_banks=seq.size("D_BANK.WEIGHT_BANK"),
        data_reuse=seq["D_MISC_CFG.DATA_REUSE"] == 1,
        weight_reuse=seq["D_MISC_CFG.WEIGHT_REUSE"] == 1,
        skip_data_release=seq["D_MISC_CFG.SKIP_DATA_RLS"] == 1,
        skip_weight_release=seq["D_MISC_CFG.SKIP_WEIGHT_RLS"] == 1,
        release_slices=seq.size("D_RELEASE.RLS_SLICES"),
        out_width=seq.size("D_DATAOUT_SIZE_0.DATAOUT_WIDTH"),
        out_height=seq.size("D_DATAOUT_SIZE_0.DATAOUT_HEIGHT"),
        clip_truncate=acc["D_CLIP_CFG.CLIP_TRUNCATE"],
    )
    check_layer(config, dma, seq, layer, problems)
    problems.stop()
    return layer


def _data_address(dma: Group, plane: int) -> int:
    low = dma.stride(f"D_DAIN_ADDR_LOW_{plane}", f"DATAIN_ADDR_LOW_{plane}")
    return dma[f"D_DAIN_ADDR_HIGH_{plane}.DATAIN_ADDR_HIGH_{plane}"] << 32 | low


def _offsets(dma: Group, pixels: PixelFormat | None) -> tuple[int, ...]:
    """The converter's offset, or the mean of each component, which replaces it."""
    if pixels is None or dma["D_MEAN_FORMAT.MEAN_FORMAT"] == 0:
        return (dma.signed("D_CVT_OFFSET.CVT_OFFSET", 16),)
    means = (
        dma.signed("D_MEAN_GLOBAL_0.MEAN_RY", 16),
        dma.signed("D_MEAN_GLOBAL_0.MEAN_GU", 16),
        dma.signed("D_MEAN_GLOBAL_1.MEAN_BV", 16),
        dma.signed("D_MEAN_GLOBAL_1.MEAN_AX", 16),
    )
    return means[: len(pixels.components)]
