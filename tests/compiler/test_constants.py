"""Constants: equal ones are there once, repeated bytes are stored once, the memory is filled to its end."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvdla_sim.analysis.check.check import check
from nvdla_sim.compiler.allocate import ALIGNMENT
from nvdla_sim.compiler.constants import Constants, repeated_unit
from nvdla_sim.graph.ops.pooling import Pooling
from nvdla_sim.loadable.loadable import Loadable
from tests.compiler.ideal import Net, run

NOISE = np.random.default_rng(1).integers(0, 256, 4096).astype(np.uint8)


@pytest.mark.parametrize(
    ("data", "unit"),
    [
        (np.tile(NOISE[:1024], 256), 2048),  # 2048 + 128 mentions are less than 1024 + 256
        (np.tile(NOISE[:1024], 169), 1024),
        (np.tile(NOISE[:64], 64), 4096),  # saves too little
        (np.zeros(1 << 20, np.uint8), 1 << 12),
        (NOISE, 4096),
        (np.append(np.tile(NOISE[:1024], 16), NOISE[:1]), 16385),
        (np.concatenate([np.tile(NOISE[:64], 999), NOISE[64:128]]), 64000),  # the last one is another
    ],
)
def test_repeated_unit(data: np.ndarray, unit: int) -> None:
    assert repeated_unit(data) == unit


pieces = st.tuples(st.integers(1, 600), st.sampled_from([1, 2, 9, 64]), st.integers(0, 3))


@given(st.lists(pieces, min_size=1, max_size=6))
def test_contents_fill_the_memory(drawn: list[tuple[int, int, int]]) -> None:
    constants = Constants(7)
    expected: dict[int, np.ndarray] = {}
    for size, times, seed in drawn:
        data = np.tile(NOISE[seed : seed + size], times)
        memory, offset = constants.place(data)
        assert (memory, offset % ALIGNMENT) == (7, 0)
        expected[offset] = data
    filled = bytearray()
    for content in constants.contents():
        assert content.offset == len(filled)
        filled += content.data.tobytes() * content.times
    assert len(filled) == constants.size
    for offset, data in expected.items():
        assert filled[offset : offset + data.size] == data.tobytes()
        filled[offset : offset + data.size] = bytes(data.size)
    assert not any(filled)


def test_equal_constants_are_there_once() -> None:
    constants = Constants(1)
    places = [constants.place(data.copy()) for data in (NOISE, NOISE[:9], NOISE)]
    assert places == [(1, 0), (1, 4096), (1, 0)]
    assert constants.size == 4096 + 9


def test_loadable_with_repeated_contents() -> None:
    """Of an average's weights, 132 KB, the file has a few; it reads back, and runs."""
    net = Net()
    net.add(Pooling("AVE", (11, 12)), net.input((32, 11, 12)))
    result = run(net, "nv_large")
    assert result.worst < 0.52
    data = result.loadable.to_bytes()
    assert len(data) < 12_000
    loadable = Loadable.from_bytes(data)
    assert loadable == result.loadable
    (constants,) = (memory for memory in loadable.memories if len(memory.contents) > 1)
    assert constants.size == 32 * 32 * 11 * 12
    found = check(loadable, "nv_large")
    assert (found.errors, found.warnings) == ([], [])
