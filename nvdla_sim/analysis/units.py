"""The operations of an accelerator task that run together, each such unit tried alone on a chip."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from nvdla_sim.errors import LoadableError, ProgramError
from nvdla_sim.hw.chip import Chip
from nvdla_sim.hw.config import Config
from nvdla_sim.hw.launch import Launch
from nvdla_sim.hw.memory import Ports
from nvdla_sim.loadable.descriptors import CUBES
from nvdla_sim.loadable.enums import OpType, SdpMode, SdpOpType, WeightFormat
from nvdla_sim.loadable.lists import DlaTask
from nvdla_sim.runtime import program
from nvdla_sim.runtime.operation import NOBODY, Operation, read_operation
from nvdla_sim.runtime.program.bdma import is_empty
from nvdla_sim.runtime.program.writes import Writes

Locate = Callable[[int, int], int]  # (address list index, offset in bytes) -> bus address

FEEDS_ON_THE_FLY = {OpType.SDP: OpType.CONV, OpType.PDP: OpType.SDP}


@dataclass(frozen=True)
class Unit:
    """``operations`` in the order of the data: a convolution, its SDP, its PDP, or a part of that.

    ``launch``: what the chip does; None where there is nothing to do, or where driver or chip refuse it for
    ``problems``.
    """

    operations: tuple[Operation, ...]
    launch: Launch | None
    problems: tuple[str, ...]

    def __str__(self) -> str:
        numbers = "+".join(str(operation.index) for operation in self.operations)
        return f"operation {numbers} ({'+'.join(operation.type.name for operation in self.operations)})"


def read_units(config: Config, task: DlaTask, locate: Locate, ports: Ports) -> list[Unit]:
    """Every operation of the task in one unit, in the order of their first operations.

    ``ports``: what the chip sees of the memory; nothing is read or written. ``UnsupportedError`` for fp16.
    """
    return [_try_alone(config, group, locate, ports) for group in _groups(task)]


def used_cubes(operation: Operation) -> Iterator[str]:
    """The names of the cubes that the operation looks at; a BDMA operation has transfers instead."""
    for name in CUBES[operation.type]:
        if name in ("wmb", "wgs"):
            used = operation.op.weight_format == WeightFormat.COMPRESSED
        elif operation.type is OpType.SDP and name not in ("src", "dst"):
            stage = getattr(operation.op, name)
            used = stage.enable and stage.type != SdpOpType.NONE and stage.mode != SdpMode.PER_LAYER
        else:
            used = True
        if used:
            yield name


def _groups(task: DlaTask) -> Iterator[tuple[Operation, ...]]:
    operations = [read_operation(task, i) for i in range(task.dep_graph.size)]
    child: dict[int, Operation] = {}
    fed: set[int] = set()
    for operation in operations:
        parent = operation.fused_parent.target
        if parent == NOBODY or parent in child:
            continue
        if FEEDS_ON_THE_FLY.get(operation.type) is operations[parent].type:
            child[parent] = operation
            fed.add(operation.index)
    for operation in operations:
        if operation.index not in fed:
            group = [operation]
            while group[-1].index in child:
                group.append(child[group[-1].index])
            yield tuple(group)


def _try_alone(config: Config, group: tuple[Operation, ...], locate: Locate, ports: Ports) -> Unit:
    """Program and start the group on a chip of its own: the same writes as the firmware's, in group 0."""
    launches: list[Launch] = []

    def note(launch: Launch) -> dict[str, int]:
        launches.append(launch)
        return {}

    chip = Chip(config, ports, note)
    problems: list[str] = []

    def write(operation: Operation, gather: Callable[[Operation, Writes], None]) -> None:
        writes = Writes(config, locate)
        try:
            gather(operation, writes)
            problems.extend(f"{operation}: {problem}" for problem in writes.problems)
            for address, value in writes.writes if not problems else ():
                chip.csb_write(address, value)
        except (LoadableError, ProgramError) as problem:
            problems.append(f"{operation}: {problem}")

    for operation in group:
        write(operation, program.PROGRAM[operation.type])
    # what takes data on the fly is started before what gives it
    for operation in reversed(group):
        write(operation, partial(program.enable, group=0))
    if not problems and not launches and not is_empty(group[0]):
        problems += [f"{group[-1]}: {line}" for line in chip.pending()]
    return Unit(group, launches[0] if launches else None, tuple(problems))
