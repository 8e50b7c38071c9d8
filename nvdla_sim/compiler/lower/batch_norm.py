"""BatchNorm on its own: X1 subtracts the mean and multiplies.

Source: compiler-facts sections 6.3 and 6.4 ("BN").
"""

from __future__ import annotations

import numpy as np

from nvdla_sim.compiler.lower.convolve import features_for
from nvdla_sim.compiler.lower.fused import emit_post
from nvdla_sim.compiler.lower.lowering import Lowering
from nvdla_sim.compiler.program import Post, Stage
from nvdla_sim.compiler.quantize import quantize_bias
from nvdla_sim.compiler.scaling import multipliers
from nvdla_sim.compiler.steps import Step
from nvdla_sim.graph.ops.batch_norm import BatchNorm
from nvdla_sim.loadable.enums import SdpAct


def lower(step: Step, to: Lowering) -> None:
    node, op = step.head, step.head.op
    assert isinstance(op, BatchNorm)
    source = features_for(to, node.inputs[0], step.output)
    mean = quantize_bias(-node.params["mean"], source.scale)
    factor = np.float32(1) / np.sqrt(node.params["variance"] + np.float32(op.eps))
    muls, truncate = multipliers(source.scale * factor / to.scales[step.output], f'layer "{node.name}"')
    act = SdpAct.RELU if step.followers else SdpAct.NONE
    post = Post(Stage(alu=mean.values, shift=mean.shift, mul=muls, truncate=truncate, act=act))
    emit_post(to, node.name, source, post, step.output)
