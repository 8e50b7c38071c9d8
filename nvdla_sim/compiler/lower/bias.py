"""Bias whose summands are a tensor or one for each element -> SDP; others are joined to a Scale before."""

from __future__ import annotations

import numpy as np

from nvdla_sim.compiler.lower.convolve import features, features_for
from nvdla_sim.compiler.lower.eltwise import sum_post
from nvdla_sim.compiler.lower.fused import emit_post
from nvdla_sim.compiler.lower.lowering import Lowering
from nvdla_sim.compiler.lower.values import FINE, Values
from nvdla_sim.compiler.program import Converter, Post, Stage
from nvdla_sim.compiler.quantize import quantize_bias
from nvdla_sim.compiler.steps import Step


def lower(step: Step, to: Lowering) -> None:
    node, scale = step.head, to.scales[step.output]
    what = f'layer "{node.name}"'
    if len(node.inputs) == 2:
        source, operand = (features(to, name, in_order=True) for name in node.inputs)
        values = Values.in_memory(what, source.scale)
        summands = Stage(alu=operand.cube, broadcast=True)
        post = sum_post(values, summands, operand.scale, scale)
    else:
        source = features_for(to, node.inputs[0], step.output)
        fine = scale / np.float32(1 << FINE)
        bias = quantize_bias(node.params["bias"], fine)
        add = Stage(alu=bias.values, shift=bias.shift)
        post = Post(Values.in_memory(what, source.scale).rescale(fine), add, Converter(1, FINE))
    emit_post(to, node.name, source, post, step.output)
