"""Who has written the bytes that a unit reads."""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from dataclasses import dataclass

from nvdla_sim.loadable.enums import MemoryFlags
from nvdla_sim.loadable.loadable import Loadable
from nvdla_sim.runtime.buffers import Buffers, bound_memories


@dataclass(frozen=True, order=True)
class Source:
    """A unit, or a network input: ``input`` tells which of the two ``number`` counts."""

    number: int
    input: bool = False


class Flow:
    """Units are told one after the other, in the order in which they run.

    Of two that wrote to the same stretch of memory the last one counts, also where the lines of one lie
    between those of the other.
    """

    def __init__(self, loadable: Loadable, buffers: Buffers) -> None:
        self._starts: list[int] = []  # of stretches that do not overlap, in order
        self._written: list[tuple[range, Source]] = []
        for memory in bound_memories(loadable, MemoryFlags.INPUT):
            place = _place(buffers, memory.id, memory.size)
            self._put(place, Source(memory.bind_id, input=True))
        self._outputs = [
            _place(buffers, memory.id, memory.size) for memory in bound_memories(loadable, MemoryFlags.OUTPUT)
        ]

    def sources(self, reads: Iterable[range]) -> tuple[Source, ...]:
        """Where these bytes come from; nowhere if nothing has written them: constants."""
        return tuple(sorted({source for read in reads for _, source in self._written[self._within(read)]}))

    def outputs(self, written: Iterable[range]) -> tuple[int, ...]:
        """The numbers of the network outputs that lie there."""
        places = list(written)
        return tuple(
            number
            for number, output in enumerate(self._outputs)
            if any(place.start < output.stop and output.start < place.stop for place in places)
        )

    def wrote(self, unit: int, written: Iterable[range]) -> None:
        for place in written:
            self._put(place, Source(unit))

    def _within(self, place: range) -> slice:
        """The stretches that have bytes in common with ``place``."""
        first = bisect.bisect_right(self._starts, place.start)
        if first and self._written[first - 1][0].stop > place.start:
            first -= 1
        return slice(first, bisect.bisect_left(self._starts, place.stop, first))

    def _put(self, place: range, source: Source) -> None:
        covered = self._within(place)
        new = [(place, source)]
        for old, owner in self._written[covered]:
            new += [
                (rest, owner) for rest in (range(old.start, place.start), range(place.stop, old.stop)) if rest
            ]
        new.sort(key=lambda stretch: stretch[0].start)
        self._written[covered] = new
        self._starts[covered] = [stretch.start for stretch, _ in new]


def _place(buffers: Buffers, memory: int, size: int) -> range:
    base = buffers.base(memory)
    return range(base, base + size)
