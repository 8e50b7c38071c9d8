"""Permute in front of Flatten or InnerProduct: nothing moves, the reader takes the elements in that order."""

from __future__ import annotations

from nvdla_sim.compiler.lower.lowering import Lowering
from nvdla_sim.compiler.steps import Step
from nvdla_sim.graph.ops.permute import Permute


def lower(step: Step, to: Lowering) -> None:
    node, op = step.head, step.head.op
    assert isinstance(op, Permute)
    _, first, second, third = op.order
    to.permuted[node.outputs[0]] = node.inputs[0], (first - 1, second - 1, third - 1)
