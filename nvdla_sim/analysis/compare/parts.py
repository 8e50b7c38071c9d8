"""A net cut at the tensors that the chip has in memory: what lies between them never exists in int8."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from nvdla_sim.graph.graph import Graph, Node
from nvdla_sim.graph.operator import Array


@dataclass(frozen=True)
class Part:
    """The nodes between tensors in memory and the tensor ``output``, in order.

    ``inputs`` are the tensors in memory that they start from.
    """

    output: str
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]


def cut(graph: Graph, held: Collection[str]) -> list[Part]:
    """The part of every tensor of ``held`` that a node writes, in the graph's order.

    ``held`` are tensors that exist in int8; those that no node writes (network inputs) count as well.
    """
    ends = {*held, *graph.inputs}
    return [
        _part(graph, output, ends) for node in graph.nodes for output in node.outputs if output in set(held)
    ]


def _part(graph: Graph, output: str, ends: Collection[str]) -> Part:
    needed, inputs = {output}, []
    nodes: list[Node] = []
    for node in reversed(graph.nodes):
        if needed & set(node.outputs):
            nodes.append(node)
            for name in node.inputs:
                if name in ends:
                    inputs.append(name)
                else:
                    needed.add(name)
    return Part(output, tuple(reversed(nodes)), tuple(dict.fromkeys(reversed(inputs))))


def run(part: Part, values: Mapping[str, Array], nodes: Mapping[str, Node]) -> Array:
    """The part's output (with a batch axis), from ``values`` of its inputs.

    ``nodes`` holds what to run in place of the nodes that it names.
    """
    own = {name: values[name] for name in part.inputs}
    for node in part.nodes:
        node = nodes.get(node.name, node)
        results = node.op.run([own[name] for name in node.inputs], node.params)
        own.update(zip(node.outputs, results, strict=True))
    return own[part.output]


def layers_of(graph: Graph, parts: Iterable[Part]) -> dict[str, tuple[str, ...]]:
    """For each part's output the layers of the net as it was written that lead there.

    ``graph`` is that net: of a layer that a pass has joined to another one, the name is here only.
    """
    named: dict[str, tuple[str, ...]] = {}
    for part in parts:
        whole = _part(graph, part.output, part.inputs)
        named[part.output] = tuple(node.name for node in whole.nodes)
    return named
