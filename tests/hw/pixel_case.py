"""Small convolutions of images for tests, with the result by plain loops."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.hw.config import CONFIGS
from tests.hw.conv_case import DATA, WEIGHTS, Array, Case, clamp, half_away

SECOND_PLANE = 8 << 24

# Where the components R|Y, G|U, B|V, A|X of a pixel lie: itemsize, then their places; semi-planar formats
# count from the start of the first plane's item on through the second plane's pair.
PIXEL_PLACES: dict[int, tuple[int, tuple[int, ...]]] = {
    **dict.fromkeys((12, 16), (1, (0, 1, 2, 3))),
    **dict.fromkeys((13, 17, 26), (1, (2, 1, 0, 3))),
    **dict.fromkeys((14, 18, 27), (1, (1, 2, 3, 0))),
    **dict.fromkeys((15, 19), (1, (3, 2, 1, 0))),
    **dict.fromkeys((6, 7), (2, (0, 1, 2, 3))),
    **dict.fromkeys((1, 2, 3, 4), (2, (0,))),
    **dict.fromkeys((30, 32, 34), (2, (0, 2, 1))),
    **dict.fromkeys((31, 33, 35), (2, (0, 1, 2))),
    0: (1, (0,)),
    9: (2, (2, 1, 0, 3)),
    10: (2, (1, 2, 3, 0)),
    28: (1, (0, 2, 1)),
    29: (1, (0, 1, 2)),
}


@dataclass
class PixelCase(Case):
    """A convolution of an image. ``data`` [1, component, H, W] are the components' raw bits, unsigned."""

    code: int = 12
    x_offset: int = 0
    signed: bool = False
    means: tuple[int, int, int, int] | None = None
    rows_per_step: int = 1

    @property
    def sample(self) -> tuple[int, tuple[int, ...]]:
        return PIXEL_PLACES[self.code]

    def converted(self, value: int, channel: int) -> int:
        bits = 8 * self.sample[0]
        if (self.signed or self.convert is None) and value >> (bits - 1):
            value -= 1 << bits
        if self.convert is None:
            return value
        offset, scale, truncate = self.convert
        if self.means is not None:
            offset = self.means[channel]
        return clamp(clamp(half_away((value - offset) * scale, truncate), 17), 8 * self.itemsize)

    def plane_strides(self) -> tuple[int, int]:
        """Bytes of a line: room for the offset and two atoms more, in whole atoms."""
        width, atom = self.data.shape[3] + self.x_offset, self.config.atom
        items = (1, 2) if len(self.sample[1]) == 3 else (len(self.sample[1]), 0)
        first, second = (-(-width * n * self.sample[0] // atom) * atom + 2 * atom for n in items)
        return first, second

    def planes(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        size, places = self.sample
        _, components, height, width = self.data.shape
        first_items = 1 if components == 3 else components
        out = []
        for plane, stride in enumerate(self.plane_strides()):
            lines = np.full((height, stride), 77, np.uint8)
            items = 2 if plane else first_items
            start = self.x_offset * items * size % (self.config.atom if plane else 1 << 30)
            for c, y, x in np.ndindex(components, height, width):
                place = places[c] - first_items if plane else places[c]
                if 0 <= place < items and (plane == 1) == (places[c] >= first_items):
                    at = start + (x * items + place) * size
                    value = int(self.data[0, c, y, x])
                    lines[y, at : at + size] = list(value.to_bytes(size, "little"))
            out.append(lines.reshape(-1))
        return out[0], out[1]

    def weight_stream(self) -> Array:
        """Columns and components are one channel axis; ``rows_per_step`` rows of a kernel stand together."""
        kernels, components, rows, columns = self.weights.shape
        group, block = self.config.atomic_k // self.itemsize, self.config.atomic_c
        folded = [(x, c) for x in range(columns) for c in range(components)]
        stream = [
            self.weights[k, c, y, x]
            for k0 in range(0, kernels, group)
            for c0 in range(0, len(folded), block)
            for y0 in range(0, rows, self.rows_per_step)
            for k in range(k0, min(k0 + group, kernels))
            for y in range(y0, min(y0 + self.rows_per_step, rows))
            for x, c in folded[c0 : c0 + block]
        ]
        return np.array(stream)

    def regions(self) -> dict[int, NDArray[np.uint8]]:
        first, second = self.planes()
        return {DATA: first, SECOND_PLANE: second, WEIGHTS: self.weight_bytes()}

    def settings(self) -> dict[str, int]:
        _, components, _, width = self.data.shape
        columns = self.weights.shape[3]
        line = (self.pads[0] + width + self.pads[1]) * components * self.itemsize
        first, second = self.plane_strides()
        means = self.means or (0, 0, 0, 0)
        out = super().settings() | {
            "CDMA.D_DATAIN_FORMAT.DATAIN_FORMAT": 1,
            "CDMA.D_DATAIN_FORMAT.PIXEL_FORMAT": self.code,
            "CDMA.D_DATAIN_FORMAT.PIXEL_SIGN_OVERRIDE": int(self.signed),
            "CDMA.D_MISC_CFG.IN_PRECISION": self.sample[0] - 1,
            "CDMA.D_PIXEL_OFFSET.PIXEL_X_OFFSET": self.x_offset,
            "CDMA.D_DAIN_ADDR_LOW_1.DATAIN_ADDR_LOW_1": SECOND_PLANE,
            "CDMA.D_LINE_STRIDE.LINE_STRIDE": first,
            "CDMA.D_LINE_UV_STRIDE.UV_LINE_STRIDE": second,
            "CDMA.D_MEAN_FORMAT.MEAN_FORMAT": int(self.means is not None),
            "CSC.D_DATAIN_FORMAT.DATAIN_FORMAT": 1,
            "CSC.D_WEIGHT_SIZE_EXT_0.WEIGHT_WIDTH_EXT": 0,
            "CSC.D_WEIGHT_SIZE_EXT_1.WEIGHT_CHANNEL_EXT": columns * components - 1,
            "CSC.D_POST_Y_EXTENSION.Y_EXTENSION": self.rows_per_step.bit_length() - 1,
        }
        for name, value in zip(("0.MEAN_RY", "0.MEAN_GU", "1.MEAN_BV", "1.MEAN_AX"), means, strict=True):
            out[f"CDMA.D_MEAN_GLOBAL_{name}"] = value
        for unit in ("CDMA", "CSC"):
            out[f"{unit}.D_ENTRY_PER_SLICE.ENTRIES"] = -(-line // self.config.cbuf_entry) - 1
        return out


def pixel_case(
    config: str, code: int, size: tuple[int, ...], kernel: tuple[int, ...], seed: int
) -> PixelCase:
    """``size`` (H, W), ``kernel`` [K, R, S]; any bits as components, int8 weights."""
    rng = np.random.default_rng(seed)
    itemsize, places = PIXEL_PLACES[code]
    kernels, rows, columns = kernel
    return PixelCase(
        CONFIGS[config],
        rng.integers(0, 1 << 8 * itemsize, (1, len(places), *size)),
        rng.integers(-128, 128, (kernels, len(places), rows, columns)),
        code=code,
    )
