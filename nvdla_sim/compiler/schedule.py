"""Tasks and the dependency graph that the firmware walks.

The program is serial: every unit starts when the one before it is done. What makes the graph more than a
list is how the firmware finds work: an operation is fetched through the previous one of its own type, and an
SDP on the fly is enabled before its convolution, so where it reads an operand from memory it needs an edge of
its own from the unit before.

Source: compiler-facts section 4, recipes section 2 ("Edges").
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from nvdla_sim.compiler.program import CpuOp, DlaOp, Sdp, Unit
from nvdla_sim.loadable.enums import OpEvent, OpType


class Edge(NamedTuple):
    """To operation ``op`` of the task, released by ``event``."""

    op: int
    event: OpEvent


@dataclass
class Slot:
    """An operation's place in the dependency graph of its task."""

    op: DlaOp
    consumers: dict[OpType, Edge] = field(default_factory=dict)
    fused_parent: Edge | None = None
    dependency_count: int = 0


@dataclass
class DlaTask:
    """Operations for the chip."""

    slots: list[Slot] = field(default_factory=list)


@dataclass
class CpuTask:
    """Operations for the driver's CPU emulator."""

    ops: list[CpuOp] = field(default_factory=list)


Task = DlaTask | CpuTask


def schedule(units: Iterable[Unit]) -> list[Task]:
    """Cut the units into tasks where chip and CPU alternate, and link each task's operations."""
    tasks: list[Task] = []
    groups: list[list[list[int]]] = []  # for each task its units as operation indexes
    for unit in units:
        on_chip = [op for op in unit if isinstance(op, DlaOp)]
        kind = DlaTask if on_chip else CpuTask
        if not tasks or not isinstance(tasks[-1], kind):
            tasks.append(kind())
            groups.append([])
        task = tasks[-1]
        if isinstance(task, DlaTask):
            groups[-1].append(list(range(len(task.slots), len(task.slots) + len(on_chip))))
            task.slots += [Slot(op) for op in on_chip]
        else:
            task.ops += [op for op in unit if isinstance(op, CpuOp)]
    for task, unit_indexes in zip(tasks, groups, strict=True):
        if isinstance(task, DlaTask):
            _link(task.slots, unit_indexes)
    return tasks


def _link(slots: list[Slot], units: Sequence[Sequence[int]]) -> None:
    """Set every edge of a task, then count them."""
    for unit in units:
        for producer, consumer in itertools.pairwise(unit):
            slots[producer].consumers[slots[consumer].op.type] = Edge(consumer, OpEvent.OP_PROGRAMMED)
            slots[consumer].fused_parent = Edge(producer, OpEvent.OP_ENABLED)
    for before, unit in itertools.pairwise(units):
        last = slots[before[-1]]
        waiting = [unit[0], *(index for index in unit[1:] if _reads_operand(slots[index].op))]
        for index in waiting:
            last.consumers[slots[index].op.type] = Edge(index, OpEvent.OP_COMPLETED)
    previous: dict[OpType, Slot] = {}
    for index, slot in enumerate(slots):
        if slot.op.type in previous:
            previous[slot.op.type].consumers.setdefault(slot.op.type, Edge(index, OpEvent.OP_PROGRAMMED))
        previous[slot.op.type] = slot
    for slot in slots:
        for edge in [*slot.consumers.values(), *([slot.fused_parent] if slot.fused_parent else [])]:
            slots[edge.op].dependency_count += 1


def _reads_operand(op: DlaOp) -> bool:
    return isinstance(op, Sdp) and bool(op.post.cubes)
