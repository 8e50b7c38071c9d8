"""Loadables for the fuzzer: real ones with a few numbers or bytes changed, run by the whole runtime."""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np

from nvdla_sim.errors import NvdlaError
from nvdla_sim.hw.cbuf import ConvBuffer
from nvdla_sim.hw.config import CONFIGS, Config
from nvdla_sim.hw.execute import reference_executor
from nvdla_sim.hw.launch import Launch
from nvdla_sim.hw.memory import Bytes, Memory, Ports
from nvdla_sim.loadable.lists import DlaTask, EmuTask, read_task
from nvdla_sim.loadable.loadable import Loadable
from nvdla_sim.loadable.verifier import TABLES, Kind
from nvdla_sim.runtime import session
from nvdla_sim.runtime.buffers import BASE_ADDRESS, Buffers
from nvdla_sim.runtime.plan import Extent, Steps, executable
from tools.fuzz_support import Finding, cut_bytes, guarded, other_bytes, other_number

LARGEST_SEED = 100_000  # bytes: what is larger takes its time without being more of a test
FORMATS = {1: "<B", 2: "<H", 4: "<I", 8: "<Q"}
_RANDOM_INPUTS = 1 << 20  # elements: inputs that a mutation made larger are zeros


class Place(NamedTuple):
    """A number in the file: its first byte and how many it has."""

    offset: int
    size: int

    def read(self, data: bytearray) -> int:
        return int(struct.unpack_from(FORMATS[self.size], data, self.offset)[0])

    def write(self, data: bytearray, value: int) -> None:
        struct.pack_into(FORMATS[self.size], data, self.offset, value & (1 << 8 * self.size) - 1)


Places = list[Place]


@dataclass
class Layout:
    """Where a loadable's numbers are. ``size``: bytes of the file."""

    size: int
    container: Places = field(default_factory=list)  # of the flatbuffer
    graph: list[Places] = field(default_factory=list)  # of each record that says what runs when
    operations: list[Places] = field(default_factory=list)  # of each operation, its surfaces, or its table
    contents: list[tuple[int, int]] = field(default_factory=list)  # first byte and size of names and blobs


@dataclass(frozen=True)
class LoadableCase:
    """A loadable's bytes. ``target``: None infers it; ``inputs``: seeds the network inputs."""

    seed: str
    data: bytes
    target: str | None
    inputs: int

    def play(self, engines: Sequence[str]) -> None:
        """Run twice by each engine; the memory afterwards must always be the same."""
        results = {engine: _attempt(self, engine) for engine in engines}
        refused = [result for result in results.values() if isinstance(result, NvdlaError)]
        if refused and len(refused) < len(results):
            told = [f"{engine}: {_told(result)}" for engine, result in results.items()]
            raise Finding("refused by one engine only\n" + "\n".join(told))
        if refused:
            raise refused[0]
        (name, first), *others = (
            (n, arena) for n, r in results.items() if not isinstance(r, NvdlaError) for arena in r
        )
        for other_name, other in others:
            different = np.flatnonzero(first != other)
            if different.size:
                at = int(different[0])
                raise Finding(
                    f"{different.size} bytes differ; the first is 0x{BASE_ADDRESS + at:x}: "
                    f"{first[at]} by {name}, {other[at]} by {other_name}"
                )

    def save(self, path: Path) -> Path:
        path = path.with_suffix(".nvdla")
        path.write_bytes(self.data)
        return path


def _told(result: NvdlaError | list[Bytes]) -> str:
    return f"{type(result).__name__}: {result}" if isinstance(result, NvdlaError) else "runs"


def _attempt(case: LoadableCase, engine: str) -> NvdlaError | list[Bytes]:
    """The memory after each of two runs, or the refusal."""
    execute = executable if engine == "kernels" else _by_reference
    try:
        with patch.object(session, "Buffers", GuardedBuffers), patch.object(session, "executable", execute):
            loadable = Loadable.from_bytes(case.data, case.seed)
            runtime = session.Runtime(loadable, case.target)
            buffers, arenas = runtime._buffers, []
            assert isinstance(buffers, GuardedBuffers)
            for _ in range(2):
                runtime.run(_inputs(runtime, case.inputs))
                arenas.append(buffers.arena.copy())
            return arenas
    except NvdlaError as problem:
        return problem


