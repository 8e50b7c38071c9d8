"""Reads and writes of the same memory that nothing keeps in order.

Source: compiler-facts sections 4.1, 4.2 and 8.20.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import TopologicalSorter
from itertools import pairwise, takewhile
from typing import NamedTuple

from nvdla_sim.analysis.accesses import Access
from nvdla_sim.analysis.units import Unit
from nvdla_sim.loadable.enums import OpEvent, OpType
from nvdla_sim.loadable.lists import DlaTask
from nvdla_sim.runtime.operation import NOBODY, Operation

Clock = tuple[int, ...]  # for each type, how many operations of its chain are known to be completed
Moment = tuple[int, int]  # operation, stage

_PROGRAMMED, _ENABLED, _COMPLETED = range(3)
_STAGES = {
    OpEvent.OP_PROGRAMMED: _PROGRAMMED,
    OpEvent.OP_ENABLED: _ENABLED,
    # an operation that fetches weights or data is enabled, more is not known of it
    OpEvent.CDMA_WEIGHT_DONE: _ENABLED,
    OpEvent.CDMA_DATA_DONE: _ENABLED,
    OpEvent.OP_COMPLETED: _COMPLETED,
}
_NOTHING: Clock = (0,) * len(OpType)


class Race(NamedTuple):
    """A write and a read of the same bytes that no dependency keeps in order."""

    before: Access
    after: Access


def races(task: DlaTask, units: Sequence[Unit], accesses: Iterable[Access]) -> Iterator[Race]:
    """The accesses whose order only the speed of the engines decides. The task must be one that ends.

    What happens before what: an operation is programmed, enabled, completed in this order; it is programmed
    after the last but one of its type is completed (there are two register groups), and enabled after all
    events on edges that lead to it. Operations of one type complete in order, and what takes data on the fly
    completes after what gives it. That an engine reads nothing for its second
    register group while the first one runs is not relied on.

    Operations are taken to be listed in the order in which they are meant to run.
    """
    leaders = {o.index: unit.operations[0].index for unit in units for o in unit.operations}
    chains = {kind: list(_chain(task, kind)) for kind in OpType}
    clocks = _clocks([o for unit in units for o in unit.operations], chains, leaders)
    of: dict[int, list[Access]] = defaultdict(list)
    for access in accesses:
        of[access.operation.index].append(access)
    for own in of.values():
        for access in own:
            index = access.operation.index
            # nothing is written before data flow, so before the first operation of a unit is enabled
            clock = clocks[leaders[index] if access.writes else index, _ENABLED]
            for other in _open(chains, clock, index):
                for earlier in of[other] if leaders[other] != leaders[index] else ():
                    if earlier.writes != access.writes and earlier.overlaps(access):
                        yield Race(earlier, access)


def _chain(task: DlaTask, kind: OpType) -> Iterator[int]:
    """The operations of a type in the order in which the firmware takes them."""
    index = int(task.network["op_head"][kind])
    while index != NOBODY:
        yield index
        index = int(task.dep_graph["consumers"]["index"][index, kind])


def _open(chains: Mapping[OpType, Sequence[int]], clock: Clock, index: int) -> Iterator[int]:
    """The operations before ``index`` of which ``clock`` does not know that they are completed."""
    for kind, chain in chains.items():
        yield from takewhile(lambda other: other < index, chain[clock[kind] :])


def _clocks(
    operations: Sequence[Operation], chains: Mapping[OpType, Sequence[int]], leaders: Mapping[int, int]
) -> dict[Moment, Clock]:
    """What is completed at the latest at each moment."""
    before = _predecessors(operations, chains, leaders)
    counts = {index: (kind, place) for kind, chain in chains.items() for place, index in enumerate(chain, 1)}
    clocks: dict[Moment, Clock] = {}
    for moment in TopologicalSorter(before).static_order():
        known = list(map(max, zip(_NOTHING, *(clocks[m] for m in before[moment]), strict=True)))
        index, stage = moment
        if stage == _COMPLETED:
            kind, count = counts[index]
            known[kind] = count
        clocks[moment] = tuple(known)
    return clocks


def _predecessors(
    operations: Sequence[Operation], chains: Mapping[OpType, Sequence[int]], leaders: Mapping[int, int]
) -> dict[Moment, list[Moment]]:
    """For each moment those that come before it."""
    before: dict[Moment, list[Moment]] = {}
    for o in operations:
        before[o.index, _PROGRAMMED] = []
        before[o.index, _ENABLED] = [(o.index, _PROGRAMMED)]
        before[o.index, _COMPLETED] = [(o.index, _ENABLED)]
        if leaders[o.index] != o.index:
            before[o.index, _COMPLETED].append((o.fused_parent.target, _COMPLETED))
    for chain in chains.values():
        for first, second in pairwise(chain):
            before[second, _COMPLETED].append((first, _COMPLETED))
        for first, third in zip(chain, chain[2:], strict=False):
            before[third, _PROGRAMMED].append((first, _COMPLETED))
    for o in operations:
        for edge in o.edges:
            if edge.target != NOBODY and edge.event in _STAGES:
                before[edge.target, _ENABLED].append((o.index, _STAGES[edge.event]))
    return before
