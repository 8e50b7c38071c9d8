"""Winograd convolutions against plain 3x3 convolutions, which they equal where nothing is rounded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from nvdla_sim.errors import ProgramError
from nvdla_sim.hw.config import CONFIGS
from tests.hw.conv_case import Array, Case

# 2 * G: weights that are multiples of 4 stay whole numbers when they are transformed
DOUBLE_G = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]])


@dataclass
class WinogradCase(Case):
    """``data`` [1, C, H, W] with whole atoms of channels, ``weights`` [K, extended C, 3, 3]."""

    channel_stride: tuple[int, int] = (1, 1)  # y, x
    pra_truncate: int = 0

    def extended(self) -> Array:
        """[extended channel, y, x]: padded, and each column and line of a stride a channel of its own."""
        left, right, top, bottom = self.pads
        padded = np.pad(self.data[0], ((0, 0), (top, bottom), (left, right)), constant_values=self.pad_value)
        sy, sx = self.channel_stride
        return np.concatenate([padded[:, j::sy, i::sx] for j in range(sy) for i in range(sx)])

    @property
    def out(self) -> tuple[int, int]:
        _, height, width = self.extended().shape
        return height - 4, width - 4

    def transformed(self) -> Array:
        """[K, C, 4, 4]"""
        return DOUBLE_G @ self.weights @ DOUBLE_G.T // 4

    def weight_stream(self) -> Array:
        weights, group = self.transformed(), self.config.atomic_k // self.itemsize
        kernels, channels = weights.shape[:2]
        stream = [
            weights[k, c, y, x]
            for k0 in range(0, kernels, group)
            for c0 in range(0, channels, 4)
            for k in range(k0, min(k0 + group, kernels))
            for y in range(4)
            for x in range(4)
            for c in range(c0, c0 + 4)
        ]
        return np.array(stream)

    def settings(self) -> dict[str, int]:
        left, _, top, _ = self.pads
        channels, height, width = self.extended().shape
        kernel_bytes = channels * 16 * self.itemsize
        out = super().settings() | {
            "CDMA.D_CONV_STRIDE.CONV_Y_STRIDE": self.channel_stride[0] - 1,
            "CDMA.D_CONV_STRIDE.CONV_X_STRIDE": self.channel_stride[1] - 1,
            "CDMA.D_ZERO_PADDING.PAD_LEFT": left,
            "CDMA.D_ZERO_PADDING.PAD_TOP": top,
            "CSC.D_ZERO_PADDING.PAD_LEFT": 0,
            "CSC.D_ZERO_PADDING.PAD_TOP": 0,
            "CSC.D_DATAIN_SIZE_EXT_1.DATAIN_CHANNEL_EXT": channels - 1,
            "CSC.D_WEIGHT_SIZE_EXT_1.WEIGHT_CHANNEL_EXT": channels - 1,
            "CSC.D_WEIGHT_SIZE_EXT_0.WEIGHT_WIDTH_EXT": 3,
            "CSC.D_WEIGHT_SIZE_EXT_0.WEIGHT_HEIGHT_EXT": 3,
            "CSC.D_PRA_CFG.PRA_TRUNCATE": self.pra_truncate,
            "CDMA.D_WEIGHT_SIZE_0.BYTE_PER_KERNEL": kernel_bytes - 1,
        }
        for unit in ("CDMA", "CSC", "CMAC_A", "CACC"):
            out[f"{unit}.D_MISC_CFG.CONV_MODE"] = 1
        for unit in ("CDMA", "CSC"):
            out[f"{unit}.D_DATAIN_SIZE_EXT_0.DATAIN_WIDTH_EXT"] = width - 1
            out[f"{unit}.D_DATAIN_SIZE_EXT_0.DATAIN_HEIGHT_EXT"] = height - 1
            out[f"{unit}.D_ENTRY_PER_SLICE.ENTRIES"] = width * channels * self.itemsize // 128 - 1
        return out

    def plain(self) -> Array:
        """The 3x3 convolution of the extended cube, [kernel, y, x]."""
        windows = np.lib.stride_tricks.sliding_window_view(self.extended(), (3, 3), axis=(1, 2))
        height, width = self.out
        return np.einsum("cyxij,kcij->kyx", windows[:, :height, :width], self.weights)


def winograd_case(
    channel_stride: tuple[int, int], itemsize: int, size: tuple[int, int], pads: tuple[int, int, int, int]
) -> WinogradCase:
    """Data and weights so small that no transformed value is clamped."""
    rng = np.random.default_rng(itemsize)
    channels = 32 // itemsize * channel_stride[0] * channel_stride[1]
    return WinogradCase(
        CONFIGS["nv_full"],
        rng.integers(-31, 32, (1, 32 // itemsize, *size)),
        rng.integers(-3, 4, (37, channels, 3, 3)) * 4,
        pads=pads,
        pad_value=-5,
        itemsize=itemsize,
        channel_stride=channel_stride,
    )


@pytest.mark.parametrize("itemsize", [1, 2])
@pytest.mark.parametrize(
    ("channel_stride", "size", "pads"),
    [((1, 1), (8, 12), (0, 0, 0, 0)), ((1, 1), (5, 7), (2, 3, 1, 2)), ((2, 3), (13, 22), (1, 1, 2, 1))],
)
def test_equals_the_plain_convolution(
    channel_stride: tuple[int, int], size: tuple[int, int], pads: tuple[int, int, int, int], itemsize: int
) -> None:
    case = winograd_case(channel_stride, itemsize, size, pads)
    np.testing.assert_array_equal(case.run()[0][0], case.plain())


def test_the_input_converter_is_not_used() -> None:
    case = winograd_case((1, 1), 1, (8, 8), (0, 0, 0, 0))
    case.convert = (3, 5, 1)
    np.testing.assert_array_equal(case.run()[0][0], case.plain())


def test_transformed_data_is_rounded_and_clamped() -> None:
    data = np.zeros((1, 32, 8, 8), np.int64)
    weights = np.zeros((1, 32, 3, 3), np.int64)
    weights[0, 0, 1, 1] = 4
    data[0, 0, 1, 1] = 2
    case = WinogradCase(CONFIGS["nv_full"], data, weights, pra_truncate=2)
    assert case.run()[0][0, 0, 0, 0] == 4  # four points of +-2, and 2 / 4 is rounded away from zero to 1
    data[0, 0, 1, 1:3] = 127
    case = WinogradCase(CONFIGS["nv_full"], data, weights)
    assert case.plain()[0, 0, 0] == 127 * 4
    # the points are 254, -254 and twice 0, clamped to 127 and -128
    assert case.run()[0][0, 0, 0, 0] == 127 + 128


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"CDMA.D_ZERO_PADDING.PAD_RIGHT": 1}, "the padded input is 9x8, not a multiple of 4x4"),
        ({"CSC.D_WEIGHT_SIZE_EXT_0.WEIGHT_WIDTH_EXT": 2}, "the kernel is 3x4, a transformed one is 4x4"),
        ({"CSC.D_CONV_STRIDE_EXT.CONV_X_STRIDE_EXT": 1}, "CSC has strides or pads"),
        ({"CSC.D_ZERO_PADDING.PAD_TOP": 1}, "CSC has strides or pads"),
        ({"CSC.D_DATAIN_SIZE_EXT_1.DATAIN_CHANNEL_EXT": 35}, r"CSC takes a cube of \(8, 8, 36\), CDMA makes"),
        ({"CDMA.D_BATCH_NUMBER.BATCHES": 1}, "BATCHES differs"),
        (
            {f"{unit}.D_DATAOUT_SIZE_0.DATAOUT_WIDTH": 7 for unit in ("CSC", "CACC")},
            "the output is 8x4, the extended input only 8x8",
        ),
        (
            {f"{unit}.D_DATAOUT_SIZE_0.DATAOUT_WIDTH": 5 for unit in ("CSC", "CACC")},
            "the output is 6x4, not a multiple of 4x4",
        ),
    ],
)
def test_refused(overrides: dict[str, int], message: str) -> None:
    case = winograd_case((1, 1), 1, (8, 8), (0, 0, 0, 0))
    case.layer()
    case.overrides = overrides
    with pytest.raises(ProgramError, match=message):
        case.layer()


def test_only_nv_full_has_it() -> None:
    case = winograd_case((1, 1), 1, (8, 8), (0, 0, 0, 0))
    case.config = CONFIGS["nv_large"]
    with pytest.raises(ProgramError, match="CONV_MODE: nv_large has no Winograd"):
        case.layer()
