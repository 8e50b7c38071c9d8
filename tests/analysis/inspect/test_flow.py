"""Who has written which bytes, against a memory that notes it byte by byte."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nvdla_sim.analysis.inspect.flow import Flow, Source
from nvdla_sim.loadable.enums import MemoryFlags
from nvdla_sim.loadable.loadable import Loadable, MemoryEntry
from nvdla_sim.runtime.buffers import BASE_ADDRESS, Buffers

SIZE = 60


def flow() -> Flow:
    """Of a loadable without outputs whose input 0 is the first ``SIZE`` bytes of its memory."""
    loadable = Loadable(memories=[MemoryEntry(0, 0, MemoryFlags.ALLOC | MemoryFlags.INPUT, SIZE)])
    return Flow(loadable, Buffers(loadable))


@st.composite
def places(draw: st.DrawFn) -> range:
    start = draw(st.integers(0, 2 * SIZE))
    return range(BASE_ADDRESS + start, BASE_ADDRESS + start + draw(st.integers(1, SIZE)))


@given(st.lists(st.lists(places(), min_size=1, max_size=3), max_size=12), places())
def test_the_last_writer_counts(writes: list[list[range]], read: range) -> None:
    followed, owners = flow(), np.full(4 * SIZE, -2)
    owners[:SIZE] = -1
    for unit, written in enumerate(writes):
        followed.wrote(unit, written)
        for place in written:
            owners[place.start - BASE_ADDRESS : place.stop - BASE_ADDRESS] = unit
    seen = set(owners[read.start - BASE_ADDRESS : read.stop - BASE_ADDRESS].tolist()) - {-2}
    assert followed.sources([read]) == tuple(
        sorted(Source(0, input=True) if unit == -1 else Source(unit) for unit in seen)
    )


def test_outputs() -> None:
    flags = MemoryFlags.ALLOC | MemoryFlags.OUTPUT
    loadable = Loadable(memories=[MemoryEntry(n, 0, flags, 16, bind_id=1 - n) for n in (0, 1)])
    followed = Flow(loadable, Buffers(loadable))
    second = BASE_ADDRESS + 4096
    assert followed.outputs([range(second + 15, second + 20)]) == (1,)
    assert followed.outputs([range(BASE_ADDRESS, second + 1)]) == (0, 1)
    assert followed.outputs([range(second + 16, second + 20), range(BASE_ADDRESS + 16, second)]) == ()