class GuardedBuffers(Buffers):
    """The same buffers in memory whose ends are guarded."""

    def __init__(self, loadable: Loadable) -> None:
        super().__init__(loadable)
        self.arena = guarded(self._arena.size)
        for address, data in self.contents:
            self.arena[address - BASE_ADDRESS :][: data.size] = data
        memory = Memory()
        memory.map(BASE_ADDRESS, self.arena)
        self.ports = Ports(memory, Memory())


def _by_reference(
    config: Config, steps: Steps, ports: Ports, given: Iterable[Extent]
) -> list[Callable[[], object]]:
    buffer = ConvBuffer()
    execute = reference_executor(config, ports, buffer)
    runs = (partial(execute, step) if isinstance(step, Launch) else step.run for step in steps)
    return [buffer.reset, *runs]


def _inputs(runtime: session.Runtime, seed: int) -> list[Any]:
    rng = np.random.default_rng(seed)
    inputs = []
    for port in runtime.inputs:
        shape = (port.tensor.c, port.tensor.h, port.tensor.w)
        few = np.prod(shape) <= _RANDOM_INPUTS
        inputs.append(rng.integers(-128, 128, shape, np.int8) if few else np.zeros(shape, np.int8))
    return inputs


class Loadables:
    """Mutations of the loadables in ``folders``, those below ``LARGEST_SEED`` bytes."""

    def __init__(self, folders: Iterable[Path]) -> None:
        paths = sorted(path for folder in folders for path in folder.rglob("*.nvdla"))
        self._seeds = [path for path in paths if path.stat().st_size < LARGEST_SEED]
        self._layout = functools.lru_cache(maxsize=None)(_read_seed)

    def case(self, rng: Random) -> LoadableCase:
        path = rng.choice(self._seeds)
        seed, layout = self._layout(path)
        data = bytearray(seed)
        for _ in range(rng.choice((1, 1, 1, 1, 2, 2, 3, 4))):
            data = _mutate(rng, data, layout)
        named = [name for name in CONFIGS if name in path.name.split(".")]
        target = rng.choice((None, *named)) if rng.random() < 0.95 else rng.choice(list(CONFIGS))
        return LoadableCase(path.name, bytes(data), target, rng.getrandbits(32))


def _mutate(rng: Random, data: bytearray, layout: Layout | None) -> bytearray:
    kind = rng.random()
    if layout is None or len(data) < layout.size or kind < 0.03:
        other_bytes(rng, data)
    elif kind < 0.05:
        return cut_bytes(rng, data)
    elif kind < 0.15:
        _change(rng, data, rng.choice(layout.container))
    elif kind < 0.23:
        _change(rng, data, rng.choice(rng.choice(layout.graph)))
    elif kind < 0.38:
        first, size = max(rng.choices(layout.contents, k=3), key=lambda place: place[1])
        other_bytes(rng, memoryview(data)[first : first + size])
    elif kind < 0.68:
        _change(rng, data, rng.choice(rng.choice(layout.operations)))
    elif kind < 0.94:
        _change_all_equal(rng, data, layout)
    else:
        _copy_record(rng, data, rng.choice((layout.operations, layout.graph)))
    return data


def _change(rng: Random, data: bytearray, place: Place) -> None:
    place.write(data, other_number(rng, place.read(data), 8 * place.size))


def _change_all_equal(rng: Random, data: bytearray, layout: Layout) -> None:
    """Change a number of an operation wherever it stands there, in all operations, or in the container, too:
    sizes and strides that agree go on doing so.
    """
    operation = rng.choice(layout.operations)
    value = max(place.read(data) for place in rng.choices(operation, k=3))
    changed = other_number(rng, value, rng.choice((8, 16)))
    groups = rng.choice(([operation], layout.operations, [*layout.operations, layout.container]))
    for place in (place for group in groups for place in group):
        if place.read(data) == value:
            place.write(data, changed)


