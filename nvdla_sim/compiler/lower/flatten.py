"""Flatten, and Reshape to a vector: the same memory as a 1x1 cube."""

from __future__ import annotations

from nvdla_sim.compiler.lower.convolve import features
from nvdla_sim.compiler.lower.lowering import Lowering
from nvdla_sim.compiler.lower.views import flattened, publish
from nvdla_sim.compiler.steps import Step


def lower(step: Step, to: Lowering) -> None:
    node = step.head
    name, order = to.unpermuted(node.inputs[0])
    flat = flattened(to, node.name, features(to, name), to.graph.tensors[name].chw, order)
    publish(to, node.name, flat, node.outputs[0])
