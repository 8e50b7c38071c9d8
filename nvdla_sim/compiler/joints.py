"""Concatenations share memory: layers write their channels where the concatenated tensor will be.

Concat layers that feed each other (dense blocks) are one joint: one buffer and one scale for all of them.

Source: compiler-facts section 8.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nvdla_sim.graph.graph import Graph, Node
from nvdla_sim.graph.ops.concat import Concat

# A tensor that others read too takes the joint's scale if that is at most so much coarser than its own.
COARSER = 2


@dataclass(frozen=True)
class Joint:
    """``concats``: the layers that share. ``parts``: what they join, other than each other's results."""

    concats: tuple[Node, ...]
    parts: tuple[str, ...]

    @property
    def results(self) -> set[str]:
        return {node.outputs[0] for node in self.concats}

    def scale(self, given: Mapping[str, np.float32]) -> np.float32:
        """The one that all of its results can have without saturating."""
        return max(given[name] for name in self.results)


def find_joints(graph: Graph) -> list[Joint]:
    """The graph's joints; a tensor can be a part of several."""
    groups: list[list[Node]] = []
    for node in graph.nodes:
        if isinstance(node.op, Concat):
            fed_by = [group for group in groups if any(made.outputs[0] in node.inputs for made in group)]
            groups = [group for group in groups if group not in fed_by]
            groups.append([*(made for group in fed_by for made in group), node])
    joints: list[Joint] = []
    for group in groups:
        results = {node.outputs[0] for node in group}
        parts = dict.fromkeys(name for node in group for name in node.inputs if name not in results)
        joints.append(Joint(tuple(group), tuple(parts)))
    return joints


def takes_joint_scale(graph: Graph, joint: Joint, name: str, own: np.float32, scale: np.float32) -> bool:
    """Whether the layer that makes a part of the joint may use the joint's scale instead of its own."""
    friends = {node.name for node in joint.concats}
    strangers = [node for node in graph.consumers(name) if node.name not in friends]
    return not strangers or bool(scale <= COARSER * own)
