"""Which layers of a net a calibration table names, and which of them share a range.

A table names every network input by its blob and every layer by its name; the scale is that of its output.
"""

from __future__ import annotations

from collections.abc import Iterator

from nvdla_sim.graph.graph import Graph, Node
from nvdla_sim.graph.ops.pooling import Pooling

# Their output holds values of their input, or averages of them: it cannot leave the input's range.
KEEPS_RANGE = frozenset(
    {"Crop", "Dropout", "Flatten", "Permute", "Pooling", "Reshape", "ShuffleChannel", "Slice", "Split"}
)

# What is done on the fly behind another layer: the values in between never exist.
FUSED = frozenset({"BatchNorm", "Bias", "PReLU", "ReLU", "ReLU6", "Scale"})


def entries(graph: Graph) -> Iterator[tuple[str, str]]:
    """(name in a table, tensor) of every input, then of every layer, in order."""
    for name in graph.inputs:
        yield name, name
    for node in graph.nodes:
        yield node.name, node.outputs[0]


def range_of(graph: Graph, averages: bool = False) -> dict[str, str]:
    """Every tensor -> the tensor whose range it has: itself, or what a layer of ``KEEPS_RANGE`` reads.

    An average fills only a part of that range, and has one of its own unless ``averages`` says otherwise: the
    compiler takes the better of both scales.
    """
    ranges = {name: name for name in graph.inputs}
    for node in graph.nodes:
        average = isinstance(node.op, Pooling) and node.op.method == "AVE"
        keeps = node.op.kind in KEEPS_RANGE and (averages or not average)
        for output in node.outputs:
            ranges[output] = ranges[node.inputs[0]] if keeps else output
    return ranges


def fused_range_of(graph: Graph) -> dict[str, str]:
    """As ``range_of``, and a layer that is fused into its only reader has the range of its group's end."""
    readers: dict[str, list[Node]] = {}
    for node in graph.nodes:
        for tensor in node.inputs:
            readers.setdefault(tensor, []).append(node)
    ranges = range_of(graph)
    inputs = set(graph.inputs)
    for tensor in reversed(list(ranges)):
        following = readers.get(tensor, [])
        own = ranges[tensor] == tensor and tensor not in inputs
        if own and len(following) == 1 and following[0].op.kind in FUSED:
            ranges[tensor] = ranges[following[0].outputs[0]]
    return ranges
