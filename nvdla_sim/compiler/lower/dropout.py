"""Dropout that is left over because its output needs memory of its own: a copy."""

from __future__ import annotations

from nvdla_sim.compiler.lower.convolve import copy_channels
from nvdla_sim.compiler.lower.lowering import Lowering
from nvdla_sim.compiler.steps import Step


def lower(step: Step, to: Lowering) -> None:
    node = step.head
    copy_channels(to, node.name, to.tensors[node.inputs[0]], node.outputs[0])