def _copy_record(rng: Random, data: bytearray, records: list[Places]) -> None:
    """One record becomes like another of its kind."""
    target = rng.choice(records)
    other = rng.choice([record for record in records if len(record) == len(target)])
    for place, of in zip(target, other, strict=True):
        place.write(data, of.read(data))


def _read_seed(path: Path) -> tuple[bytes, Layout | None]:
    """A file and where its numbers are; None when it is none that can be run."""
    data = path.read_bytes()
    layout = Layout(len(data))
    _walk_table(data, _target(data, 0), "Loadable", layout)
    try:
        loadable = Loadable.from_bytes(data, path.name)
        for task in loadable.tasks:
            _add_records(layout, read_task(loadable, task), np.frombuffer(data, np.uint8).ctypes.data)
    except NvdlaError:
        return data, None
    return data, layout


def _add_records(layout: Layout, task: DlaTask | EmuTask, begin: int) -> None:
    """A task's descriptors that are views of the file, whose first byte is at address ``begin``."""

    def places(*records: Any) -> Places:
        inside: Places = []
        for record in records:
            first = record.__array_interface__["data"][0] - begin
            if 0 <= first < layout.size:
                inside += _numbers(record.dtype, first)
        return inside

    layout.graph.append(places(task.network))
    if isinstance(task, DlaTask):
        layout.graph += [places(record) for record in task.dep_graph]
        layout.operations += [places(*pair) for pair in zip(task.ops, task.surfaces, strict=True)]
        layout.operations += [places(table) for table in task.luts]
    else:
        layout.operations += [places(op, *sides) for op, sides in zip(task.ops, task.buffers, strict=True)]


def _numbers(kind: np.dtype[Any], offset: int) -> Iterator[Place]:
    """Every number of a struct that begins at ``offset``."""
    if kind.subdtype is not None:
        item, shape = kind.subdtype
        for i in range(int(np.prod(shape))):
            yield from _numbers(item, offset + i * item.itemsize)
    elif kind.fields is not None:
        for inner, at, *_ in kind.fields.values():
            yield from _numbers(inner, offset + at)
    else:
        yield Place(offset, kind.itemsize)


def _target(data: bytes, at: int) -> int:
    return at + int(struct.unpack_from("<I", data, at)[0])


def _walk_table(data: bytes, at: int, name: str, layout: Layout) -> None:
    """Note every offset, length and number of a flatbuffer table, and where its names and blobs are."""
    vtable = at - int(struct.unpack_from("<i", data, at)[0])
    size = int(struct.unpack_from("<H", data, vtable)[0])
    for entry, kind in enumerate(TABLES[name].values(), start=2):
        offset = struct.unpack_from("<H", data, vtable + 2 * entry)[0] if 2 * entry < size else 0
        if offset:
            _walk_field(data, at + int(offset), kind, layout)


def _walk_field(data: bytes, at: int, kind: Kind, layout: Layout) -> None:
    if isinstance(kind, int):  # a version has three bytes
        layout.container += [Place(at, kind)] if kind in FORMATS else [Place(at + i, 1) for i in range(kind)]
        return
    target = _target(data, at)
    layout.container += [Place(at, 4), Place(target, 4)]
    count = int(struct.unpack_from("<I", data, target)[0])
    element = kind[0] if isinstance(kind, list) else 1
    if element == 1:
        layout.contents.append((target + 4, count))
    elif isinstance(element, int):
        layout.container += [Place(target + 4 + i * element, element) for i in range(count)]
    else:
        for entry in range(target + 4, target + 4 + 4 * count, 4):
            if element == "string":
                _walk_field(data, entry, element, layout)
            else:
                layout.container.append(Place(entry, 4))
                _walk_table(data, _target(data, entry), element, layout)
