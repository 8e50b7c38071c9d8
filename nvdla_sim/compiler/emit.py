"""The scheduled program as a loadable.

Memory 0 is a dummy; then inputs, outputs, the pool of work buffers, the constants, and six for each task.
Each memory has one address, of the same number; where a cube is inside its memory tells its descriptor.

Source: compiler-facts sections 1, 2, 3 and 12.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nvdla_sim.compiler.constants import Constants, Content
from nvdla_sim.compiler.describe import Lists, describe, place_lists
from nvdla_sim.compiler.encode import Bytes, Encoder, Place
from nvdla_sim.compiler.program import Buffer, Cube, Port, Program, Role
from nvdla_sim.compiler.schedule import Task
from nvdla_sim.compiler.source_map import source_map
from nvdla_sim.hw.config import Config
from nvdla_sim.hw.formats import round_up
from nvdla_sim.loadable.entries import SOURCE_MAP
from nvdla_sim.loadable.enums import (
    DataCategory,
    DataFormat,
    DataType,
    Domain,
    EventOp,
    Interface,
    MemoryFlags,
    PixelFormat,
)
from nvdla_sim.loadable.loadable import Address, Blob, Event, Loadable, MemoryEntry, Submit, Tensor
from nvdla_sim.loadable.loadable import Task as TaskEntry

PAGE = 4096
CONTEXT_SIZE = 6  # memories of a task


def emit(program: Program, tasks: Sequence[Task], batch: int, pool_size: int, config: Config) -> Loadable:
    """``batch``: images. ``pool_size``: bytes of an image's pool of work buffers."""
    container = _Container()
    container.memory(MemoryFlags.ALLOC, PAGE)
    memories: dict[Buffer, int] = {}
    for flag, ports in ((MemoryFlags.INPUT, program.inputs), (MemoryFlags.OUTPUT, program.outputs)):
        for bind, port in enumerate(ports):
            assert port.cube.buffer is not None
            memory = container.memory(MemoryFlags.ALLOC | flag, batch * port.cube.buffer.size)
            memories[port.cube.buffer] = memory
            container.bind(memory, bind, port, batch, config)
    if pool_size:
        pool = container.memory(MemoryFlags.ALLOC, round_up(batch * pool_size, PAGE))
    constants = Constants(len(container.result.memories))

    def locate(cube: Cube) -> Place:
        assert cube.buffer is not None
        if cube.buffer.role is Role.WORK:
            return pool, cube.buffer.offset + cube.offset
        return memories[cube.buffer], cube.offset

    encoder = Encoder(config, locate, constants.place)
    described = [describe(task, encoder) for task in tasks]
    if constants.size:
        container.constants(round_up(constants.size, PAGE), constants.contents())
    ordinary = len(container.result.memories)
    for index, lists in enumerate(described):
        container.task(index, lists, ordinary)
    notes = source_map(program, tasks, batch, locate, config)
    container.result.blobs.append(_plain_blob(SOURCE_MAP, notes))
    return container.finished()


class _Container:
    """A loadable in the making: entries get the ids of their positions."""

    def __init__(self) -> None:
        self.result = Loadable()

    def memory(self, flags: MemoryFlags, size: int, content: Blob | None = None) -> int:
        number = len(self.result.memories)
        entry = MemoryEntry(number, Domain.SYSTEM, flags, size, PAGE)
        if content is not None:
            self.result.blobs.append(content)
            entry.contents, entry.offsets = [content.name], [0]
        self.result.memories.append(entry)
        return number

    def constants(self, size: int, contents: Iterable[Content]) -> None:
        entry = self.result.memories[self.memory(MemoryFlags.ALLOC | MemoryFlags.SET, size)]
        for number, content in enumerate(contents):
            name = f"tb-{number}"
            self.result.blobs.append(_plain_blob(name, content.data))
            entry.contents += [name] * content.times
            entry.offsets += [content.offset + i * content.data.size for i in range(content.times)]

    def bind(self, memory: int, bind: int, port: Port, batch: int, config: Config) -> None:
        """Tell the runtime what the memory of a network input or output looks like."""
        number = len(self.result.tensors)
        self.result.memories[memory].bind_id = bind
        self.result.memories[memory].tensor_desc_id = number
        self.result.tensors.append(_tensor(port, number, memory, batch, config))

    def task(self, index: int, lists: Lists, ordinary: int) -> None:
        """Add a task with its memories. ``ordinary``: number of addresses that all tasks share."""
        # what the task's own lists are called in its address list, behind the shared addresses
        place_lists(lists, range(ordinary, ordinary + CONTEXT_SIZE - 1))
        blobs = lists.blobs(index)
        flags = MemoryFlags.ALLOC | MemoryFlags.SET
        context = [self.memory(flags, blob.data.size, blob) for blob in blobs]
        while len(context) < CONTEXT_SIZE:
            context.append(self.memory(MemoryFlags.ALLOC, PAGE))
        addresses = [context[0], *range(1, ordinary), *context[1:]]
        before = [self._event(EventOp.WAIT, index)] if index else []
        after = [self._event(EventOp.SIGNAL, index + 1)]
        self.result.tasks.append(TaskEntry(index, blobs[0].interface, -1, addresses, before, after))
        self.result.submits.append(Submit(index, [index]))

    def finished(self) -> Loadable:
        self.result.blobs.sort(key=lambda blob: blob.name)
        self.result.addresses = [Address(m.id, m.id, 0, m.size) for m in self.result.memories]
        return self.result

    def _event(self, op: EventOp, value: int) -> int:
        number = len(self.result.events)
        self.result.events.append(Event(number, type=0, target=0, val=value, op=op))
        return number


def _plain_blob(name: str, data: Bytes) -> Blob:
    """A blob that is no descriptor list."""
    return Blob(name, Interface.NONE, 0, (0, 0, 0), data)


def _tensor(port: Port, number: int, memory: int, batch: int, config: Config) -> Tensor:
    cube = port.cube
    assert cube.buffer is not None
    feature = PixelFormat.FEATURE_X8 if config.atom == 8 else PixelFormat.FEATURE
    return Tensor(
        name=port.name,
        id=number,
        mem_id=memory,
        size=batch * cube.buffer.size,
        offset=cube.offset,
        data_format=DataFormat.NHWC if port.image else DataFormat.NCXHWX,
        data_type=DataType.INT8,
        data_category=DataCategory.IMAGE if port.image else DataCategory.FEATURE,
        pixel_format=PixelFormat.A8B8G8R8 if port.image else feature,
        pixel_mapping=0,
        n=batch,
        c=cube.channels,
        h=cube.height,
        w=cube.width,
        strides=(1, cube.line, cube.surf, 0, 0, 0, 0, 0),
    )
