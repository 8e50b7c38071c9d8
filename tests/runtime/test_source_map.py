"""What our own compiler notes in a loadable, read with suspicion."""

from __future__ import annotations

import numpy as np
import pytest

from nvdla_sim.loadable.entries import SOURCE_MAP, Blob
from nvdla_sim.loadable.loadable import Loadable
from nvdla_sim.runtime.source_map import SourceMap, read_source_map


def read(text: str) -> SourceMap:
    data = np.frombuffer(text.encode(), np.uint8)
    return read_source_map(Loadable(blobs=[Blob(SOURCE_MAP, 0, 0, (0, 0, 0), data)]))


def test_notes() -> None:
    notes = read('{"target": "nv_small_256", "tensors": {"in": {"scale": 0.5}, "out": {"scale": 2.0}}}')
    assert notes == SourceMap("nv_small_256", {"in": 0.5, "out": 2.0})


def test_producer_and_layers() -> None:
    notes = read(
        '{"producer": "a 1.0", "operations": [{"task": 1, "op": 2, "layer": "conv1"}, {"task": 0}, 3,'
        ' {"task": -1, "op": 2, "layer": "x"}, {"task": 1, "op": true, "layer": "x"}]}'
    )
    assert notes == SourceMap(layers={(1, 2): "conv1"}, producer="a 1.0")


def test_none() -> None:
    assert read_source_map(Loadable()) == SourceMap()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\xff",
        "[" * 100_000,
        "[]",
        "null",
        '{"target": 3, "tensors": []}',
        '{"producer": 1, "operations": {"task": 1}}',
        '{"target": "nv_tiny", "tensors": {"out": 1}}',
        '{"tensors": {"a": {}, "b": {"scale": "1"}, "c": {"scale": -1.0}, "d": {"scale": 0.0}}}',
        '{"tensors": {"a": {"scale": NaN}, "b": {"scale": Infinity}, "c": {"scale": true}}}',
    ],
)
def test_what_is_wrong_is_left_out(text: str) -> None:
    assert read(text) == SourceMap()
