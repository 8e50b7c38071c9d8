"""Small convolutions for tests: the register program, the memory it reads, and the result by plain loops.

The loops use Python integers and none of the package's arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.hw import conv
from nvdla_sim.hw.config import CONFIGS, Config
from nvdla_sim.hw.conv import ConvBuffer, ConvLayer
from nvdla_sim.hw.conv_rules import feature_entries
from nvdla_sim.hw.memory import Memory, Ports
from nvdla_sim.hw.registers import register_map

DATA, WEIGHTS, MASK, SIZES = (n << 24 for n in (1, 2, 3, 4))

Array = NDArray[np.int64]
Registers = dict[str, dict[str, int]]  # unit -> "REGISTER.FIELD" -> value


def half_away(value: int, shift: int) -> int:
    """value / 2^shift to nearest, ties away from zero."""
    size = (abs(value) + ((1 << shift) >> 1)) >> shift
    return size if value >= 0 else -size


def clamp(value: int, bits: int) -> int:
    return max(-(1 << (bits - 1)), min((1 << (bits - 1)) - 1, value))


@dataclass
class Case:
    """A direct convolution of a feature cube: integers, ``data`` [batch, C, H, W], ``weights`` KCRS."""

    config: Config
    data: Array
    weights: Array
    stride: tuple[int, int] = (1, 1)  # y, x
    dilation: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)  # left, right, top, bottom
    pad_value: int = 0
    convert: tuple[int, int, int] | None = None  # offset, scale, truncate
    clip: int = 0
    itemsize: int = 1
    gap: int = 0  # atoms between two lines
    overrides: dict[str, int] = field(default_factory=dict)  # "UNIT.REGISTER.FIELD" -> value

    @property
    def out(self) -> tuple[int, int]:
        """Output height and width."""
        height, width = self.data.shape[2:]
        left, right, top, bottom = self.pads
        rows, columns = ((k - 1) * d + 1 for k, d in zip(self.weights.shape[2:], self.dilation, strict=True))
        return (
            (top + height + bottom - rows) // self.stride[0] + 1,
            (left + width + right - columns) // self.stride[1] + 1,
        )

    def converted(self, value: int, channel: int) -> int:
        if self.convert is None:
            return value
        offset, scale, truncate = self.convert
        return clamp(clamp(half_away((value - offset) * scale, truncate), 17), 8 * self.itemsize)

    def sums(self) -> Array:
        """[batch, kernel, y, x] before the accumulator's shift."""
        batches, channels, height, width = self.data.shape
        kernels, _, rows, columns = self.weights.shape
        left, _, top, _ = self.pads
        out = np.zeros((batches, kernels, *self.out), object)
        for b, k, oy, ox in np.ndindex(*out.shape):
            for c, ky, kx in np.ndindex(channels, rows, columns):
                y = oy * self.stride[0] + ky * self.dilation[0] - top
                x = ox * self.stride[1] + kx * self.dilation[1] - left
                inside = 0 <= y < height and 0 <= x < width
                value = self.converted(int(self.data[b, c, y, x]), c) if inside else self.pad_value
                out[b, k, oy, ox] += value * int(self.weights[k, c, ky, kx])
        return out

    def delivered(self) -> tuple[Array, int]:
        """What the accumulator gives to SDP, and how many values it clamped."""
        sums = self.sums()
        rounded = np.vectorize(lambda v: half_away(v, self.clip), otypes=[object])(sums)
        out = np.vectorize(lambda v: clamp(v, 32), otypes=[object])(rounded)
        return out.astype(np.int64), int(np.count_nonzero(out != rounded))

    # memory ------------------------------------------------------------------------------------------------

    @property
    def lanes(self) -> int:
        return self.config.atom // self.itemsize

    @property
    def strides(self) -> tuple[int, int, int]:
        """Bytes from line to line, surface to surface, batch to batch."""
        _, channels, height, width = self.data.shape
        line = (width + self.gap) * self.config.atom
        return line, height * line, -(-channels // self.lanes) * height * line

    def data_bytes(self) -> NDArray[np.uint8]:
        line, surf, batch = self.strides
        raw = np.full(batch * self.data.shape[0] // self.itemsize, -86, f"<i{self.itemsize}")
        for b, c, y, x in np.ndindex(*self.data.shape):
            place = b * batch + c // self.lanes * surf + y * line + x * self.config.atom
            raw[place // self.itemsize + c % self.lanes] = self.data[b, c, y, x]
        return raw.view(np.uint8)

    def weight_stream(self) -> Array:
        """The weights in memory order, by the loops of the format's definition."""
        kernels, channels, rows, columns = self.weights.shape
        group, block = self.config.atomic_k // self.itemsize, self.config.atomic_c
        stream = [
            self.weights[k, c, y, x]
            for k0 in range(0, kernels, group)
            for c0 in range(0, channels, block)
            for y in range(rows)
            for x in range(columns)
            for k in range(k0, min(k0 + group, kernels))
            for c in range(c0, min(c0 + block, channels))
        ]
        return np.array(stream)

    def weight_bytes(self) -> NDArray[np.uint8]:
        """Whole convolution buffer entries."""
        raw = self.weight_stream().astype(f"<i{self.itemsize}").view(np.uint8)
        return np.pad(raw, (0, -raw.size % self.config.cbuf_entry), constant_values=99)

    def regions(self) -> dict[int, NDArray[np.uint8]]:
        """Memory: address -> bytes."""
        return {DATA: self.data_bytes(), WEIGHTS: self.weight_bytes()}

    def memory(self) -> Ports:
        memory = Memory()
        for base, region in self.regions().items():
            memory.map(base, region)
        return Ports(dram=memory, sram=Memory())

    # program -----------------------------------------------------------------------------------------------

    def settings(self) -> dict[str, int]:
        """``"UNIT.REGISTER.FIELD"`` -> value, sizes minus one, strides and addresses whole bytes."""
        batches, channels, height, width = self.data.shape
        kernels, _, rows, columns = self.weights.shape
        left, right, top, bottom = self.pads
        line, surf, batch = self.strides
        precision = self.itemsize - 1
        entries = feature_entries(self.config, width, channels, self.itemsize)
        offset, scale, truncate = self.convert or (0, 0, 0)
        out = {
            "CDMA.D_DATAIN_FORMAT.DATAIN_FORMAT": 0,
            "CDMA.D_MISC_CFG.IN_PRECISION": precision,
            "CDMA.D_DATAIN_SIZE_0.DATAIN_WIDTH": width - 1,
            "CDMA.D_DATAIN_SIZE_0.DATAIN_HEIGHT": height - 1,
            "CDMA.D_DATAIN_SIZE_1.DATAIN_CHANNEL": channels - 1,
            "CDMA.D_DAIN_RAM_TYPE.DATAIN_RAM_TYPE": 1,
            "CDMA.D_DAIN_ADDR_LOW_0.DATAIN_ADDR_LOW_0": DATA,
            "CDMA.D_LINE_STRIDE.LINE_STRIDE": line,
            "CDMA.D_SURF_STRIDE.SURF_STRIDE": surf,
            "CDMA.D_BATCH_STRIDE.BATCH_STRIDE": batch,
            "CDMA.D_DAIN_MAP.LINE_PACKED": int(self.gap == 0),
            "CDMA.D_WEIGHT_SIZE_0.BYTE_PER_KERNEL": self.weights[0].size * self.itemsize - 1,
            "CDMA.D_WEIGHT_SIZE_1.WEIGHT_KERNEL": kernels - 1,
            "CDMA.D_WEIGHT_RAM_TYPE.WEIGHT_RAM_TYPE": 1,
            "CDMA.D_WEIGHT_ADDR_LOW.WEIGHT_ADDR_LOW": WEIGHTS,
            "CDMA.D_CVT_CFG.CVT_EN": int(self.convert is not None),
            "CDMA.D_CVT_CFG.CVT_TRUNCATE": truncate,
            "CDMA.D_CVT_OFFSET.CVT_OFFSET": offset,
            "CDMA.D_CVT_SCALE.CVT_SCALE": scale,
            "CDMA.D_ZERO_PADDING.PAD_RIGHT": right,
            "CDMA.D_ZERO_PADDING.PAD_BOTTOM": bottom,
            "CSC.D_DATAIN_SIZE_EXT_1.DATAIN_CHANNEL_EXT": channels - 1,
            "CSC.D_WEIGHT_SIZE_EXT_0.WEIGHT_WIDTH_EXT": columns - 1,
            "CSC.D_WEIGHT_SIZE_EXT_0.WEIGHT_HEIGHT_EXT": rows - 1,
            "CSC.D_WEIGHT_SIZE_EXT_1.WEIGHT_CHANNEL_EXT": channels - 1,
            "CSC.D_WEIGHT_SIZE_EXT_1.WEIGHT_KERNEL": kernels - 1,
            "CSC.D_ATOMICS.ATOMICS": self.out[0] * self.out[1] - 1,
            "CSC.D_RELEASE.RLS_SLICES": height - 1,
            "CSC.D_CONV_STRIDE_EXT.CONV_X_STRIDE_EXT": self.stride[1] - 1,
            "CSC.D_CONV_STRIDE_EXT.CONV_Y_STRIDE_EXT": self.stride[0] - 1,
            "CSC.D_DILATION_EXT.X_DILATION_EXT": self.dilation[1] - 1,
            "CSC.D_DILATION_EXT.Y_DILATION_EXT": self.dilation[0] - 1,
            "CACC.D_CLIP_CFG.CLIP_TRUNCATE": self.clip,
        }
        for units, name, value in (
            ("CDMA CSC CMAC_A CACC", "D_MISC_CFG.PROC_PRECISION", precision),
            ("CDMA CSC CACC", "D_BATCH_NUMBER.BATCHES", batches - 1),
            ("CDMA CSC", "D_DATAIN_SIZE_EXT_0.DATAIN_WIDTH_EXT", width - 1),
            ("CDMA CSC", "D_DATAIN_SIZE_EXT_0.DATAIN_HEIGHT_EXT", height - 1),
            ("CDMA CSC", "D_ENTRY_PER_SLICE.ENTRIES", entries - 1),
            ("CDMA CSC", "D_BANK.DATA_BANK", self.config.cbuf_banks // 2 - 1),
            ("CDMA CSC", "D_BANK.WEIGHT_BANK", self.config.cbuf_banks // 2 - 2),
            ("CDMA CSC", "D_WEIGHT_BYTES.WEIGHT_BYTES", self.weight_bytes().size),
            ("CDMA CSC", "D_ZERO_PADDING.PAD_LEFT", left),
            ("CDMA CSC", "D_ZERO_PADDING.PAD_TOP", top),
            ("CDMA CSC", "D_ZERO_PADDING_VALUE.PAD_VALUE", self.pad_value),
            ("CSC CACC", "D_DATAOUT_SIZE_0.DATAOUT_WIDTH", self.out[1] - 1),
            ("CSC CACC", "D_DATAOUT_SIZE_0.DATAOUT_HEIGHT", self.out[0] - 1),
            ("CSC CACC", "D_DATAOUT_SIZE_1.DATAOUT_CHANNEL", kernels - 1),
        ):
            out.update({f"{unit}.{name}": value for unit in units.split()})
        return out

    def registers(self) -> Registers:
        """Every field of the four units: 0 unless set."""
        registers = register_map(self.config)
        units = ("CDMA", "CSC", "CMAC_A", "CACC")
        out = {
            unit: {
                name: 0 for register in registers.unit(unit) for name in registers.fields(unit, register, 0)
            }
            for unit in units
        }
        # nv_full's address and stride fields leave out the low bits
        shifts = {"LINE_STRIDE": 5, "UV_LINE_STRIDE": 5, "SURF_STRIDE": 5, "BATCH_STRIDE": 5}
        shifts |= {"WEIGHT_BYTES": 7, "WMB_BYTES": 7}
        for name, value in {**self.settings(), **self.overrides}.items():
            unit, target = name.split(".", 1)
            low = shifts.get(target.split(".")[1], 5 if "ADDR_LOW" in target else 0)
            raw = value % (1 << 16) if value < 0 else value  # all signed fields have 16 bits
            out[unit][target] = raw >> (low if self.config.register_family == "v1" else 0)
            assert target in out[unit], name
        return out

    def layer(self) -> ConvLayer:
        units = self.registers()
        return conv.decode(self.config, units["CDMA"], units["CSC"], units["CMAC_A"], units["CACC"])

    def run(self, buffer: ConvBuffer | None = None, memory: Ports | None = None) -> tuple[Array, int]:
        """The reference's stream without its lanes beyond the last kernel, which are checked to be 0."""
        counters: dict[str, int] = {}
        stream = conv.reference(
            self.config, self.layer(), memory or self.memory(), buffer or ConvBuffer(), counters
        )
        kernels = self.weights.shape[0]
        assert stream.shape[1] == -(-kernels // self.lanes) * self.lanes
        assert not stream[:, kernels:].any()
        return stream[:, :kernels], counters["CACC.D_OUT_SATURATION"]


def assert_runs_as_loops(case: Case) -> None:
    expected, clamped = case.delivered()
    stream, saturation = case.run()
    np.testing.assert_array_equal(stream, expected)
    assert saturation == clamped


def banks(data: int, weights: int) -> dict[str, int]:
    """Overrides for the banks of both."""
    fields = {"DATA_BANK": data - 1, "WEIGHT_BANK": weights - 1}
    return {f"{unit}.D_BANK.{name}": value for unit in ("CDMA", "CSC") for name, value in fields.items()}


class CompressedCase(Case):
    """Bit mask, group sizes and non-zero weights instead of the plain stream."""

    def weight_bytes(self) -> NDArray[np.uint8]:
        stream = self.weight_stream()
        raw = stream[stream != 0].astype(f"<i{self.itemsize}").view(np.uint8)
        return np.pad(raw, (0, -raw.size % 128), constant_values=99)

    def mask_bytes(self) -> NDArray[np.uint8]:
        raw = np.packbits(self.weight_stream() != 0, bitorder="little")
        return np.pad(raw, (0, -raw.size % 128), constant_values=255)

    def size_bytes(self) -> NDArray[np.uint8]:
        stream = self.weight_stream()
        group = self.config.atomic_k // self.itemsize * self.weights[0].size
        counts = [np.count_nonzero(stream[i : i + group]) for i in range(0, stream.size, group)]
        return (np.array(counts) * self.itemsize).astype("<u4").view(np.uint8)

    def regions(self) -> dict[int, NDArray[np.uint8]]:
        return {**super().regions(), MASK: self.mask_bytes(), SIZES: self.size_bytes()}

    def settings(self) -> dict[str, int]:
        out = super().settings() | {
            "CDMA.D_WMB_ADDR_LOW.WMB_ADDR_LOW": MASK,
            "CDMA.D_WGS_ADDR_LOW.WGS_ADDR_LOW": SIZES,
        }
        for unit in ("CDMA", "CSC"):
            out[f"{unit}.D_WEIGHT_FORMAT.WEIGHT_FORMAT"] = 1
            out[f"{unit}.D_WMB_BYTES.WMB_BYTES"] = self.mask_bytes().size
        return out


def compressed_case(itemsize: int = 1) -> CompressedCase:
    rng = np.random.default_rng(itemsize)
    weights = rng.integers(-128, 128, (70, 9, 2, 2)) * (rng.random((70, 9, 2, 2)) < 0.4)
    weights[32:64] = 0  # a group without any weight
    return CompressedCase(
        CONFIGS["nv_full"], rng.integers(-128, 128, (1, 9, 3, 4)), weights, itemsize=itemsize
    )


def random_case(config: str, seed: int, shape: tuple[int, int, int, int], weights: tuple[int, ...]) -> Case:
    """``shape`` [batch, C, H, W], ``weights`` [K, R, S]; int8 values, the extremes among them."""
    rng = np.random.default_rng(seed)
    kernels, rows, columns = weights
    return Case(
        CONFIGS[config],
        rng.integers(-128, 128, shape),
        rng.integers(-128, 128, (kernels, shape[1], rows, columns)),
    )
