"""The table of caffe-int8-convert-tools and ncnn: scales are factors, real * scale = int8.

Lines ``<layer>_param_0 s0 s1 ...``: 127 / max|W| for each output channel of a Convolution's weight; lines
``<layer> s``: 127 / amax of the layer's **input**. A 3x3 convolution of stride 1 has 31 instead of 127 for
its weights, unless it is depthwise: ncnn computes it by Winograd, which needs two bits of room.

Source: tool-formats section 4; BUG1989/caffe-int8-convert-tools, caffe-int8-convert-tool-dev-weight.py.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nvdla_sim.errors import CalibrationError, did_you_mean, listed
from nvdla_sim.graph.graph import Graph, Node
from nvdla_sim.graph.operator import Array
from nvdla_sim.graph.ops.convolution import Convolution

WEIGHTS = "_param_0"
LEVELS, WINOGRAD_LEVELS = 127, 31
DEAD = 0.0001  # a kernel of smaller weights gets the scale 0


def parse(text: str, source: str) -> dict[str, float]:
    """Factor of each layer's input, unchecked; ``CalibrationError`` with every line that is wrong."""
    factors: dict[str, float] = {}
    problems = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        name, *words = line.split()
        try:
            values = [float(word) for word in words]
        except ValueError:
            values = []
        if not values:
            problems.append(f'line {number}: expected "<layer> <scale> ...", got {line[:60]!r}')
        elif not name.endswith(WEIGHTS):
            if name in factors:
                problems.append(f'line {number}: "{name}" is there twice')
            factors[name] = values[0]
    if not factors and not problems:
        problems.append('there is no line "<layer> <scale>"')
    if problems:
        raise CalibrationError(listed(f"{source}: {len(problems)} wrong lines", problems))
    return factors


def resolve(graph: Graph, factors: Mapping[str, float]) -> tuple[dict[str, float], list[str]]:
    """Factors by layer -> scales of the tensors that these layers read, and why the others fit nothing."""
    layers = {node.name: node for node in graph.nodes}
    found: dict[str, float] = {}
    unused = []
    for name, factor in factors.items():
        if name not in layers:
            unused.append(f'"{name}": the net has no such layer; {did_you_mean(name, layers)}'.rstrip("; "))
            continue
        tensor = layers[name].inputs[0]
        # several layers may read one tensor: the widest range loses nothing
        found[tensor] = max(1 / factor if factor else 0.0, found.get(tensor, 0.0))
    return found, unused


def render(graph: Graph, scales: Mapping[str, float]) -> str:
    """The file's text for a graph with weights and scales (real / int8) by tensor; every convolution."""
    layers = [(node, node.op) for node in graph.nodes if isinstance(node.op, Convolution)]
    lines = [
        f"{node.name}{WEIGHTS} {' '.join(map(repr, weight_factors(node, op, graph.weights(node)['weight'])))}"
        for node, op in layers
    ]
    lines += [f"{node.name} {1 / scales[node.inputs[0]]!r}" for node, _ in layers]
    return "\n".join(lines) + "\n"


def weight_factors(node: Node, op: Convolution, weight: Array) -> list[float]:
    """127 (or 31) / max|W| of each output channel; 0 for a dead one. ``weight``: float32 KCRS."""
    depthwise = op.group == op.num_output
    winograd = op.kernel == (3, 3) and op.stride == (1, 1) and not depthwise
    largest = np.abs(weight).max(axis=(1, 2, 3)).astype(np.float64)
    levels = WINOGRAD_LEVELS if winograd else LEVELS
    return np.where(largest < DEAD, 0, levels / np.maximum(largest, DEAD)).tolist()
