"""InnerProduct -> a convolution whose kernel is the whole input."""

from __future__ import annotations

import numpy as np

from nvdla_sim.compiler.lower.convolution import lower_weights
from nvdla_sim.compiler.lower.lowering import Lowering
from nvdla_sim.compiler.steps import Step
from nvdla_sim.compiler.tile import Geometry


def lower(step: Step, to: Lowering) -> None:
    name, order = to.unpermuted(step.head.inputs[0])
    shape = to.graph.tensors[name].chw
    weights = step.head.params["weight"].reshape(-1, *(shape[axis] for axis in order))
    weights = weights.transpose(0, *(1 + axis for axis in np.argsort(order)))
    lower_weights(step, to, to.tensors[name], weights, Geometry(shape[1:]))
