"""InnerProduct -> a convolution whose kernel is the whole input."""

from __future__ import annotations

from nvdla_sim.compiler.lower.convolution import lower_weights
from nvdla_sim.compiler.lower.lowering import Lowering
from nvdla_sim.compiler.steps import Step
from nvdla_sim.compiler.tile import Geometry


def lower(step: Step, to: Lowering) -> None:
    name = step.head.inputs[0]
    channels, height, width = to.graph.tensors[name].chw
    weights = step.head.params["weight"].reshape(-1, channels, height, width)
    lower_weights(step, to, to.tensors[name], weights, Geometry((height, width)))
