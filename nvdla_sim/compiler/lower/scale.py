"""Scale on its own, and what is joined to one: X1 multiplies, X2 adds.

Factors and summands are one for each channel or for each element. X1 makes finer steps than the output's, so
that only the output converter's rounding counts.

Source: recipes section 1 ("Power", "broadcast PROD").
"""

from __future__ import annotations

import numpy as np

from nvdla_sim.compiler.lower.convolve import features, features_for
from nvdla_sim.compiler.lower.fused import emit_post
from nvdla_sim.compiler.lower.lowering import Lowering
from nvdla_sim.compiler.lower.values import FINE
from nvdla_sim.compiler.program import Converter, Post, Stage
from nvdla_sim.compiler.quantize import quantize_bias
from nvdla_sim.compiler.scaling import multiplier, multipliers
from nvdla_sim.compiler.steps import Step
from nvdla_sim.loadable.enums import SdpAct


def lower(step: Step, to: Lowering) -> None:
    node, scale = step.head, to.scales[step.output]
    what = f'layer "{node.name}"'
    act = SdpAct.RELU if step.followers else SdpAct.NONE
    if len(node.inputs) == 2:
        source, factor = (features(to, name, in_order=True) for name in node.inputs)
        out = Converter(*multiplier(float(source.scale * factor.scale / scale), what))
        post = Post(Stage(mul=factor.cube, broadcast=True, act=act), out=out)
    else:
        source = features_for(to, node.inputs[0], step.output)
        fine = scale / np.float32(1 << FINE)
        weight = node.params["weight"]
        muls, truncate = multipliers(source.scale * weight.reshape(-1) / fine, what)
        bias = quantize_bias(node.params.get("bias", np.zeros_like(weight)), fine)
        post = Post(
            Stage(mul=muls.reshape(weight.shape), truncate=truncate),
            Stage(alu=bias.values, shift=bias.shift, act=act),
            Converter(1, FINE),
        )
    emit_post(to, node.name, source, post, step.output)
