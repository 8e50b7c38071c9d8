"""Convolution -> CONV with its SDP: weights and bias quantised, the sums rescaled to the output's scale."""

from __future__ import annotations

from nvdla_sim.compiler.lower.convolve import convolve, features
from nvdla_sim.compiler.lower.lowering import Lowering, Tensor
from nvdla_sim.compiler.lower.requantise import requantise
from nvdla_sim.compiler.quantize import Float32, quantize_weights
from nvdla_sim.compiler.steps import Step
from nvdla_sim.compiler.tile import Geometry, Pads
from nvdla_sim.graph.ops.convolution import Convolution


def lower(step: Step, to: Lowering) -> None:
    """A picture is read as it is where the core can: not with dilation."""
    op = step.head.op
    assert isinstance(op, Convolution)
    name = step.head.inputs[0]
    source = to.tensors[name] if op.dilation == (1, 1) else features(to, name)
    (top, left) = op.pad
    geometry = Geometry(op.kernel, op.stride, op.dilation, Pads(top, left, top, left))
    lower_weights(step, to, source, step.head.params["weight"], geometry)


def lower_weights(step: Step, to: Lowering, source: Tensor, weights: Float32, geometry: Geometry) -> None:
    """The common part of the layers with weights. ``weights``: float32 KCRS over the source's channels."""
    head = step.head
    quantised = quantize_weights(weights, to.per_filter)
    post = requantise(
        f'layer "{head.name}"',
        source.scale,
        quantised.scale,
        head.params.get("bias"),
        to.scales[step.output],
        to.per_filter,
        step.relu,
    )
    convolve(to, head.name, source, quantised.values, geometry, post, step.output)
