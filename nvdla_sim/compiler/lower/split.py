"""Split that is left over because its outputs need memory of their own: copies."""

from __future__ import annotations

from nvdla_sim.compiler.lower.convolve import copy_channels
from nvdla_sim.compiler.lower.lowering import Lowering
from nvdla_sim.compiler.steps import Step


def lower(step: Step, to: Lowering) -> None:
    """An output that is not the network's has no reader."""
    node = step.head
    for name in node.outputs:
        if name in to.graph.outputs:
            copy_channels(to, node.name, to.tensors[node.inputs[0]], name)
