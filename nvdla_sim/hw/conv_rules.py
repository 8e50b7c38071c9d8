"""What makes a convolution's program legal: the chip model's own checks, the sizes of its memories, and the
agreement of the four units.

Source: hardware-facts sections 2, 3.3 and 3.6; the refused programs of the random goldens.
"""

from __future__ import annotations

from nvdla_sim.hw.config import Config
from nvdla_sim.hw.conv_layer import ConvLayer
from nvdla_sim.hw.formats import round_up
from nvdla_sim.hw.pixel import PixelFormat
from nvdla_sim.hw.program import Group, Problems

MAX_CLIP_TRUNCATE = 16  # from the accumulator's 48 bits to SDP's 32
# This simulator's own limits: it holds one convolution's output stream and several copies of its weights.
MAX_OUTPUTS = 1 << 26
MAX_WEIGHTS = 1 << 27  # bytes; the largest layer of the well-known networks has 0.8 of it


def feature_entries(config: Config, width: int, channels: int, itemsize: int) -> int:
    """Convolution buffer entries that one line of a feature cube takes.

    Each column fills whole entries with its atoms. Of the atoms left over (fewer than an entry holds) those
    of neighbouring columns share entries where two or four columns fit into one.
    """
    per_entry = config.cbuf_entry // config.atom
    full, rest = divmod(-(-channels * itemsize // config.atom), per_entry)
    if rest == 0:
        return width * full
    columns = per_entry // (1 << (rest - 1).bit_length())
    return width * full + -(-width // columns)


def check_units(dma: Group, seq: Group, mac: Group, acc: Group, problems: Problems) -> None:
    """The units are programmed for the same convolution."""

    def agree(field: str, *units: Group) -> None:
        same = len({unit[field] for unit in units}) == 1
        values = ", ".join(f"{unit.unit} has {unit[field]}" for unit in units)
        problems.require(same, f"{field} differs: {values}")

    agree("D_MISC_CFG.CONV_MODE", dma, seq, mac, acc)
    agree("D_MISC_CFG.PROC_PRECISION", dma, seq, mac, acc)
    agree("D_BATCH_NUMBER.BATCHES", dma, seq, acc)
    for field in (
        "D_MISC_CFG.DATA_REUSE",
        "D_MISC_CFG.WEIGHT_REUSE",
        "D_MISC_CFG.SKIP_DATA_RLS",
        "D_MISC_CFG.SKIP_WEIGHT_RLS",
        "D_DATAIN_FORMAT.DATAIN_FORMAT",
        "D_DATAIN_SIZE_EXT_0.DATAIN_WIDTH_EXT",
        "D_DATAIN_SIZE_EXT_0.DATAIN_HEIGHT_EXT",
        "D_ZERO_PADDING_VALUE.PAD_VALUE",
        "D_ENTRY_PER_SLICE.ENTRIES",
        "D_WEIGHT_FORMAT.WEIGHT_FORMAT",
        "D_WEIGHT_BYTES.WEIGHT_BYTES",
        "D_BANK.DATA_BANK",
        "D_BANK.WEIGHT_BANK",
    ):
        agree(field, dma, seq)
    if seq["D_MISC_CFG.CONV_MODE"] == 0:
        agree("D_ZERO_PADDING.PAD_LEFT", dma, seq)
        agree("D_ZERO_PADDING.PAD_TOP", dma, seq)
    if seq["D_WEIGHT_FORMAT.WEIGHT_FORMAT"] == 1:
        agree("D_WMB_BYTES.WMB_BYTES", dma, seq)
    agree("D_DATAOUT_SIZE_0.DATAOUT_WIDTH", seq, acc)
    agree("D_DATAOUT_SIZE_0.DATAOUT_HEIGHT", seq, acc)
    agree("D_DATAOUT_SIZE_1.DATAOUT_CHANNEL", seq, acc)
    kernels = seq.size("D_WEIGHT_SIZE_EXT_1.WEIGHT_KERNEL")
    for unit, field in ((dma, "D_WEIGHT_SIZE_1.WEIGHT_KERNEL"), (seq, "D_DATAOUT_SIZE_1.DATAOUT_CHANNEL")):
        problems.require(
            unit.size(field) == kernels,
            f"{unit.unit} {field}: {unit.size(field)}, but CSC has {kernels} kernels",
        )


def check_layer(config: Config, dma: Group, seq: Group, layer: ConvLayer, problems: Problems) -> None:
    """The layer is one that the chip can run."""
    problems.require(
        layer.clip_truncate <= MAX_CLIP_TRUNCATE,
        f"CLIP_TRUNCATE: {layer.clip_truncate}, at most {MAX_CLIP_TRUNCATE}",
    )
    atomics = seq.size("D_ATOMICS.ATOMICS")
    outputs = layer.out_width * layer.out_height
    problems.require(
        atomics == outputs, f"ATOMICS: {atomics}, the output is {layer.out_width}x{layer.out_height}"
    )
    outputs *= layer.lanes(config) * layer.batches
    problems.require(
        outputs <= MAX_OUTPUTS, f"the output stream of {outputs} values is longer than {MAX_OUTPUTS}"
    )
    problems.require(
        layer.batches <= config.max_batch, f"BATCHES: {layer.batches}, {config.name} has {config.max_batch}"
    )
    for name, value in (
        ("DAIN_ADDR_0", layer.address),
        ("LINE_STRIDE", layer.line_stride),
        ("SURF_STRIDE", 0 if layer.pixels else layer.surf_stride),
        ("WEIGHT_ADDR", layer.weight_address),
    ):
        problems.require(value % config.atom == 0, f"{name}: 0x{value:x} is not a multiple of {config.atom}")
    whole = layer.height == layer.ext_height or layer.data_reuse or layer.winograd
    problems.require(whole, f"{layer.height} lines are fetched, {layer.ext_height} are convolved")
    if layer.pixels:
        _check_pixels(config, dma, layer, layer.pixels, problems)
    elif layer.winograd:
        _check_winograd(config, dma, seq, layer, problems)
    else:
        _check_direct(config, dma, layer, problems)
    _check_weights(config, dma, layer, problems)


def _check_banks(config: Config, layer: ConvLayer, entries_per_slice: int, problems: Problems) -> None:
    """The whole input cube lies in its banks, in slices of the size that the input's shape gives."""
    problems.require(
        layer.entries_per_slice == entries_per_slice,
        f"ENTRIES: {layer.entries_per_slice}, a slice of this input takes {entries_per_slice}",
    )
    needed = entries_per_slice * layer.ext_height * layer.batches
    available = layer.data_banks * config.cbuf_entries
    problems.require(
        needed <= available,
        f"DATA_BANK: the input takes {needed} entries, {layer.data_banks} banks have {available}",
    )


def _check_weights(config: Config, dma: Group, layer: ConvLayer, problems: Problems) -> None:
    kernel_bytes = dma.size("D_WEIGHT_SIZE_0.BYTE_PER_KERNEL")
    problems.require(
        kernel_bytes == layer.kernel_bytes,
        f"BYTE_PER_KERNEL: {kernel_bytes}, a kernel of this shape has {layer.kernel_bytes}",
    )
    banks = layer.data_banks + layer.weight_banks + layer.compressed  # the bit mask has the last bank
    problems.require(
        banks <= config.cbuf_banks, f"BANK: {banks} banks used, {config.name} has {config.cbuf_banks}"
    )
    total = layer.kernel_bytes * layer.kernels
    problems.require(total <= MAX_WEIGHTS, f"the weights have {total} bytes, more than {MAX_WEIGHTS}")
    available = layer.weight_banks * config.bank_bytes
    problems.require(
        layer.weight_bytes <= available or not layer.skip_weight_release,
        f"SKIP_WEIGHT_RLS: the weights have {layer.weight_bytes} bytes, their banks {available}",
    )
    problems.require(
        layer.weight_bytes > 0 and layer.weight_bytes % config.cbuf_entry == 0,
        f"WEIGHT_BYTES: {layer.weight_bytes} is not a positive multiple of {config.cbuf_entry}",
    )
    group = min(layer.kernels, layer.atomic_k(config)) * layer.kernel_bytes
    if layer.compressed:
        problems.require(config.compression, f"WEIGHT_FORMAT COMPRESSED: {config.name} cannot decompress")
        mask_bytes, group_mask = (-(-size // layer.itemsize // 8) for size in (total, group))
        problems.require(
            layer.wmb_bytes >= mask_bytes, f"WMB_BYTES: {layer.wmb_bytes}, these kernels need {mask_bytes}"
        )
        problems.require(
            group_mask <= config.bank_bytes,
            f"a kernel group's bit mask has {group_mask} bytes, its bank {config.bank_bytes}",
        )
    else:
        problems.require(
            layer.weight_bytes >= total, f"WEIGHT_BYTES: {layer.weight_bytes}, these kernels have {total}"
        )
        problems.require(
            round_up(group, config.cbuf_entry) <= available,
            f"WEIGHT_BANK: a kernel group has {group} bytes, its banks {available}",
        )


def _check_direct(config: Config, dma: Group, layer: ConvLayer, problems: Problems) -> None:
    _check_feature(config, dma, layer, problems)
    problems.require(
        (layer.width, layer.channels) == (layer.ext_width, layer.ext_channels),
        f"CDMA fetches width {layer.width} and {layer.channels} channels, CSC takes width {layer.ext_width} "
        f"and {layer.ext_channels} channels",
    )
    problems.require(
        layer.kernel_channels == layer.ext_channels,
        f"WEIGHT_CHANNEL_EXT: {layer.kernel_channels}, the input has {layer.ext_channels} channels",
    )
    problems.require(layer.rows_per_step == 1, "Y_EXTENSION is for pixel input only")
    surfaces = -(-layer.channels * layer.in_itemsize // config.atom)
    problems.require(
        layer.batches == 1 or layer.batch_stride >= layer.surf_stride * surfaces,
        f"BATCH_STRIDE: {layer.batch_stride}, one cube takes {layer.surf_stride * surfaces}",
    )
    window = (layer.out_width - 1) * layer.stride_x + (layer.kernel_width - 1) * layer.dilation_x + 1
    padded = layer.pad_left + layer.width + layer.pad_right
    problems.require(
        window <= padded, f"the windows reach over {window} columns, the padded input has {padded}"
    )
    _check_rows(layer, problems)
    entries = feature_entries(config, layer.ext_width, layer.ext_channels, layer.itemsize)
    _check_banks(config, layer, entries, problems)
    packed = dma["D_DAIN_MAP.LINE_PACKED"] == 1
    single = layer.width == layer.height == 1 and packed and dma["D_DAIN_MAP.SURF_PACKED"] == 1
    problems.require(
        not single or surfaces == 1 or layer.surf_stride == config.atom,
        f"SURF_STRIDE: a packed 1x1 cube has {config.atom}, not {layer.surf_stride}",
    )
    grains = dma.size("D_FETCH_GRAIN.GRAINS")
    limit = layer.height if packed else 1
    problems.require(
        single or grains <= limit, f"FETCH_GRAIN: {grains} lines at once, at most {limit} for this input"
    )


def _check_rows(layer: ConvLayer, problems: Problems) -> None:
    window = (layer.out_height - 1) * layer.stride_y + (layer.kernel_height - 1) * layer.dilation_y + 1
    padded = layer.pad_top + layer.ext_height + layer.pad_bottom
    problems.require(
        window <= padded, f"the windows reach over {window} lines, the padded input has {padded}"
    )


def _check_feature(config: Config, dma: Group, layer: ConvLayer, problems: Problems) -> None:
    problems.require(
        layer.in_itemsize == layer.itemsize,
        f"IN_PRECISION: {layer.in_itemsize} bytes, PROC_PRECISION {layer.itemsize}: cubes are not widened",
    )
    line = layer.width * config.atom
    packed = dma["D_DAIN_MAP.LINE_PACKED"] == 1
    problems.require(
        packed == (layer.line_stride == line),
        f"LINE_PACKED: {int(packed)}, but a line takes {line} bytes and LINE_STRIDE is {layer.line_stride}",
    )


def _check_pixels(
    config: Config, dma: Group, layer: ConvLayer, pixels: PixelFormat, problems: Problems
) -> None:
    components = len(pixels.components)
    problems.require(
        dma["D_DATAIN_FORMAT.PIXEL_MAPPING"] == 0, "PIXEL_MAPPING: only pitch linear images exist"
    )
    problems.require(not layer.winograd, "CONV_MODE: Winograd takes no pixels")
    problems.require(layer.batches == 1, f"BATCHES: {layer.batches}, pixel input has one")
    problems.require(
        layer.channels == layer.ext_channels == components,
        f"channels: CDMA {layer.channels}, CSC {layer.ext_channels}, {pixels.name} has {components}",
    )
    problems.require(
        layer.in_itemsize == pixels.sample_bytes,
        f"IN_PRECISION: {layer.in_itemsize} bytes, {pixels.name} has {pixels.sample_bytes}",
    )
    problems.require(
        layer.in_itemsize == layer.itemsize or layer.convert,
        "IN_PRECISION differs from PROC_PRECISION: this needs the converter (CVT_EN)",
    )
    problems.require(
        layer.width == layer.ext_width, f"CDMA fetches width {layer.width}, CSC takes {layer.ext_width}"
    )
    strides = (layer.line_stride, layer.uv_line_stride)
    starts = layer.plane_starts(config, pixels)
    for stride, start, pixel_bytes in zip(strides, starts, pixels.plane_bytes, strict=False):
        line = start + layer.width * pixel_bytes
        problems.require(line <= stride, f"LINE_STRIDE: {stride}, a line takes {line} bytes")
    problems.require(layer.kernel_width == 1, f"WEIGHT_WIDTH_EXT: {layer.kernel_width}, pixel input has 1")
    rows = layer.rows_per_step
    problems.require(
        rows in (1, 2, 4) and (rows == 1 or layer.kernel_channels * rows <= config.atomic_c),
        f"Y_EXTENSION: {rows} rows of {layer.kernel_channels} do not fit {config.atomic_c} channels",
    )
    line = (layer.pad_left + layer.width + layer.pad_right) * components
    window = (layer.out_width - 1) * layer.stride_x * components + layer.kernel_channels
    problems.require(window <= line, f"the windows reach over {window} elements, a padded line has {line}")
    _check_rows(layer, problems)
    _check_banks(config, layer, -(-line * layer.itemsize // config.cbuf_entry), problems)


def _check_winograd(config: Config, dma: Group, seq: Group, layer: ConvLayer, problems: Problems) -> None:
    problems.require(config.winograd, f"CONV_MODE: {config.name} has no Winograd")
    _check_feature(config, dma, layer, problems)
    problems.require(layer.batches == 1, f"BATCHES: {layer.batches}, Winograd has one")
    problems.require(layer.rows_per_step == 1, "Y_EXTENSION is for pixel input only")
    problems.require(
        (layer.kernel_width, layer.kernel_height) == (4, 4),
        f"the kernel is {layer.kernel_width}x{layer.kernel_height}, a transformed one is 4x4",
    )
    walk = (layer.stride_x, layer.stride_y, seq["D_ZERO_PADDING.PAD_LEFT"], seq["D_ZERO_PADDING.PAD_TOP"])
    problems.require(walk == (1, 1, 0, 0), "CSC has strides or pads: in Winograd mode CDMA has applied them")
    width = layer.pad_left + layer.width + layer.pad_right
    height = layer.pad_top + layer.height + layer.pad_bottom
    step_x, step_y = 4 * layer.channel_stride_x, 4 * layer.channel_stride_y
    problems.require(
        width % step_x == 0 and height % step_y == 0,
        f"the padded input is {width}x{height}, not a multiple of {step_x}x{step_y}",
    )
    per_atom = config.atom // layer.itemsize
    channels = round_up(layer.channels, per_atom) * layer.channel_stride_x * layer.channel_stride_y
    cube = (layer.ext_width, layer.ext_height, layer.ext_channels)
    expected = (width // layer.channel_stride_x, height // layer.channel_stride_y, channels)
    problems.require(cube == expected, f"CSC takes a cube of {cube}, CDMA makes {expected}")
    problems.require(
        layer.kernel_channels == channels, f"WEIGHT_CHANNEL_EXT: {layer.kernel_channels}, not {channels}"
    )
    out = (layer.out_width, layer.out_height)
    problems.require(out[0] % 4 == 0 == out[1] % 4, f"the output is {out[0]}x{out[1]}, not a multiple of 4x4")
    problems.require(
        out[0] + 2 <= layer.ext_width and out[1] + 2 <= layer.ext_height,
        f"the output is {out[0]}x{out[1]}, the extended input only {layer.ext_width}x{layer.ext_height}",
    )
    _check_banks(config, layer, layer.ext_width * channels * layer.itemsize // config.cbuf_entry, problems)
