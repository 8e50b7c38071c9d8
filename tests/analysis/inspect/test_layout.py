"""Drawing a graph in layers."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvdla_sim.analysis.inspect import layout
from nvdla_sim.analysis.inspect.layout import BEND, GAP, arrange
from nvdla_sim.errors import UnsupportedError


@st.composite
def graphs(draw: st.DrawFn) -> dict[int, tuple[int, ...]]:
    count = draw(st.integers(1, 14))
    return {
        node: tuple(sorted(draw(st.sets(st.integers(0, node - 1), max_size=3)))) if node else ()
        for node in range(count)
    }


@given(graphs())
def test_nothing_overlaps_and_everything_is_below_what_it_reads(graph: dict[int, tuple[int, ...]]) -> None:
    widths = {node: 30.0 + 7 * node for node in graph}
    made = arrange(graph, widths)
    assert made.points.keys() == graph.keys()
    assert made.paths.keys() == {(source, node) for node, read in graph.items() for source in read}
    rows: dict[int, dict[float, float]] = {}  # of each layer: middle -> width
    for node, point in made.points.items():
        rows.setdefault(point.layer, {})[point.x] = widths[node]
    for (source, node), path in made.paths.items():
        first, last = made.points[source], made.points[node]
        assert path[0] == first
        assert path[-1] == last
        assert [point.layer for point in path] == list(range(first.layer, last.layer + 1))
        for bend in path[1:-1]:
            rows[bend.layer][bend.x] = BEND
    for row in rows.values():
        ends = sorted((x - width / 2, x + width / 2) for x, width in row.items())
        assert all(b[0] - a[1] >= GAP - 1e-6 for a, b in pairwise(ends))
        assert ends[0][0] >= -1e-6
        assert ends[-1][1] <= made.width + 1e-6
    assert made.layers == 1 + max(point.layer for point in made.points.values())


def test_a_chain_is_straight_and_a_fork_symmetric() -> None:
    made = arrange(
        {"a": (), "b": ("a",), "c": ("b",), "d": ("b",), "e": ("c", "d")}, dict.fromkeys("abcde", 50.0)
    )
    x = {node: point.x for node, point in made.points.items()}
    assert math.isclose(x["a"], x["b"])
    assert math.isclose(x["b"], x["e"])
    assert math.isclose(x["b"] - x["c"], x["d"] - x["b"])
    assert made.width == 100 + GAP


def test_a_picture_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "MOST_PLACES", 4)
    graph = {0: (), 1: (0,), 2: (1,), 3: (0, 2)}
    with pytest.raises(UnsupportedError, match="would have 6 places"):
        arrange(graph, dict.fromkeys(graph, 10.0))
