"""Scale on its own, and what is joined to one: X1 multiplies each channel, X2 adds.

X1 makes finer steps than the output's, so that only the output converter's rounding counts.

Source: recipes section 1 ("Power", "broadcast PROD").
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nvdla_sim.compiler.lower.convolve import features, features_for
from nvdla_sim.compiler.lower.fused import emit_post
from nvdla_sim.compiler.lower.lowering import Lowering
from nvdla_sim.compiler.lower.values import FINE, Values
from nvdla_sim.compiler.program import Converter, Post, Stage
from nvdla_sim.compiler.quantize import quantize_bias
from nvdla_sim.compiler.scaling import multiplier
from nvdla_sim.compiler.steps import Step
from nvdla_sim.loadable.enums import SdpAct


def lower(step: Step, to: Lowering) -> None:
    node, scale = step.head, to.scales[step.output]
    act = SdpAct.RELU if step.followers else SdpAct.NONE
    if len(node.inputs) == 2:
        source, factor = (features(to, name, in_order=True) for name in node.inputs)
        out = Converter(*multiplier(float(source.scale * factor.scale / scale), f'layer "{node.name}"'))
        post = Post(Stage(mul=factor.cube, broadcast=True, act=act), out=out)
    else:
        source = features_for(to, node.inputs[0], step.output)
        values = Values.in_memory(f'layer "{node.name}"', source.scale)
        values = replace(values, weight_scale=node.params["weight"], uniform=False)
        fine = scale / np.float32(1 << FINE)
        bias = quantize_bias(node.params["bias"], fine)
        add = Stage(alu=bias.values, shift=bias.shift, act=act)
        post = Post(values.rescale(fine), add, Converter(1, FINE))
    emit_post(to, node.name, source, post, step.output)
