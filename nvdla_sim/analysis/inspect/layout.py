"""A graph drawn in layers: what reads something stands below all that it reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from nvdla_sim.errors import UnsupportedError

MOST_PLACES = 100_000  # nodes and bends; a picture of more shows nothing
SWEEPS = 8  # rounds of putting each node below and above its neighbours' middle
GAP = 24.0  # between two nodes of a layer
BEND = 12.0  # width of the place that an edge needs on its way through a layer

Node = Hashable


class Point(NamedTuple):
    """Where a node's middle lies across the drawing, and its layer."""

    x: float
    layer: int


@dataclass(frozen=True)
class Layout:
    """``points`` of the nodes; ``paths`` of the edges, one point for each layer that they cross."""

    points: dict[Node, Point]
    paths: dict[tuple[Node, Node], tuple[Point, ...]]
    width: float
    layers: int


class _Bend(NamedTuple):
    """An edge's place in a layer between its ends."""

    edge: tuple[Node, Node]
    layer: int


def layers_of(sources: Mapping[Node, Iterable[Node]]) -> dict[Node, int]:
    """The layer of each node; ``sources`` names every node after all that it reads."""
    layers: dict[Node, int] = {}
    for node, read in sources.items():
        layers[node] = max((layers[source] + 1 for source in read), default=0)
    return layers


def arrange(sources: Mapping[Node, Sequence[Node]], widths: Mapping[Node, float]) -> Layout:
    """``sources``: what each node reads, every node after all that it reads. ``widths``: of the nodes.

    ``UnsupportedError`` for a graph that is too large to be drawn.
    """
    layers = layers_of(sources)
    places = len(layers) + sum(
        layers[n] - layers[source] - 1 for n, read in sources.items() for source in read
    )
    if places > MOST_PLACES:
        raise UnsupportedError(f"the picture would have {places} places, at most {MOST_PLACES} can be drawn")
    rows: dict[int, list[Node]] = defaultdict(list)
    for node, layer in layers.items():
        rows[layer].append(node)
    size = dict(widths)
    above: dict[Node, list[Node]] = defaultdict(list)
    below: dict[Node, list[Node]] = defaultdict(list)
    routes: dict[tuple[Node, Node], list[Node]] = {}
    for node, read in sources.items():
        for source in read:
            bends = [_Bend((source, node), layer) for layer in range(layers[source] + 1, layers[node])]
            for bend in bends:
                rows[bend.layer].append(bend)
                size[bend] = BEND
            routes[source, node] = [source, *bends, node]
            for upper, lower in pairwise(routes[source, node]):
                above[lower].append(upper)
                below[upper].append(lower)
    at: dict[Node, float] = {}
    for row in rows.values():
        _place(row, [0.0] * len(row), size, at)
    for sweep in range(SWEEPS):
        downwards = sweep % 2 == 0
        neighbours = above if downwards else below
        for layer in sorted(rows, reverse=not downwards):
            row = rows[layer]
            wishes = {node: _middle([at[other] for other in neighbours[node]] or [at[node]]) for node in row}
            row.sort(key=lambda node: wishes[node])
            _place(row, [wishes[node] for node in row], size, at)
    left = min((x - size[node] / 2 for node, x in at.items()), default=0.0)
    right = max((x + size[node] / 2 for node, x in at.items()), default=0.0)

    def point(node: Node) -> Point:
        return Point(at[node] - left, node.layer if isinstance(node, _Bend) else layers[node])

    return Layout(
        points={node: point(node) for node in sources},
        paths={edge: tuple(point(node) for node in route) for edge, route in routes.items()},
        width=right - left,
        layers=len(rows),
    )


def _middle(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _place(
    row: Sequence[Node], wishes: Sequence[float], size: Mapping[Node, float], at: dict[Node, float]
) -> None:
    """Put the nodes of a layer side by side, as near to where they wish to be as their order allows.

    Nodes that would overlap become a block around the middle of their wishes (least squares).
    """
    blocks: list[tuple[float, int]] = []  # of each: the sum of its nodes' wishes for its start, their number
    offsets: list[float] = []  # of each node from the start of the row, when all are packed
    offset = 0.0
    for node, wish in zip(row, wishes, strict=True):
        offsets.append(offset + size[node] / 2)
        blocks.append((wish - offsets[-1], 1))
        offset += size[node] + GAP
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            (total, count), (more, number) = blocks[-2:]
            blocks[-2:] = [(total + more, count + number)]
    starts = [total / count for total, count in blocks for _ in range(count)]
    for node, start, shift in zip(row, starts, offsets, strict=True):
        at[node] = start + shift
