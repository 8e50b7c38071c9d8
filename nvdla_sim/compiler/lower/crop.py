"""Crop -> a view of its first input; the second one only gives a size."""

from __future__ import annotations

import numpy as np

from nvdla_sim.compiler.lower.convolve import features
from nvdla_sim.compiler.lower.lowering import Lowering
from nvdla_sim.compiler.lower.views import choose_channels, cut_window, publish
from nvdla_sim.compiler.steps import Step
from nvdla_sim.graph.ops.crop import Crop


def lower(step: Step, to: Lowering) -> None:
    node, op = step.head, step.head.op
    assert isinstance(op, Crop)
    channels, height, width = to.graph.tensors[node.outputs[0]].chw
    first, top, left = (*(0,) * (op.axis - 1), *op.offset, 0, 0)[:3]
    source = features(to, node.inputs[0])
    view = choose_channels(source, np.arange(first, first + channels), to.config.atom)
    publish(to, node.name, cut_window(to, node.name, view, top, left, height, width), node.outputs[0])
