"""Whether NVIDIA's runtime, driver, firmware and chip would run a loadable, and what they do not look at.

The container's own rules are checked where it is read (``nvdla_sim.loadable.check``). Everything that the
driver or the chip refuse is asked of the code that plays them here; what is added is what the real ones take
for granted.

Source: compiler-facts sections 1.5, 4 and 8.20, recipes section 3.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial

from nvdla_sim.analysis.accesses import Access, accesses
from nvdla_sim.analysis.check import alignment, dependencies
from nvdla_sim.analysis.check.races import races
from nvdla_sim.analysis.units import Locate, Unit, read_units
from nvdla_sim.errors import LoadableError, ProgramError
from nvdla_sim.hw.cdma import fetch_weights
from nvdla_sim.hw.chip import Chip
from nvdla_sim.hw.config import Config, config_named
from nvdla_sim.hw.memory import Bytes
from nvdla_sim.loadable.enums import MemoryFlags
from nvdla_sim.loadable.lists import DlaTask, EmuTask, read_task
from nvdla_sim.loadable.loadable import Loadable, Task
from nvdla_sim.runtime import emulator
from nvdla_sim.runtime.buffers import Buffers
from nvdla_sim.runtime.firmware import Firmware
from nvdla_sim.runtime.session import bound_ports
from nvdla_sim.runtime.target import infer_target


@dataclass
class Findings:
    """``errors``: why it does not run on the real stack. ``warnings``: what may go wrong there.

    ``assumption``: what made ``config`` the likely one, None where it was given.
    """

    config: Config
    assumption: str | None = None
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def check(loadable: Loadable, target: str | None = None) -> Findings:
    """``target``: a hardware configuration's name; None infers it.

    Raises ``OptionError`` for an unknown target, ``LoadableError`` where descriptor lists cannot be read,
    ``UnsupportedError`` for what cannot be checked: fp16.
    """
    tasks = [read_task(loadable, task) for task in loadable.tasks]
    if target is None:
        findings = Findings(*infer_target(loadable, tasks))
    else:
        findings = Findings(config_named(target))
    try:
        buffers = Buffers(loadable)
        for direction in (MemoryFlags.INPUT, MemoryFlags.OUTPUT):
            bound_ports(loadable, buffers, findings.config, direction)
    except (LoadableError, ProgramError) as problem:
        findings.errors.append(str(problem))
        return findings
    checker = _Checker(loadable, buffers, findings)
    for entry, task in zip(loadable.tasks, tasks, strict=True):
        if isinstance(task, DlaTask):
            checker.accelerator(entry, task)
        else:
            checker.cpu(entry, task)
    return findings


class _Checker:
    def __init__(self, loadable: Loadable, buffers: Buffers, findings: Findings) -> None:
        self._loadable = loadable
        self._buffers = buffers
        self._config = findings.config
        self._findings = findings
        self._blobs = _Ranges(_stretches(buffers.contents))
        self._memories = _Ranges(range(base, base + memory.size) for base, memory in buffers.places())

    def cpu(self, entry: Task, task: EmuTask) -> None:
        locate = partial(self._buffers.locate, entry)
        try:
            emulator.prepare(task, locate, self._buffers.ports, f"task {entry.id}")
        except (LoadableError, ProgramError) as problem:
            self._findings.errors.append(str(problem))

    def accelerator(self, entry: Task, task: DlaTask) -> None:
        locate = partial(self._buffers.locate, entry)
        units = read_units(self._config, task, locate, self._buffers.ports)
        found = [*dependencies.problems(task), *(problem for unit in units for problem in unit.problems)]
        operations = [operation for unit in units for operation in unit.operations]
        found += [p for operation in operations for p in alignment.problems(self._config, operation, locate)]
        touched = [access for unit in units for access in accesses(self._config, unit)]
        found += [*self._outside(touched), *self._wrong_weights(units)]
        if not any(unit.problems for unit in units):
            found += self._never_ends(task, locate)
        self._findings.errors += [f"task {entry.id}: {problem}" for problem in found]
        doubts = [*self._graph_name(entry, task), *self._beyond(touched)]
        if not found:
            doubts += _races(task, units, touched)
        self._findings.warnings += [f"task {entry.id}: {doubt}" for doubt in doubts]

    def _outside(self, touched: list[Access]) -> Iterator[str]:
        for access in touched:
            try:
                self._buffers.ports.port(access.ram_type).view(access.address, access.size)
            except ProgramError as problem:
                yield f"{access.operation}: {access.cube}: {problem}"

    def _wrong_weights(self, units: list[Unit]) -> Iterator[str]:
        """Compressed weights say themselves how many they are."""
        for unit in units:
            conv = unit.launch.conv if unit.launch is not None else None
            if conv is not None and conv.compressed and not conv.weight_reuse:
                try:
                    fetch_weights(self._config, conv, self._buffers.ports)
                except ProgramError as problem:
                    yield f"{unit}: {problem}"

    def _never_ends(self, task: DlaTask, locate: Locate) -> Iterator[str]:
        chip = Chip(self._config, self._buffers.ports, lambda launch: {})
        try:
            Firmware(self._config, chip, task, locate, "its run").run()
        except (LoadableError, ProgramError) as problem:
            yield str(problem)

    # --- warnings ---

    def _graph_name(self, entry: Task, task: DlaTask) -> Iterator[str]:
        """The firmware writes into the dependency graph; only by its name the runtime knows it again."""
        address = self._loadable.addresses[entry.address_list[int(task.network["dep_graph"])]]
        names = self._loadable.memories[address.mem_id].contents
        if not any("dep_graph" in name for name in names):
            yield (
                f'the dependency graph is called {", ".join(names)}: without "dep_graph" in its name the '
                "runtime does not restore it, and a second run of the same task fails"
            )

    def _beyond(self, touched: list[Access]) -> Iterator[str]:
        """What follows is read or written too: in lanes that no channel uses, or a neighbour's bytes."""
        for access in touched:
            done = f"{access.operation}: {access.cube} is {'written' if access.writes else 'read'}"
            blob = None if access.writes else self._blobs.containing(access.address)
            if blob is not None and access.end > blob.stop:
                yield f"{done} {access.end - blob.stop} bytes beyond its blob"
            memory = self._memories.containing(access.address)
            if memory is not None and access.end > memory.stop:
                yield f"{done} {access.end - memory.stop} bytes beyond its memory"


def _stretches(contents: Iterable[tuple[int, Bytes]]) -> list[range]:
    """Where contents lie; one that comes again directly behind itself is one stretch with it."""
    found: list[range] = []
    before: Bytes | None = None
    for place, data in contents:
        if data is before and found[-1].stop == place:
            found[-1] = range(found[-1].start, place + data.size)
        else:
            found.append(range(place, place + data.size))
        before = data
    return found


class _Ranges:
    """Ranges of addresses that do not overlap."""

    def __init__(self, ranges: Iterable[range]) -> None:
        self._ranges = sorted(ranges, key=lambda r: r.start)
        self._starts = [r.start for r in self._ranges]

    def containing(self, address: int) -> range | None:
        """The range that ``address`` is in."""
        at = bisect.bisect_right(self._starts, address) - 1
        return self._ranges[at] if at >= 0 and address in self._ranges[at] else None


def _races(task: DlaTask, units: list[Unit], touched: list[Access]) -> Iterator[str]:
    for before, after in races(task, units, touched):
        if after.writes:
            yield f"{after.operation} may overwrite {before.cube} of {before.operation} before it is read"
        else:
            yield (
                f"{after.operation} may read {after.cube} before {before.operation} has written it: no "
                "dependency waits for that"
            )
