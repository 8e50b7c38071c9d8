"""One operation of an accelerator task as the firmware holds it: descriptors and open dependencies."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from nvdla_sim.loadable.enums import OpEvent, OpType
from nvdla_sim.loadable.lists import DlaTask

NOBODY = -1


@dataclass(frozen=True)
class Edge:
    """When ``event`` happens to the operation with this edge, ``target`` has one dependency less."""

    target: int  # NOBODY: no such edge
    event: OpEvent


@dataclass
class Operation:
    """Operation ``index`` of a task. ``op`` and ``surface`` are its descriptors' fields as attributes."""

    index: int
    type: OpType
    op: Any
    surface: Any
    table: Any  # its lookup table's fields, None where it has none
    table_index: int
    consumers: tuple[Edge, ...]  # slot = type of the consumer
    fused_parent: Edge  # the operation that feeds this one on the fly
    dependencies: int

    @property
    def edges(self) -> tuple[Edge, ...]:
        return (*self.consumers, self.fused_parent)

    def __str__(self) -> str:
        return f"operation {self.index} ({self.type.name})"


def read_operation(task: DlaTask, index: int) -> Operation:
    """Operation ``index`` in its first state."""
    node = task.dep_graph[index]
    kind = task.op_type(index)
    op = fields(task.ops[index])
    table_index = op.lut_index if kind in (OpType.SDP, OpType.CDP) else NOBODY
    return Operation(
        index=index,
        type=kind,
        op=op,
        surface=fields(task.surfaces[index]),
        table=None if table_index == NOBODY else fields(task.luts[table_index]),
        table_index=table_index,
        consumers=tuple(_edge(consumer) for consumer in node["consumers"]),
        fused_parent=_edge(node["fused_parent"]),
        dependencies=int(node["dependency_count"]),
    )


def fields(record: np.void) -> Any:
    """A descriptor record's fields as attributes: ints, tuples of ints, records alike."""
    assert record.dtype.names is not None
    return SimpleNamespace(**{name: _value(record[name]) for name in record.dtype.names})


def _value(value: Any) -> Any:
    if isinstance(value, np.void):
        return fields(value)
    if isinstance(value, np.ndarray):
        return tuple(_value(v) for v in value) if value.dtype.names else tuple(value.tolist())
    return value.item()


def _edge(consumer: np.void) -> Edge:
    # an event number that does not exist never happens
    number = int(consumer["event"])
    event = OpEvent(number) if number <= max(OpEvent) else OpEvent.NONE
    return Edge(int(consumer["index"]), event)
