"""Tasks and the dependency graph that the firmware walks.

The program is serial: every unit starts when the one before it is done, that of the same image where there
are several. What makes the graph more than a list is how the firmware finds work: an operation is fetched
through the previous one of its own type, and an SDP on the fly is enabled before its convolution, so where it
reads an operand from memory it needs an edge of its own from the unit before.

Source: compiler-facts section 4, recipes section 2 ("Edges").
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from nvdla_sim.compiler.batch import Images
from nvdla_sim.compiler.program import Conv, CpuOp, DlaOp, Sdp
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
Indexes = Sequence[Sequence[int]]  # of a unit: for each image its operations


def schedule(units: Iterable[Images]) -> list[Task]:
    """Cut the units into tasks where chip and CPU alternate, and link each task's operations."""
    tasks: list[Task] = []
    groups: list[list[Indexes]] = []  # for each task its units as operation indexes
    for images in units:
        on_chip = [[op for op in unit if isinstance(op, DlaOp)] for unit in images]
        kind = DlaTask if any(on_chip) else CpuTask
        if not tasks or not isinstance(tasks[-1], kind):
            tasks.append(kind())
            groups.append([])
        task = tasks[-1]
        if isinstance(task, DlaTask):
            first, count = len(task.slots), len(images)
            task.slots += [Slot(op) for same in zip(*on_chip, strict=True) for op in same]
            groups[-1].append([range(first + image, len(task.slots), count) for image in range(count)])
        else:
            task.ops += [op for unit in images for op in unit if isinstance(op, CpuOp)]
    for task, unit_indexes in zip(tasks, groups, strict=True):
        if isinstance(task, DlaTask):
            _link(task.slots, unit_indexes)
    return tasks


def _link(slots: list[Slot], units: Sequence[Indexes]) -> None:
    """Set every edge of a task, then count them."""
    for unit in itertools.chain(*units):
        for producer, consumer in itertools.pairwise(unit):
            slots[producer].consumers[slots[consumer].op.type] = Edge(consumer, OpEvent.OP_PROGRAMMED)
            slots[consumer].fused_parent = Edge(producer, OpEvent.OP_ENABLED)
    after_own_type = {
        first
        for images in units
        if len(images) > 1
        for image, (first, *_) in enumerate(images)
        if isinstance(op := slots[first].op, Conv) and (image == 0 or op.image)
        # Started while one of another layer is under way, a convolution never ends on nv_full's chip model;
        # with several images no other edge tells that all those before are done. Of pixels that model fetches
        # the next image without waiting for room in the buffer: over those of the image before.
    }
    for images, following in itertools.pairwise(units):
        for before, unit in zip(images, following, strict=True):
            last = slots[before[-1]]
            for index in (unit[0], *(index for index in unit[1:] if _reads_operand(slots[index].op))):
                if slots[index].op.type == last.op.type:
                    after_own_type.add(index)
                else:
                    last.consumers[slots[index].op.type] = Edge(index, OpEvent.OP_COMPLETED)
    previous: dict[OpType, Slot] = {}
    for index, slot in enumerate(slots):
        if slot.op.type in previous:
            # an engine completes its operations in order: where the one before is done, its own image's is
            event = OpEvent.OP_COMPLETED if index in after_own_type else OpEvent.OP_PROGRAMMED
            previous[slot.op.type].consumers[slot.op.type] = Edge(index, event)
        previous[slot.op.type] = slot
    for slot in slots:
        for edge in [*slot.consumers.values(), *([slot.fused_parent] if slot.fused_parent else [])]:
            slots[edge.op].dependency_count += 1


def _reads_operand(op: DlaOp) -> bool:
    return isinstance(op, Sdp) and bool(op.post.cubes)
