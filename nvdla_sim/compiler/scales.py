"""Which scale each tensor has: ``real = scale * int8``.

The table gives one for each layer. A tensor whose engine cannot rescale keeps that of what it is made from.

Source: compiler-facts sections 6.2 (merged layers) and 8.3 (pooling).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nvdla_sim.calib.table import Table
from nvdla_sim.compiler.joints import find_joints, takes_joint_scale
from nvdla_sim.compiler.lower.pooling import keeps_scale, needs_own_scale
from nvdla_sim.graph.graph import Graph, Node
from nvdla_sim.graph.ops.pooling import Pooling
from nvdla_sim.graph.ops.softmax import Softmax
from nvdla_sim.graph.ops.upsample import Upsample
from nvdla_sim.hw.config import Config

# Layers that only rename, cut, reorder or reshape: the values are those of their input.
UNSCALED = frozenset({"Dropout", "Split", "Flatten", "Reshape", "Permute", "Slice", "Crop", "ShuffleChannel"})


def needed_entries(graph: Graph) -> dict[str, str]:
    """Tensor -> its entry in a table, for every input and every layer's outputs that need a scale."""
    needed = {name: name for name in graph.inputs}
    for node in graph.nodes:
        if node.op.kind not in UNSCALED:
            needed |= dict.fromkeys(node.outputs, node.name)
    return needed


def described_entries(graph: Graph) -> dict[str, str]:
    """Each needed entry -> what it is of, for messages."""
    makers = graph.producers()
    described = {}
    for tensor, name in needed_entries(graph).items():
        node = makers.get(tensor)
        described[name] = f'input "{name}"' if node is None else f'layer "{name}" ({node.op.kind})'
    return described


def table_scales(graph: Graph, table: Table) -> dict[str, np.float32]:
    """The table's scale of every tensor that needs one.

    Raises ``CalibrationError`` naming every input and layer that has none.
    """
    table.refuse(table.missing(described_entries(graph)))
    return {tensor: np.float32(table.scales[name]) for tensor, name in needed_entries(graph).items()}


def assign_scales(graph: Graph, given: Mapping[str, np.float32], config: Config) -> dict[str, np.float32]:
    """The scale that every tensor of the graph gets, from those that the table gives."""
    given = {**given, **_joint_scales(graph, given)}
    scales = {name: given[name] for name in graph.inputs}
    for node in graph.nodes:
        keeps = _keeps_scale(node, graph)
        if keeps and isinstance(node.op, Pooling):
            keeps = not needs_own_scale(node, graph, given, scales[node.inputs[0]], config)
        scales |= {name: scales[node.inputs[0]] if keeps else given[name] for name in node.outputs}
    return scales


def _joint_scales(graph: Graph, given: Mapping[str, np.float32]) -> dict[str, np.float32]:
    """What is joined has one scale, and the layers that make the parts use it where they can.

    Softmax keeps its own: the emulator cuts to whole steps, which coarser ones would show.
    """
    makers = graph.producers()
    scales: dict[str, np.float32] = {}
    for joint in find_joints(graph):
        scale = joint.scale(given)
        scales |= dict.fromkeys(joint.results, scale)
        for part in joint.parts:
            maker = makers.get(part)
            free = maker and not isinstance(maker.op, Softmax) and not _keeps_scale(maker, graph)
            if free and takes_joint_scale(graph, joint, part, given[part], scale):
                scales[part] = scale
    return scales


def _keeps_scale(node: Node, graph: Graph) -> bool:
    if isinstance(node.op, Upsample):
        return True
    return node.op.kind in UNSCALED or (isinstance(node.op, Pooling) and keeps_scale(node, graph))
