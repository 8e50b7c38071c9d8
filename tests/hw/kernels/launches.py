"""Launches of drawn numbers on a small memory, and the comparison of kernels with references on all bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from nvdla_sim.hw.cdp import CdpLayer
from nvdla_sim.hw.config import Config
from nvdla_sim.hw.conv import ConvLayer
from nvdla_sim.hw.execute import reference_executor
from nvdla_sim.hw.formats import feature_extent
from nvdla_sim.hw.kernels.launch import bind, runs
from nvdla_sim.hw.kernels.microkernel import Isa
from nvdla_sim.hw.launch import Launch
from nvdla_sim.hw.lut import Lut, Slope, Table
from nvdla_sim.hw.memory import Memory, Ports
from nvdla_sim.hw.pdp import PdpLayer, PoolingMethod
from nvdla_sim.hw.pixel import PIXEL_FORMATS
from nvdla_sim.hw.sdp import AluOp, Converter, OperandMemory, SdpLayer, XStage, YStage
from nvdla_sim.hw.surface import Surface

BASE = 0x4000_0000
GUARD = 64  # bytes around each cube

Size = tuple[int, int, int]  # channels, height, width


class Drawn:
    """What hypothesis draws, and shrinks where a test fails, asked for as from a generator of numpy.

    Single numbers are drawn each by itself, arrays come from one drawn seed.
    """

    def __init__(self, data: st.DataObject) -> None:
        self._draw = data.draw
        self._arrays = np.random.default_rng(data.draw(st.integers(0, (1 << 32) - 1)))

    def integers(self, low: int, high: int, size: Any = None, dtype: Any = np.int64) -> Any:
        if size is None:
            return self._draw(st.integers(low, high - 1))
        return self._arrays.integers(low, high, size, dtype)

    def choice(self, options: Sequence[Any], size: Any = None) -> Any:
        if size is None:
            return self._draw(st.sampled_from(options))
        return self._arrays.choice(options, size)


Random = np.random.Generator | Drawn


@dataclass
class Bench:
    """A memory that cubes are laid out in one after the other, with random bytes everywhere."""

    random: Random
    size: int = 1 << 20
    used: int = 0

    def __post_init__(self) -> None:
        kind = self.random.integers(0, 4)
        if kind == 0:  # values that are far out
            self.memory = self.random.choice(np.array([-128, 127, 0], np.int8), self.size).view(np.uint8)
        elif kind == 1:
            self.memory = np.full(self.size, 0x80, np.uint8)
        else:
            self.memory = self.random.integers(0, 256, self.size, np.uint8)

    def place(self, size: int) -> int:
        """The address of so many unused bytes."""
        address = BASE + self.used + GUARD
        self.used += -(-size // 32) * 32 + 2 * GUARD
        assert self.used <= self.size
        return address

    def cube(self, config: Config, size: Size, pixel: int | None = None, gaps: bool = True) -> Surface:
        """A cube with ``pixel`` bytes (else an atom) for each pixel of a surface, with or without gaps."""
        channels, height, width = size
        pixel = pixel or config.atom
        surfaces = -(-channels // config.atom)
        wide = gaps and self.random.integers(0, 2) == 1 and width * height > 1
        line = width * pixel + (int(self.random.integers(0, 3)) * 32 if wide else 0)
        surf = height * line + (int(self.random.integers(0, 3)) * 32 if wide else 0)
        extent = feature_extent(surfaces * pixel, height, width, pixel, line, surf)
        return Surface(self.place(extent), line, surf, 1)


def compare(config: Config, launch: Launch, bench: Bench, isa: Isa) -> None:
    """Run by the reference and by kernels, from the same memory: the same memory afterwards."""
    assert runs(launch)
    memories = [bench.memory.copy() for _ in range(2)]
    ports = [ports_of(memory) for memory in memories]
    reference_executor(config, ports[0])(launch)
    prepared = bind(config, launch, ports[1], isa)
    assert prepared is not None
    prepared.run()
    different = np.flatnonzero(memories[0] != memories[1])
    assert not different.size, (
        f"{launch}: {different.size} bytes differ, the first at 0x{BASE + different[0]:x}: "
        f"{memories[0][different[0]]} by the reference, {memories[1][different[0]]} by the kernel"
    )


def ports_of(memory: NDArray[np.uint8]) -> Ports:
    dram = Memory()
    dram.map(BASE, memory)
    return Ports(dram, Memory())


# ---- layers


def random_conv(random: Random, config: Config, bench: Bench, pixels: bool) -> ConvLayer:
    """A direct convolution of a cube or an image."""

    def up_to(last: int, first: int = 1) -> int:
        return int(random.integers(first, last + 1))

    kernel_height, kernel_width = (up_to(5) if up_to(3) > 1 else 1 for _ in range(2))
    dilation_x, dilation_y = (1, 1) if pixels else (up_to(3), up_to(3))
    pads = [up_to(3, 0) if up_to(2) == 1 else 0 for _ in range(4)]
    reach_x, reach_y = (kernel_width - 1) * dilation_x + 1, (kernel_height - 1) * dilation_y + 1
    width = up_to(40, max(1, reach_x - pads[0] - pads[1]))
    height = up_to(18, max(1, reach_y - pads[2] - pads[3]))
    stride_x, stride_y = up_to(3), up_to(3)
    out_width = (width + pads[0] + pads[1] - reach_x) // stride_x + 1
    out_height = (height + pads[2] + pads[3] - reach_y) // stride_y + 1
    kernels = up_to(80)
    form = PIXEL_FORMATS[random.choice([0, 12, 13, 14, 15, 16, 26, 27])] if pixels else None
    channels = len(form.components) if form else up_to(3 * config.atom)
    x_offset = 0
    if form:
        pixel = form.plane_bytes[0]
        x_offset = int(random.integers(0, config.atom // pixel))
        line = (x_offset + width) * pixel + 32
        source = Surface(bench.place(line * height), line, 0, 1)
    else:
        source = bench.cube(config, (channels, height, width))
    kernel_channels = kernel_width * channels if form else channels
    weight_bytes = kernels * kernel_height * (1 if form else kernel_width) * kernel_channels
    convert = up_to(3) == 1
    components = channels if form and up_to(2) == 1 else 1
    rows_per_step = int(random.choice([1, 2, 4])) if form and kernel_channels * 4 <= config.atomic_c else 1
    return ConvLayer(
        winograd=False, pixels=form, in_itemsize=1, itemsize=1, ram_type=1,
        address=source.address, address_1=0, line_stride=source.line_stride, uv_line_stride=0,
        surf_stride=source.surf_stride, width=width, height=height, channels=channels,
        batches=1, batch_stride=0, pixel_x_offset=x_offset, pixel_signed=up_to(2) == 1, convert=convert,
        cvt_offset=tuple(int(random.integers(-300, 300)) for _ in range(components)),
        cvt_scale=int(random.integers(-40, 400)), cvt_truncate=int(random.choice([0, 5, 7, 63])),
        pad_left=pads[0], pad_right=pads[1], pad_top=pads[2], pad_bottom=pads[3],
        pad_value=int(random.integers(-128, 128)),
        ext_width=width, ext_height=height, ext_channels=channels,
        channel_stride_x=1, channel_stride_y=1, stride_x=stride_x, stride_y=stride_y,
        dilation_x=dilation_x, dilation_y=dilation_y, pra_truncate=0,
        weight_ram_type=1, weight_address=bench.place(weight_bytes), weight_bytes=weight_bytes,
        kernels=kernels, kernel_width=1 if form else kernel_width, kernel_height=kernel_height,
        kernel_channels=kernel_channels, rows_per_step=rows_per_step, compressed=False,
        wmb_address=0, wmb_bytes=0, wgs_address=0, entries_per_slice=1, data_banks=1, weight_banks=1,
        data_reuse=False, weight_reuse=False, skip_data_release=False, skip_weight_release=False,
        release_slices=height, out_width=out_width, out_height=out_height,
        clip_truncate=int(random.choice([0, 0, 0, 3])),
    )  # fmt: skip


def random_sdp(
    random: Random, config: Config, bench: Bench, size: Size, flying: bool, simple: bool, to_pdp: bool = False
) -> SdpLayer:
    """Any stages, or (``simple``) those that a compiler makes."""
    channels, height, width = size
    source = None if flying else bench.cube(config, size)
    y = None if simple or random.integers(0, 2) else _y_stage(random, config, bench, size)
    # behind a convolution the sums are large
    shift = int(random.integers(12, 30)) if flying else int(random.integers(8, 20))
    identity = random.integers(0, 3) == 0
    scale = int(random.choice([1, -1]) * random.choice([1 << 14, 21001, 32767, 3]))
    return SdpLayer(
        width=width, height=height, channels=channels, batches=1,
        source=source, source_itemsize=1, itemsize=1,
        x1=_x_stage(random, config, bench, size, simple),
        x2=_x_stage(random, config, bench, size, simple), y=y,
        cvt=Converter(0, 1, 0) if identity else Converter(int(random.integers(-9, 9)), scale, shift),
        out_itemsize=1, destination=None if to_pdp else bench.cube(config, size),
        destination_batch_stride=0, to_pdp=to_pdp, winograd=False, count_saturation=False, count_lut=False,
    )  # fmt: skip


def _x_stage(random: Random, config: Config, bench: Bench, size: Size, simple: bool) -> XStage | None:
    if random.integers(0, 3) == 0:
        return None
    alu = AluOp(random.integers(0, 3)) if random.integers(0, 4) else None
    if simple and alu is not None and random.integers(0, 4):
        alu = AluOp.SUM
    mul = bool(random.integers(0, 2))
    memory = None
    per_element = bool(random.integers(0, 2))
    alu_there, mul_there = (bool(used and random.integers(0, 2)) for used in (alu is not None, mul))
    if simple and per_element:
        mul_there = mul = False
    if alu_there or mul_there:
        memory = _operands(random, config, bench, size, alu_there and mul_there, per_element)
    return XStage(
        alu=alu,
        alu_operand=None if alu_there or alu is None else int(random.choice([-32768, 32767, 77, -300])),
        alu_shift=int(random.choice([0, 0, 1, 9, 16, 63])),
        mul=mul,
        mul_operand=None if mul_there or not mul else int(random.choice([1, -32768, 32767, 16384, 300])),
        prelu=mul and not simple and bool(random.integers(0, 2)),
        truncate=int(random.choice([0, 8, 15, 22, 30, 63])) if mul or not simple else 0,
        relu=bool(random.integers(0, 2)),
        memory=memory,
    )


def _y_stage(random: Random, config: Config, bench: Bench, size: Size) -> YStage:
    alu = AluOp(random.integers(0, 3)) if random.integers(0, 2) else None
    mul = bool(random.integers(0, 2))
    alu_there, mul_there = (bool(used and random.integers(0, 2)) for used in (alu is not None, mul))
    memory = None
    if alu_there or mul_there:
        memory = _operands(random, config, bench, size, alu_there and mul_there, bool(random.integers(0, 2)))

    def converter() -> Converter:
        numbers = (-(1 << 31), 1 << 31), (-(1 << 15), 1 << 15), (0, 64)
        return Converter(*(int(random.integers(*span)) for span in numbers))

    return YStage(
        mul=mul,
        mul_operand=None if mul_there or not mul else int(random.integers(-(1 << 31), 1 << 31)),
        mul_cvt=converter() if mul_there and random.integers(0, 2) else None,
        prelu=mul and bool(random.integers(0, 2)),
        truncate=int(random.choice([0, 12, 31, 62, 63, 1023])),
        alu=alu,
        alu_operand=None if alu_there or alu is None else int(random.integers(-(1 << 31), 1 << 31)),
        alu_cvt=converter() if alu_there and random.integers(0, 2) else None,
        lut=random_lut(random, 31) if random.integers(0, 2) else None,
        memory=memory,
    )


def _operands(
    random: Random, config: Config, bench: Bench, size: Size, pairs: bool, per_element: bool
) -> OperandMemory:
    itemsize = int(random.integers(1, 3))
    pixel = config.atom * itemsize * (2 if pairs else 1)
    return OperandMemory(bench.cube(config, size, pixel), per_element, itemsize, pairs)


def random_lut(random: Random, bits: int) -> Lut:
    """Tables for signed values of ``bits`` + 1 bits."""

    def slope() -> Slope:
        base = int(random.integers(-1000, 1000))
        return Slope(base, int(random.integers(-(1 << 15), 1 << 15)), int(random.integers(-16, 16)))

    def table(entries: int, exponent: bool) -> Table:
        start = int(random.choice([0, -(1 << bits), -1000, 5]))
        values = random.integers(-(1 << 15), 1 << 15, entries).astype(np.int16)
        offset, select = int(random.integers(-3, 6)), int(random.integers(-4, bits - 7))
        return Table(values, start, exponent, offset, select, slope(), slope())

    priorities = (bool(random.integers(0, 2)) for _ in range(3))
    return Lut(table(65, bool(random.integers(0, 2))), table(257, False), *priorities)


def random_pdp(random: Random, config: Config, bench: Bench, size: Size, flying: bool) -> PdpLayer:
    channels, height, width = size
    method = PoolingMethod(random.integers(0, 3))

    def axis(length: int) -> tuple[int, int, int, int, int]:
        """Kernel, stride, pads, output."""
        kernel = int(random.integers(1, 9))
        before, after = (int(random.integers(0, kernel)) for _ in range(2))
        while length + before + after < kernel:
            before, after = min(before + 1, kernel - 1), min(after + 1, kernel - 1)
            kernel = min(kernel, length + before + after)
        before, after = min(before, kernel - 1), min(after, kernel - 1)
        kernel = min(kernel, length + before + after)
        before, after = min(before, kernel - 1), min(after, kernel - 1)
        stride = int(random.integers(1, 5))
        return kernel, stride, before, after, (length + before + after - kernel) // stride + 1

    kernel_width, stride_x, left, right, out_width = axis(width)
    kernel_height, stride_y, top, bottom, out_height = axis(height)
    return PdpLayer(
        method=method, width=width, height=height, channels=channels, itemsize=1,
        out_width=out_width, out_height=out_height, stride_x=stride_x, stride_y=stride_y,
        kernel_width=kernel_width, kernel_height=kernel_height,
        pad_left=left, pad_right=right, pad_top=top, pad_bottom=bottom,
        pad_sums=(0, *(int(random.integers(-128, 128)) for _ in range(7))),
        recip_width=int(random.choice([65536 // kernel_width, random.integers(0, 1 << 17)])),
        recip_height=int(random.choice([65536 // kernel_height, 1 << 16])),
        source=None if flying else bench.cube(config, size),
        destination=bench.cube(config, (channels, out_height, out_width)),
    )  # fmt: skip


def random_cdp(random: Random, config: Config, bench: Bench, size: Size) -> CdpLayer:
    channels, height, width = size
    return CdpLayer(
        width=width, height=height, channels=channels, itemsize=1, reach=int(random.integers(1, 5)),
        square_sum=bool(random.integers(0, 2)), multiply=bool(random.integers(0, 2)),
        in_offset=int(random.integers(-128, 128)), in_scale=int(random.integers(-300, 300)),
        in_shift=int(random.choice([0, 3, 8, 31])),
        out_offset=int(random.integers(-(1 << 24), 1 << 24)) >> int(random.integers(0, 20)),
        out_scale=int(random.integers(-(1 << 15), 1 << 15)), out_shift=int(random.choice([0, 12, 20, 63])),
        lut=random_lut(random, 30), source=bench.cube(config, size), destination=bench.cube(config, size),
    )  # fmt: skip
