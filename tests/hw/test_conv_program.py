"""Convolution programs: what decoding gives, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nvdla_sim.errors import ProgramError, UnsupportedError
from nvdla_sim.hw import conv
from nvdla_sim.hw.config import CONFIGS
from nvdla_sim.hw.conv_rules import feature_entries
from tests.hw.conv_case import DATA, WEIGHTS, Case, CompressedCase, banks, compressed_case, random_case
from tests.hw.pixel_case import pixel_case


def feature(config: str = "nv_small") -> Case:
    return replace(random_case(config, 0, (1, 20, 6, 7), (19, 2, 3)), pads=(1, 2, 1, 0))


def both(field: str, value: int) -> dict[str, int]:
    return {f"{unit}.{field}": value for unit in ("CDMA", "CSC")}


@pytest.mark.parametrize("config", sorted(CONFIGS))
def test_decoded_values(config: str) -> None:
    case = replace(
        feature(config), pad_value=-3, convert=(-7, -900, 9), clip=5, stride=(3, 2), dilation=(1, 2)
    )
    layer = case.layer()
    atom = CONFIGS[config].atom
    assert (layer.width, layer.height, layer.channels) == (7, 6, 20)
    assert (layer.address, layer.line_stride, layer.surf_stride) == (DATA, 7 * atom, 42 * atom)
    assert (layer.weight_address, layer.weight_bytes) == (WEIGHTS, case.weight_bytes().size)
    assert (layer.kernels, layer.kernel_width, layer.kernel_height, layer.kernel_bytes) == (19, 3, 2, 120)
    assert (layer.out_width, layer.out_height) == (3, 2)
    assert (layer.stride_x, layer.stride_y, layer.dilation_x, layer.dilation_y) == (2, 3, 2, 1)
    assert (layer.pad_left, layer.pad_right, layer.pad_top, layer.pad_bottom) == (1, 2, 1, 0)
    assert layer.pad_value == -3
    assert (layer.cvt_offset, layer.cvt_scale, layer.cvt_truncate) == ((-7,), -900, 9)
    assert (layer.pixels, layer.winograd, layer.itemsize, layer.clip_truncate) == (None, False, 1, 5)
    assert layer.lanes(CONFIGS[config]) % atom == 0
    assert 0 <= layer.lanes(CONFIGS[config]) - 19 < atom


def test_addresses_have_64_bits() -> None:
    high = {
        "CDMA.D_DAIN_ADDR_HIGH_0.DATAIN_ADDR_HIGH_0": 5,
        "CDMA.D_WEIGHT_ADDR_HIGH.WEIGHT_ADDR_HIGH": 0x80000000,
    }
    layer = replace(feature("nv_full"), overrides=high).layer()
    assert (layer.address, layer.weight_address) == ((5 << 32) + DATA, (0x80000000 << 32) + WEIGHTS)


def test_mean_replaces_the_offset() -> None:
    case = replace(pixel_case("nv_small", 12, (4, 4), (3, 2, 2), 0), convert=(99, 1, 0))
    assert case.layer().cvt_offset == (99,)
    assert replace(case, means=(-1, 2, -3, 4)).layer().cvt_offset == (-1, 2, -3, 4)


@pytest.mark.parametrize(
    ("atoms", "per_entry", "entries"),
    # of 7 columns: whole entries, then four, two or one column in an entry
    [
        (1, 4, 2),
        (2, 4, 4),
        (3, 4, 7),
        (4, 4, 7),
        (5, 4, 9),
        (6, 4, 11),
        (7, 4, 14),
        (1, 2, 4),
        (3, 2, 11),
        (3, 1, 21),
    ],
)
def test_entries_of_a_line(atoms: int, per_entry: int, entries: int) -> None:
    config = replace(CONFIGS["nv_small"], cbuf_entry=8 * per_entry)
    assert feature_entries(config, 7, atoms * 8, 1) == entries
    assert feature_entries(config, 7, atoms * 8 - 7, 1) == entries
    assert feature_entries(config, 7, atoms * 4, 2) == entries


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"CSC.D_MISC_CFG.CONV_MODE": 1}, "D_MISC_CFG.CONV_MODE differs: CDMA has 0, CSC has 1, CMAC has 0"),
        ({"CACC.D_MISC_CFG.PROC_PRECISION": 1}, "PROC_PRECISION differs"),
        ({"CMAC_A.D_MISC_CFG.PROC_PRECISION": 1}, "PROC_PRECISION differs"),
        ({"CDMA.D_MISC_CFG.DATA_REUSE": 1}, "DATA_REUSE differs"),
        ({"CSC.D_MISC_CFG.SKIP_WEIGHT_RLS": 1}, "SKIP_WEIGHT_RLS differs"),
        ({"CSC.D_DATAIN_FORMAT.DATAIN_FORMAT": 1}, "DATAIN_FORMAT differs"),
        ({"CSC.D_DATAIN_SIZE_EXT_0.DATAIN_WIDTH_EXT": 7}, "DATAIN_WIDTH_EXT differs: CDMA has 6, CSC has 7"),
        (
            both("D_DATAIN_SIZE_EXT_0.DATAIN_WIDTH_EXT", 7),
            "CDMA fetches width 7 and 20 channels, CSC takes width 8",
        ),
        (both("D_DATAIN_SIZE_EXT_0.DATAIN_HEIGHT_EXT", 6), "6 lines are fetched, 7 are convolved"),
        ({"CDMA.D_DATAIN_SIZE_0.DATAIN_HEIGHT": 6}, "7 lines are fetched, 6 are convolved"),
        ({"CSC.D_DATAIN_SIZE_EXT_1.DATAIN_CHANNEL_EXT": 20}, "WEIGHT_CHANNEL_EXT: 20, the input has 21"),
        ({"CSC.D_ENTRY_PER_SLICE.ENTRIES": 21}, "D_ENTRY_PER_SLICE.ENTRIES differs"),
        (both("D_ENTRY_PER_SLICE.ENTRIES", 21), "ENTRIES: 22, a slice of this input takes 21"),
        ({"CSC.D_BANK.DATA_BANK": 3}, "D_BANK.DATA_BANK differs"),
        (banks(20, 13), "BANK: 33 banks used, nv_small has 32"),
        ({"CDMA.D_ZERO_PADDING.PAD_LEFT": 2}, "PAD_LEFT differs"),
        ({"CDMA.D_ZERO_PADDING.PAD_RIGHT": 1}, "the windows reach over 10 columns, the padded input has 9"),
        ({"CSC.D_DILATION_EXT.Y_DILATION_EXT": 2}, "the windows reach over 9 lines, the padded input has 7"),
        ({"CDMA.D_BATCH_NUMBER.BATCHES": 1}, "D_BATCH_NUMBER.BATCHES differs"),
        (
            {f"{unit}.D_BATCH_NUMBER.BATCHES": 1 for unit in ("CDMA", "CSC", "CACC")},
            "BATCHES: 2, nv_small has 1",
        ),
        (
            {"CDMA.D_WEIGHT_SIZE_1.WEIGHT_KERNEL": 19},
            "CDMA D_WEIGHT_SIZE_1.WEIGHT_KERNEL: 20, but CSC has 19 kernels",
        ),
        ({"CSC.D_WEIGHT_SIZE_EXT_1.WEIGHT_KERNEL": 19}, "but CSC has 20 kernels"),
        (
            {"CDMA.D_WEIGHT_SIZE_0.BYTE_PER_KERNEL": 120},
            "BYTE_PER_KERNEL: 121, a kernel of this shape has 120",
        ),
        ({"CACC.D_DATAOUT_SIZE_0.DATAOUT_WIDTH": 8}, "DATAOUT_WIDTH differs: CSC has 7, CACC has 8"),
        ({"CACC.D_DATAOUT_SIZE_1.DATAOUT_CHANNEL": 30}, "DATAOUT_CHANNEL differs"),
        ({"CSC.D_ATOMICS.ATOMICS": 5}, "ATOMICS: 6, the output is 8x6"),
        ({"CACC.D_CLIP_CFG.CLIP_TRUNCATE": 17}, "CLIP_TRUNCATE: 17, at most 16"),
        (both("D_WEIGHT_BYTES.WEIGHT_BYTES", 2272), "WEIGHT_BYTES: 2272, these kernels have 2280"),
        (both("D_WEIGHT_BYTES.WEIGHT_BYTES", 2284), "WEIGHT_BYTES: 2284 is not a positive multiple of 8"),
        (both("D_WEIGHT_BYTES.WEIGHT_BYTES", 0), "WEIGHT_BYTES: 0 is not a positive multiple of 8"),
        (both("D_WEIGHT_FORMAT.WEIGHT_FORMAT", 1), "WEIGHT_FORMAT COMPRESSED: nv_small cannot decompress"),
        ({"CSC.D_POST_Y_EXTENSION.Y_EXTENSION": 1}, "Y_EXTENSION is for pixel input only"),
        (
            {"CDMA.D_DAIN_MAP.LINE_PACKED": 0},
            "LINE_PACKED: 0, but a line takes 56 bytes and LINE_STRIDE is 56",
        ),
        ({"CDMA.D_LINE_STRIDE.LINE_STRIDE": 64}, "LINE_PACKED: 1, but a line takes 56 bytes"),
        ({"CDMA.D_FETCH_GRAIN.GRAINS": 6}, "FETCH_GRAIN: 7 lines at once, at most 6"),
        (
            {"CDMA.D_DAIN_ADDR_LOW_0.DATAIN_ADDR_LOW_0": DATA + 4},
            "DAIN_ADDR_0: 0x1000004 is not a multiple of 8",
        ),
        ({"CDMA.D_MISC_CFG.IN_PRECISION": 1}, "IN_PRECISION = INT16: nv_small has only INT8"),
    ],
)
def test_refused(overrides: dict[str, int], message: str) -> None:
    case = feature()
    case.layer()
    case.overrides = overrides
    with pytest.raises(ProgramError, match=message):
        case.layer()


def test_all_problems_are_told_at_once() -> None:
    case = replace(feature(), clip=17, overrides={"CSC.D_ATOMICS.ATOMICS": 5, **banks(20, 13)})
    with pytest.raises(ProgramError) as refused:
        case.layer()
    text = str(refused.value)
    assert all(word in text for word in ("The convolution cannot run", "CLIP_TRUNCATE", "ATOMICS", "BANK"))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"CDMA.D_DATAIN_FORMAT.PIXEL_FORMAT": 36}, "PIXEL_FORMAT: 36 is reserved"),
        ({"CDMA.D_DATAIN_FORMAT.PIXEL_FORMAT": 0}, "channels: CDMA 4, CSC 4, R8 has 1"),
        ({"CDMA.D_DATAIN_FORMAT.PIXEL_FORMAT": 20}, "IN_PRECISION: 1 bytes, A2B10G10R10 has 2"),
        ({"CDMA.D_DATAIN_FORMAT.PIXEL_MAPPING": 1}, "PIXEL_MAPPING: only pitch linear"),
        ({"CDMA.D_PIXEL_OFFSET.PIXEL_X_OFFSET": 31}, "LINE_STRIDE: 48, a line takes 152 bytes"),
        ({"CSC.D_WEIGHT_SIZE_EXT_0.WEIGHT_WIDTH_EXT": 1}, "WEIGHT_WIDTH_EXT: 2, pixel input has 1"),
        ({"CSC.D_POST_Y_EXTENSION.Y_EXTENSION": 1}, "Y_EXTENSION: 2 rows of 12 do not fit 8 channels"),
        ({"CDMA.D_ZERO_PADDING.PAD_RIGHT": 0}, "the windows reach over 36 elements, a padded line has 32"),
        ({"CDMA.D_ZERO_PADDING.PAD_BOTTOM": 0}, "the windows reach over 7 lines, the padded input has 6"),
        (both("D_ENTRY_PER_SLICE.ENTRIES", 5), "ENTRIES: 6, a slice of this input takes 5"),
        (
            {f"{unit}.D_BATCH_NUMBER.BATCHES": 1 for unit in ("CDMA", "CSC", "CACC")},
            "BATCHES: 2, pixel input has one",
        ),
        (
            {f"{unit}.D_MISC_CFG.CONV_MODE": 1 for unit in ("CDMA", "CSC", "CMAC_A", "CACC")},
            "CONV_MODE: Winograd takes no pixels",
        ),
    ],
)
def test_refused_pixels(overrides: dict[str, int], message: str) -> None:
    case = replace(pixel_case("nv_small", 12, (6, 7), (3, 2, 3), 0), pads=(1, 1, 0, 1))
    case.layer()
    case.overrides = overrides
    with pytest.raises(ProgramError, match=message):
        case.layer()


def test_pixels_are_widened_by_the_converter_only() -> None:
    case = replace(pixel_case("nv_full", 12, (3, 3), (1, 1, 1), 0), itemsize=2, convert=(0, 1, 0))
    case.layer()
    with pytest.raises(ProgramError, match="this needs the converter"):
        replace(case, convert=None).layer()


def test_feature_cubes_are_not_widened() -> None:
    case = replace(feature("nv_full"), convert=(0, 1, 0), overrides={"CDMA.D_MISC_CFG.IN_PRECISION": 1})
    with pytest.raises(ProgramError, match="cubes are not widened"):
        case.layer()


@pytest.mark.parametrize(
    ("shape", "weights", "message"),
    [
        ((1, 128, 64, 33), (1, 1, 1), "DATA_BANK: the input takes 2112 entries, 8 banks have 2048"),
        ((1, 8192, 1, 1), (32, 1, 1), "WEIGHT_BANK: a kernel group has 262144 bytes, its banks 229376"),
    ],
)
def test_what_does_not_fit_the_convolution_buffer(
    shape: tuple[int, int, int, int], weights: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ProgramError, match=message):
        random_case("nv_full", 0, shape, weights).layer()


def test_weights_to_be_kept_must_fit_their_banks() -> None:
    case = random_case("nv_full", 0, (1, 1024, 1, 1), (256, 1, 1))
    case.layer()
    case.overrides = both("D_MISC_CFG.SKIP_WEIGHT_RLS", 1)
    with pytest.raises(
        ProgramError, match="SKIP_WEIGHT_RLS: the weights have 262144 bytes, their banks 229376"
    ):
        case.layer()


def test_batches_must_not_overlap() -> None:
    case = random_case("nv_full", 0, (2, 40, 3, 3), (1, 1, 1))
    case.overrides = {"CDMA.D_BATCH_STRIDE.BATCH_STRIDE": 544}
    with pytest.raises(ProgramError, match="BATCH_STRIDE: 544, one cube takes 576"):
        case.layer()


def test_bit_mask_must_hold_every_weight() -> None:
    case = compressed_case()
    case.overrides = both("D_WMB_BYTES.WMB_BYTES", 256)
    with pytest.raises(ProgramError, match="WMB_BYTES: 256, these kernels need 315"):
        case.layer()


def test_bit_mask_of_a_group_must_fit_its_bank() -> None:
    case = random_case("nv_full", 0, (1, 2048, 2, 2), (32, 2, 2))
    squeezed = CompressedCase(case.config, case.data, case.weights & 1)
    squeezed.layer()
    wider = np.concatenate([squeezed.weights, squeezed.weights[..., :1]], axis=3)
    squeezed = CompressedCase(case.config, case.data, wider, pads=(0, 1, 0, 0))
    with pytest.raises(ProgramError, match="a kernel group's bit mask has 49152 bytes, its bank 32768"):
        squeezed.layer()


def single_element(surf_packed: int) -> Case:
    """A 1x1 cube of two surfaces, 16 bytes from one to the next."""
    case = random_case("nv_small", 0, (1, 16, 1, 1), (1, 1, 1))
    case.overrides = {
        "CDMA.D_SURF_STRIDE.SURF_STRIDE": 16,
        "CDMA.D_DAIN_MAP.SURF_PACKED": surf_packed,
        "CDMA.D_FETCH_GRAIN.GRAINS": 3,
    }
    return case


def test_a_packed_1x1_cube_is_fetched_in_one_run() -> None:
    case = single_element(surf_packed=1)
    with pytest.raises(ProgramError, match="SURF_STRIDE: a packed 1x1 cube has 8, not 16"):
        case.layer()
    case.overrides["CDMA.D_SURF_STRIDE.SURF_STRIDE"] = 8
    case.layer()  # the number of lines fetched at once does not matter
    with pytest.raises(ProgramError, match="FETCH_GRAIN: 4 lines at once, at most 1"):
        single_element(surf_packed=0).layer()


def test_the_output_stream_has_a_limit() -> None:
    case = random_case("nv_large", 0, (1, 1, 31, 256), (1, 1, 1))
    case.overrides = {
        "CDMA.D_WEIGHT_SIZE_1.WEIGHT_KERNEL": 8191,
        "CSC.D_WEIGHT_SIZE_EXT_1.WEIGHT_KERNEL": 8191,
        "CSC.D_DATAOUT_SIZE_1.DATAOUT_CHANNEL": 8191,
        "CACC.D_DATAOUT_SIZE_1.DATAOUT_CHANNEL": 8191,
        **both("D_WEIGHT_BYTES.WEIGHT_BYTES", 8192),
    }
    case.layer()
    wider = random_case("nv_large", 0, (1, 1, 33, 256), (1, 1, 1))
    wider.overrides = case.overrides
    with pytest.raises(ProgramError, match="the output stream of 69206016 values is longer than 67108864"):
        wider.layer()


def test_weights_have_a_limit() -> None:
    case = random_case("nv_medium_512", 0, (1, 8192, 3, 1), (1, 3, 1))
    case.overrides = banks(4, 26) | {
        "CDMA.D_WEIGHT_SIZE_1.WEIGHT_KERNEL": 8191,
        "CSC.D_WEIGHT_SIZE_EXT_1.WEIGHT_KERNEL": 8191,
        "CSC.D_DATAOUT_SIZE_1.DATAOUT_CHANNEL": 8191,
        "CACC.D_DATAOUT_SIZE_1.DATAOUT_CHANNEL": 8191,
        **both("D_WEIGHT_BYTES.WEIGHT_BYTES", 8192 * 24576),
    }
    with pytest.raises(ProgramError, match="201326592 bytes, more than 134217728"):
        case.layer()


def test_fp16_comes_later() -> None:
    case = feature("nv_full")
    case.overrides = {f"{unit}.D_MISC_CFG.PROC_PRECISION": 2 for unit in ("CDMA", "CSC", "CMAC_A", "CACC")}
    with pytest.raises(UnsupportedError, match="fp16"):
        case.layer()


def test_a_missing_register_is_named() -> None:
    units = feature().registers()
    del units["CSC"]["D_BANK.DATA_BANK"]
    with pytest.raises(ProgramError, match=r"CSC has no register field D_BANK\.DATA_BANK"):
        conv.decode(CONFIGS["nv_small"], units["CDMA"], units["CSC"], units["CMAC_A"], units["CACC"])
