"""What the firmware takes for granted about a task's dependency graph.

Source: compiler-facts section 4.1.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nvdla_sim.analysis.units import FEEDS_ON_THE_FLY
from nvdla_sim.loadable.enums import OpType
from nvdla_sim.loadable.lists import DlaTask
from nvdla_sim.runtime.operation import NOBODY


def problems(task: DlaTask) -> Iterator[str]:
    """Edges that lead to an operation of the wrong type, and operations that are counted or taken wrongly."""
    graph = task.dep_graph
    kinds, consumers = graph["op_type"], graph["consumers"]["index"]
    parents = graph["fused_parent"]["index"]
    for i, slot in np.argwhere(consumers != NOBODY).tolist():
        target = int(consumers[i, slot])
        if kinds[target] != slot:
            yield (
                f"{_name(task, i)}: its consumer of type {OpType(slot).name} is {_name(task, target)}: "
                "an edge's slot is the type of the operation it leads to"
            )
    for i in np.flatnonzero(parents != NOBODY).tolist():
        giver = FEEDS_ON_THE_FLY.get(task.op_type(i))
        if giver is None or kinds[parents[i]] != giver:
            yield (
                f"{_name(task, i)}: fused_parent is {_name(task, int(parents[i]))}: on the fly an SDP takes "
                "what a CONV gives and a PDP what an SDP gives, nothing else"
            )
    edges = _references(consumers) + _references(parents)
    for i in np.flatnonzero(graph["dependency_count"] != edges).tolist():
        counted = graph["dependency_count"][i]
        yield f"{_name(task, i)}: dependency_count = {counted}; edges that lead to it: {edges[i]}"
    yield from _chains(task)


def _chains(task: DlaTask) -> Iterator[str]:
    """Of each type the head is known, every other operation only by the one before it of its type."""
    kinds, consumers = task.dep_graph["op_type"], task.dep_graph["consumers"]["index"]
    for kind in OpType:
        named = np.zeros(kinds.size, np.int64)
        head = int(task.network["op_head"][kind])
        if head != NOBODY:
            if kinds[head] != kind:
                yield f"the first operation of type {kind.name} is {_name(task, head)}"
            named[head] += 1
        chain = consumers[kinds == kind, kind]
        named += np.bincount(chain[chain != NOBODY], minlength=kinds.size)
        for i in np.flatnonzero((kinds == kind) & (named != 1)).tolist():
            yield (
                f"{_name(task, i)}: {named[i]} operations name it as the next {kind.name}; exactly one must: "
                "the one before it, or op_head for the first"
            )


def _references(targets: np.ndarray) -> np.ndarray:
    """How many entries name each operation."""
    return np.bincount(targets[targets != NOBODY].reshape(-1), minlength=targets.shape[0])


def _name(task: DlaTask, index: int) -> str:
    return f"operation {index} ({task.op_type(index).name})"
