"""Upsample (nearest) -> copies: each pixel to the columns it becomes, each row to the rows it becomes."""

from __future__ import annotations

from nvdla_sim.compiler.lower.convolve import features_for
from nvdla_sim.compiler.lower.lowering import Lowering
from nvdla_sim.compiler.lower.spread import copy, copy_columns, every_row
from nvdla_sim.compiler.lower.views import without_gaps
from nvdla_sim.compiler.steps import Step
from nvdla_sim.graph.ops.upsample import Upsample


def lower(step: Step, to: Lowering) -> None:
    """The scale stays."""
    node, op = step.head, step.head.op
    assert isinstance(op, Upsample)
    factor = op.factor
    source = without_gaps(to, node.name, features_for(to, node.inputs[0], step.output))
    dest = to.destination(step.output, source.lanes).cube
    src = source.cube
    wide = dest
    if factor[0] > 1:
        wide = to.scratch(dest.channels, src.height, dest.width, source.scale).cube
    for column in range(factor[1]):
        copy_columns(to, node.name, src, wide, factor[1], column)
    if factor[0] > 1:
        for row in range(factor[0]):
            copy(to, node.name, wide, every_row(dest, factor[0], row, src.height))
