"""Why a task never ends: which operation waits for which."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import numpy as np

from nvdla_sim.errors import listed
from nvdla_sim.loadable.enums import OpEvent
from nvdla_sim.loadable.lists import DlaTask
from nvdla_sim.runtime.operation import Edge, Operation, read_operation

_MAX_TOLD = 12  # operations that a message lists

_EVENTS = {
    OpEvent.NONE: "do something that no event tells of",
    OpEvent.OP_COMPLETED: "be completed",
    OpEvent.OP_PROGRAMMED: "be programmed",
    OpEvent.OP_ENABLED: "be enabled",
    OpEvent.CDMA_WEIGHT_DONE: "have fetched its weights",
    OpEvent.CDMA_DATA_DONE: "have fetched its data",
}


def explain(
    task: DlaTask,
    taken: Mapping[int, Operation],
    happened: Collection[tuple[int, OpEvent]],
    chip_pending: list[str],
) -> str:
    """The operations that are left and what each waits for.

    ``taken``: the operations that the firmware has read, with their dependencies as they are now;
    ``happened``: (operation, event) so far; ``chip_pending``: what the chip says of units that are waiting.
    """
    count = task.dep_graph.size
    open_ones = [i for i in range(count) if (i, OpEvent.OP_COMPLETED) not in happened]
    lines = [_line(task, taken.get(i) or read_operation(task, i), happened) for i in open_ones[:_MAX_TOLD]]
    if len(open_ones) > _MAX_TOLD:
        lines.append(f"and {len(open_ones) - _MAX_TOLD} more")
    return listed(
        f"never ends: {len(open_ones)} of its {count} operations wait for ever "
        "(compile the network again, or split it where the waiting begins):",
        lines + [f"the chip: {line}" for line in chip_pending],
    )


def _line(task: DlaTask, operation: Operation, happened: Collection[tuple[int, OpEvent]]) -> str:
    index = operation.index
    if (index, OpEvent.OP_ENABLED) in happened:
        return f"{operation} is enabled, but its units wait: see the chip's lines"
    if (index, OpEvent.OP_PROGRAMMED) not in happened:
        return f"{operation} is never programmed: {_not_taken(task, operation)}"
    edges = list(_edges_to(task, index))
    if any(giver == index for giver, _ in edges):
        return (
            f"{operation} depends on itself: an edge to an operation of another task was kept with this "
            "task's numbers, as NVIDIA's compiler does for accelerator layers before and after a CPU layer"
        )
    counted = int(task.dep_graph[index]["dependency_count"])
    if counted != len(edges):
        return f"{operation}: dependency_count = {counted}; edges that lead to it: {len(edges)}"
    waits = [
        f"{read_operation(task, giver)} to {_EVENTS[edge.event]}"
        for giver, edge in edges
        if (giver, edge.event) not in happened
    ]
    return f"{operation} waits for {', for '.join(waits) or 'something that no edge tells'}"


def _not_taken(task: DlaTask, operation: Operation) -> str:
    kind = operation.type
    givers = np.flatnonzero(task.dep_graph["consumers"]["index"][:, kind] == operation.index)
    before = [i for i in givers.tolist() if task.op_type(i) is kind]
    if not before:
        return f"it is not the first {kind.name}, and no other {kind.name} names it as the next"
    return f"it comes after operation {before[0]} ({kind.name})"


def _edges_to(task: DlaTask, index: int) -> Iterator[tuple[int, Edge]]:
    """Every edge that leads to an operation, with the operation that has it."""
    consumers = np.argwhere(task.dep_graph["consumers"]["index"] == index)[:, 0]
    parents = np.flatnonzero(task.dep_graph["fused_parent"]["index"] == index)
    for giver in sorted({*consumers.tolist(), *parents.tolist()}):
        for edge in read_operation(task, giver).edges:
            if edge.target == index:
                yield giver, edge
