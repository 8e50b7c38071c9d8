"""What is in a loadable: memories, inputs and outputs, and every operation with its cubes and numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from nvdla_sim.analysis.accesses import accesses
from nvdla_sim.analysis.inspect.flow import Flow, Source
from nvdla_sim.analysis.inspect.settings import Settings, cpu_settings, settings
from nvdla_sim.analysis.units import read_units, used_cubes
from nvdla_sim.hw.config import Config, config_named
from nvdla_sim.loadable.enums import EmuOpType, MemoryFlags, MemType
from nvdla_sim.loadable.lists import DlaTask, EmuTask, read_task
from nvdla_sim.loadable.loadable import Loadable, MemoryEntry, Task
from nvdla_sim.runtime.buffers import Buffers, bound_memories
from nvdla_sim.runtime.operation import NOBODY, Operation, fields
from nvdla_sim.runtime.source_map import SourceMap, read_source_map
from nvdla_sim.runtime.target import infer_target
from nvdla_sim.runtime.tensor import is_image


@dataclass(frozen=True)
class CubeInfo:
    """One cube of an operation. Sizes are elements; ``offset`` (in its memory) and strides bytes.

    ``memory`` None: on the fly, from or to another engine.
    """

    name: str  # as the descriptors call it
    channels: int
    height: int
    width: int
    memory: int | None
    offset: int
    line_stride: int
    surf_stride: int


@dataclass(frozen=True)
class OperationInfo:
    """Operation ``number`` of its task. ``layer`` of the net, where its compiler noted it.

    ``dependencies``: how many events it waits for. ``wakes``: by number, the operations that wait for one of
    its events, with the event; None for the CPU's.
    """

    number: int
    type: str
    layer: str | None
    cubes: tuple[CubeInfo, ...]
    settings: Settings
    dependencies: int = 0
    wakes: dict[int, str] | None = None


@dataclass(frozen=True)
class UnitInfo:
    """Operations that run together. ``number`` counts the units of all tasks.

    ``tensor`` of the net that is complete then and its ``scale`` (real = scale * int8), where its compiler
    noted them. ``sources``: units and network inputs that it reads, ``outputs``: network outputs that it
    writes, both unknown where driver or chip refuse it: ``problems``.
    """

    number: int
    task: int
    on_cpu: bool
    operations: tuple[OperationInfo, ...]
    tensor: str | None
    scale: float | None
    sources: tuple[Source, ...]
    outputs: tuple[int, ...]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class TensorInfo:
    """A network input or output. ``scale``: real = scale * int8, None where nobody noted it."""

    name: str
    channels: int
    height: int
    width: int
    images: int
    pixels: bool
    memory: int
    scale: float | None
    line_stride: int
    surf_stride: int


@dataclass(frozen=True)
class MemoryInfo:
    """One buffer of ``size`` bytes; ``blob_bytes`` of it are loaded from ``blobs`` blobs."""

    number: int
    use: str
    size: int
    blobs: int
    blob_bytes: int


@dataclass(frozen=True)
class Inspection:
    """``assumption``: what made ``target`` the likely one, None where it was given."""

    name: str
    producer: str | None
    target: str
    assumption: str | None
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    memories: tuple[MemoryInfo, ...]
    units: tuple[UnitInfo, ...]


def inspect(loadable: Loadable, target: str | None = None) -> Inspection:
    """``target``: a hardware configuration's name; None infers it.

    Operations that driver or chip refuse are told with the reason. Raises ``OptionError`` for an unknown
    target, ``LoadableError`` where memories or lists cannot be read, ``UnsupportedError`` for fp16.
    """
    tasks = [read_task(loadable, task) for task in loadable.tasks]
    notes = read_source_map(loadable)
    assumption = None
    if target is None:
        config, assumption = infer_target(loadable, tasks)
    else:
        config = config_named(target)
    reader = _Reader(loadable, config, notes)
    units: list[UnitInfo] = []
    for entry, task in zip(loadable.tasks, tasks, strict=True):
        units += reader.accelerator(entry, task) if isinstance(task, DlaTask) else reader.cpu(entry, task)
    inputs, outputs = (
        tuple(_tensor(loadable, memory, notes) for memory in bound_memories(loadable, direction))
        for direction in (MemoryFlags.INPUT, MemoryFlags.OUTPUT)
    )
    memories = tuple(_memory(loadable, memory) for memory in loadable.memories)
    return Inspection(
        loadable.name, notes.producer, config.name, assumption, inputs, outputs, memories, tuple(units)
    )


def _memory(loadable: Loadable, memory: MemoryEntry) -> MemoryInfo:
    sizes = [loadable.blob(name).data.size for name in memory.contents]
    if memory.flags & (MemoryFlags.INPUT | MemoryFlags.OUTPUT):
        use = f"{'input' if memory.flags & MemoryFlags.INPUT else 'output'} {memory.bind_id}"
    elif memory.contents:
        use = memory.contents[0] if len(sizes) == 1 else "constants"
    else:
        use = "work"
    return MemoryInfo(memory.id, use, memory.size, len(sizes), sum(sizes))


def _tensor(loadable: Loadable, memory: MemoryEntry, notes: SourceMap) -> TensorInfo:
    tensor = loadable.tensors[memory.tensor_desc_id]
    size = tensor.c, tensor.h, tensor.w, tensor.n
    scale = notes.scales.get(tensor.name)
    return TensorInfo(tensor.name, *size, is_image(tensor), memory.id, scale, *tensor.strides[1:3])


class _Reader:
    """Reads task after task, following which unit writes what another one reads."""

    def __init__(self, loadable: Loadable, config: Config, notes: SourceMap) -> None:
        self._loadable = loadable
        self._config = config
        self._notes = notes
        self._buffers = Buffers(loadable)
        self._flow = Flow(loadable, self._buffers)
        self._completes = {cube.step: cube for cube in notes.cubes}
        self._count = 0

    def accelerator(self, entry: Task, task: DlaTask) -> Iterator[UnitInfo]:
        locate = partial(self._buffers.locate, entry)
        for unit in read_units(self._config, task, locate, self._buffers.ports):
            touched = list(accesses(self._config, unit))
            reads = [range(a.address, a.end) for a in touched if not a.writes]
            writes = [range(a.address, a.end) for a in touched if a.writes]
            operations = [self._operation(entry, operation) for operation in unit.operations]
            yield self._unit(entry, operations, reads, writes, unit.problems)

    def cpu(self, entry: Task, task: EmuTask) -> Iterator[UnitInfo]:
        locate = partial(self._buffers.locate, entry)
        for number, (op, buffers) in enumerate(zip(task.ops, task.buffers, strict=True)):
            sides = [fields(buffer) for buffer in buffers]
            cubes = tuple(self._cube(entry, name, c) for name, c in zip(("src", "dst"), sides, strict=True))
            kind, layer = EmuOpType(int(op["type"])).name, self._layer(entry, number)
            operation = OperationInfo(number, kind, layer, cubes, cpu_settings(op))
            places = []
            for side in sides:
                start = locate(side.address, side.offset)
                places.append(range(start, start + side.size))
            yield self._unit(entry, [operation], places[:1], places[1:], (), on_cpu=True)

    def _unit(
        self,
        entry: Task,
        operations: list[OperationInfo],
        reads: list[range],
        writes: list[range],
        problems: tuple[str, ...],
        on_cpu: bool = False,
    ) -> UnitInfo:
        number, self._count = self._count, self._count + 1
        done = self._completes.get(number)
        tensor, scale = (done.tensor, done.scale) if done else (None, None)
        sources, outputs = self._flow.sources(reads), self._flow.outputs(writes)
        self._flow.wrote(number, writes)
        return UnitInfo(
            number, entry.id, on_cpu, tuple(operations), tensor, scale, sources, outputs, problems
        )

    def _operation(self, entry: Task, operation: Operation) -> OperationInfo:
        surface = operation.surface
        cubes = tuple(self._cube(entry, name, getattr(surface, name)) for name in used_cubes(operation))
        wakes = {edge.target: edge.event.name for edge in operation.edges if edge.target != NOBODY}
        return OperationInfo(
            number=operation.index,
            type=operation.type.name,
            layer=self._layer(entry, operation.index),
            cubes=cubes,
            settings=settings(operation),
            dependencies=operation.dependencies,
            wakes=wakes,
        )

    def _layer(self, entry: Task, number: int) -> str | None:
        return self._notes.layers.get((entry.id, number))

    def _cube(self, entry: Task, name: str, cube: Any) -> CubeInfo:
        """Of a cube's descriptor, or of a CPU operation's buffer, which is always in memory."""
        memory, offset = None, 0
        if getattr(cube, "type", MemType.MC) != MemType.HW:
            address = self._loadable.addresses[entry.address_list[cube.address]]
            memory, offset = address.mem_id, address.offset + cube.offset
        size = cube.channel, cube.height, cube.width
        return CubeInfo(name, *size, memory, offset, cube.line_stride, cube.surf_stride)
