"""Slice -> views of its input."""

from __future__ import annotations

import numpy as np

from nvdla_sim.compiler.lower.convolve import features
from nvdla_sim.compiler.lower.lowering import Lowering
from nvdla_sim.compiler.lower.views import choose_channels, cut_window, publish
from nvdla_sim.compiler.steps import Step
from nvdla_sim.graph.ops.slice import Slice


def lower(step: Step, to: Lowering) -> None:
    node, op = step.head, step.head.op
    assert isinstance(op, Slice)
    source = features(to, node.inputs[0])
    _, height, width = to.graph.tensors[node.inputs[0]].chw
    starts = np.cumsum([0, *op.sizes[:-1]]).tolist()
    for name, start, size in zip(node.outputs, starts, op.sizes, strict=True):
        if op.axis == 1:
            part = choose_channels(source, np.arange(start, start + size), to.config.atom)
        elif op.axis == 2:
            part = cut_window(to, node.name, source, start, 0, size, width)
        else:
            part = cut_window(to, node.name, source, 0, start, height, size)
        publish(to, node.name, part, name)
