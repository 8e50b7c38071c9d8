"""Which memory each operation of a unit reads and writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from nvdla_sim.analysis.units import Unit
from nvdla_sim.hw.config import Config
from nvdla_sim.hw.conv import ConvLayer
from nvdla_sim.hw.formats import feature_extent
from nvdla_sim.hw.kernels.writes import writes
from nvdla_sim.hw.launch import Launch
from nvdla_sim.hw.rubik import RubikLayer, RubikMode
from nvdla_sim.hw.sdp import OperandMemory, SdpLayer
from nvdla_sim.hw.surface import Surface
from nvdla_sim.loadable.enums import OpType
from nvdla_sim.runtime.operation import Operation


class Extent(NamedTuple):
    """What an engine reads: a cube, from its first to its last byte, gaps included."""

    engine: OpType
    cube: str  # as the descriptors call it
    ram_type: int
    address: int
    size: int  # bytes


@dataclass(frozen=True)
class Access:
    """One cube that an operation reads or writes; ``size`` bytes from bus address ``address`` on."""

    operation: Operation
    cube: str
    writes: bool
    ram_type: int
    address: int
    size: int

    @property
    def end(self) -> int:
        return self.address + self.size

    def overlaps(self, other: Access) -> bool:
        same = self.ram_type == other.ram_type
        return same and self.address < other.end and other.address < self.end

    def __str__(self) -> str:
        return f"{self.operation}: {self.cube} ({self.size} bytes)"


def accesses(config: Config, unit: Unit) -> Iterator[Access]:
    """What the unit reads, then what it writes; nothing for one that cannot run."""
    if unit.launch is None:
        return
    by_engine = {operation.type: operation for operation in unit.operations}
    for extent in _reads(config, unit.launch):
        yield Access(by_engine[extent.engine], extent.cube, False, *extent[2:])
    for ram_type, address, size in writes(config, unit.launch):
        yield Access(unit.operations[-1], "dst", True, ram_type, address, size)


def _reads(config: Config, launch: Launch) -> Iterator[Extent]:
    sdp, pdp, cdp = launch.sdp, launch.pdp, launch.cdp
    if launch.conv is not None:
        yield from _convolution(config, launch.conv)
    if sdp is not None:
        yield from _sdp(config, sdp)
    if pdp is not None and pdp.source is not None:
        channel_bytes = pdp.channels * pdp.itemsize
        yield _cube(config, OpType.PDP, "src", pdp.source, channel_bytes, pdp.height, pdp.width)
    if cdp is not None:
        channel_bytes = cdp.channels * cdp.itemsize
        yield _cube(config, OpType.CDP, "src", cdp.source, channel_bytes, cdp.height, cdp.width)
    if launch.rubik is not None:
        yield _rubik(config, launch.rubik)
    for number, copy in enumerate(launch.bdma.copies if launch.bdma is not None else ()):
        place = copy.source
        last = (copy.surfaces - 1) * place.surf_stride + (copy.lines - 1) * place.line_stride
        name = f"transfer {number} source"
        yield Extent(OpType.BDMA, name, place.ram_type, place.address, last + copy.line_bytes)


def _cube(
    config: Config, engine: OpType, name: str, place: Surface, channel_bytes: int, height: int, width: int
) -> Extent:
    size = feature_extent(channel_bytes, height, width, config.atom, place.line_stride, place.surf_stride)
    return Extent(engine, name, place.ram_type, place.address, size)


def _convolution(config: Config, layer: ConvLayer) -> Iterator[Extent]:
    """What is in the convolution buffer already is not read again."""
    if not layer.data_reuse:
        yield from _pixels(config, layer) if layer.pixels else _batches(config, layer)
    if not layer.weight_reuse:
        ram_type = layer.weight_ram_type
        yield Extent(OpType.CONV, "weight", ram_type, layer.weight_address, layer.weight_bytes)
        if layer.compressed:
            groups = -(-layer.kernels // layer.atomic_k(config))
            yield Extent(OpType.CONV, "wmb", ram_type, layer.wmb_address, layer.wmb_bytes)
            yield Extent(OpType.CONV, "wgs", ram_type, layer.wgs_address, 4 * groups)


def _batches(config: Config, layer: ConvLayer) -> Iterator[Extent]:
    channel_bytes = layer.channels * layer.in_itemsize
    for batch in range(layer.batches):
        address = layer.address + batch * layer.batch_stride
        place = Surface(address, layer.line_stride, layer.surf_stride, layer.ram_type)
        yield _cube(config, OpType.CONV, "src", place, channel_bytes, layer.height, layer.width)


def _pixels(config: Config, layer: ConvLayer) -> Iterator[Extent]:
    assert layer.pixels is not None
    planes = ((layer.address, layer.line_stride), (layer.address_1, layer.uv_line_stride))
    starts = layer.plane_starts(config, layer.pixels)
    for start, (address, stride), pixel_bytes in zip(starts, planes, layer.pixels.plane_bytes, strict=False):
        size = (layer.height - 1) * stride + layer.width * pixel_bytes
        yield Extent(OpType.CONV, "src", layer.ram_type, address + start, size)


def _sdp(config: Config, layer: SdpLayer) -> Iterator[Extent]:
    if layer.source is not None:
        channel_bytes = layer.channels * layer.source_itemsize
        yield _cube(config, OpType.SDP, "src", layer.source, channel_bytes, layer.height, layer.width)
    for name, stage in (("x1", layer.x1), ("x2", layer.x2), ("y", layer.y)):
        if stage is not None and stage.memory is not None:
            yield _operands(config, layer, name, stage.memory)


def _operands(config: Config, layer: SdpLayer, name: str, memory: OperandMemory) -> Extent:
    """Operands are read in whole atoms: also those of lanes behind the last channel."""
    place, atom = memory.surface, memory.atom(config.atom, layer.itemsize)
    surfaces = -(-layer.channels * layer.itemsize // config.atom)
    size = surfaces * atom
    if memory.per_element:
        strides = place.line_stride, place.surf_stride
        size = feature_extent(surfaces * atom, layer.height, layer.width, atom, *strides)
    return Extent(OpType.SDP, name, place.ram_type, place.address, size)


def _rubik(config: Config, layer: RubikLayer) -> Extent:
    place, atom, height, width = layer.source, config.atom, layer.height, layer.width
    if layer.mode is RubikMode.MERGE:
        line = -(-width * layer.itemsize // atom) * atom
        size = (layer.channels - 1) * place.surf_stride + (height - 1) * place.line_stride + line
        return Extent(OpType.RUBIK, "src", place.ram_type, place.address, size)
    surfaces = -(-layer.out_channels * layer.itemsize // atom)
    if layer.mode is RubikMode.CONTRACT:
        surfaces *= layer.stride_x * layer.stride_y
    return _cube(config, OpType.RUBIK, "src", place, surfaces * atom, height, width)
