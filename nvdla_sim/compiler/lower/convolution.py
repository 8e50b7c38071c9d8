"""Convolution -> CONV with its SDP: weights and bias quantised, the sums brought to the output's scale."""

from __future__ import annotations

import numpy as np

from nvdla_sim.compiler.lower import fused
from nvdla_sim.compiler.lower.blocks import takes_picture
from nvdla_sim.compiler.lower.convolve import convolve, cuts_kernels, features
from nvdla_sim.compiler.lower.lowering import Lowering, Tensor
from nvdla_sim.compiler.lower.values import Values
from nvdla_sim.compiler.program import Pads
from nvdla_sim.compiler.quantize import Float32, Weights, quantize_weights, without
from nvdla_sim.compiler.steps import Step
from nvdla_sim.compiler.tile import Geometry
from nvdla_sim.errors import UnsupportedError
from nvdla_sim.graph.graph import Node
from nvdla_sim.graph.ops.convolution import Convolution

VISIBLE = 2.0**-6  # output steps: sums that never reach this change nothing
MAX_BIAS = 2.0**30  # steps of a sum


def lower(step: Step, to: Lowering) -> None:
    """A picture is read as it is where the core can: in one group, without dilation, if not too wide."""
    op = step.head.op
    assert isinstance(op, Convolution)
    name = step.head.inputs[0]
    top, left = op.pad
    geometry = Geometry(op.kernel, op.stride, op.dilation, Pads(top, left, top, left))
    source = to.tensors[name]
    one_group = op.dilation == (1, 1) and op.group == 1
    if source.image and not (one_group and takes_picture(to.config, source.cube, op.num_output, geometry)):
        source = features(to, name)
    lower_weights(step, to, source, step.head.params["weight"], geometry, op.group)


def lower_weights(
    step: Step, to: Lowering, source: Tensor, weights: Float32, geometry: Geometry, group: int = 1
) -> None:
    """The common part of the layers with weights. ``weights``: float32 KCRS over a group's channels."""
    name, scale = step.head.name, to.scales[step.output]
    quantised, values = quantise(step.head, weights, source.scale, scale, to.per_filter)
    if fused.stays_apart(values, step.followers, scale, to.config) or (
        fused.takes_second_stage(step.followers, scale)
        and cuts_kernels(to, source, quantised.values, geometry, group)
    ):
        alone, rest = step.apart()
        lower_weights(alone, to, source, weights, geometry, group)
        fused.lower(rest, to)
        return
    post = fused.post_for(values, step.followers, step.output, to)
    convolve(to, name, source, quantised.values, geometry, post, step.output, group)


def quantise(
    node: Node, weights: Float32, in_scale: np.float32, out_scale: np.float32, per_filter: bool
) -> tuple[Weights, Values]:
    """Integer weights, and what the sums over them mean.

    Filters of very different size can ask for more than the SDP's shifts span; those whose sums cannot be
    seen in the output become 0 then, and their bias stays.
    """
    what, bias, gain = f'layer "{node.name}"', node.params.get("bias"), node.params.get("gain")
    for numbers in (weights, bias, gain):
        if numbers is not None and not np.isfinite(numbers).all():
            raise UnsupportedError(
                f"{what}: with the BatchNorm and Scale behind it, its weights or biases are not finite; is a "
                "variance below 0?"
            )
    quantised = quantize_weights(weights, per_filter)
    if gain is not None:
        quantised = Weights(quantised.values, quantised.scale * gain)
        quantised = without(quantised, quantised.scale == 0)
    uniform = gain is None and not per_filter
    values = Values(what, in_scale, quantised.scale, uniform, bias)
    if values.needs_two_stages(out_scale):
        step = np.abs(in_scale * quantised.scale)
        reach = 128 * np.abs(quantised.values.astype(np.int64)).sum(axis=(1, 2, 3))
        dead = reach * step < VISIBLE * out_scale
        if bias is not None:
            dead |= np.abs(bias) > MAX_BIAS * step
        quantised = without(quantised, dead)
        values = Values(what, in_scale, quantised.scale, uniform, bias)
    return quantised, values
