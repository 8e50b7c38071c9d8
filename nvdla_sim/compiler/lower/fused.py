"""Layers that the SDP does: on the fly behind another, or alone on a tensor in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nvdla_sim.compiler.lower import clip, eltwise, prelu, unary
from nvdla_sim.compiler.lower.convolve import features_for
from nvdla_sim.compiler.lower.lowering import Lowering, Tensor
from nvdla_sim.compiler.lower.values import Values, has_stage_y
from nvdla_sim.compiler.program import Post, Sdp
from nvdla_sim.compiler.steps import Step, is_plain_relu
from nvdla_sim.graph.graph import Node
from nvdla_sim.graph.ops.clip import Clip
from nvdla_sim.graph.ops.eltwise import Eltwise
from nvdla_sim.graph.ops.prelu import PReLU
from nvdla_sim.graph.ops.relu import ReLU
from nvdla_sim.graph.ops.sigmoid import Sigmoid
from nvdla_sim.graph.ops.tanh import TanH
from nvdla_sim.hw.config import Config
from nvdla_sim.loadable.enums import SdpAct


def post_for(values: Values, nodes: Sequence[Node], output: str, to: Lowering) -> Post:
    """From ``values`` through the layers ``nodes`` to the tensor ``output``."""
    scale = to.scales[output]
    if not nodes:
        return values.requantise(scale)
    op = nodes[0].op
    match op:
        case Eltwise():
            return eltwise.behind(values, nodes, scale, to)
        case PReLU():
            return prelu.post(values, nodes[0].params["slope"], scale)
        case ReLU() if op.negative_slope:
            return prelu.post(values, op.negative_slope, scale)
        case ReLU():
            return values.requantise(scale, SdpAct.RELU)
        case Sigmoid() | TanH():
            return unary.post(values, op, scale)
    bound = clip.upper_bound(op)
    if bound is not None:
        return clip.post(values, bound, scale)
    raise AssertionError(f"{op.kind} is not the SDP's")


def stays_apart(values: Values, nodes: Sequence[Node], scale: np.float32, config: Config) -> bool:
    """Whether the layers behind a convolution need an operation of their own."""
    if nodes and isinstance(nodes[0].op, Sigmoid | TanH):
        return not has_stage_y(config) or not values.fits(unary.STEP)
    return takes_second_stage(nodes, scale) and values.needs_two_stages(scale)


def takes_second_stage(nodes: Sequence[Node], scale: np.float32) -> bool:
    """Whether X2 is needed for the layers behind a convolution, which may need it itself."""
    if not nodes or is_plain_relu(nodes[0]) or isinstance(nodes[0].op, Sigmoid | TanH):
        return False
    bound = clip.upper_bound(nodes[0].op)
    return bound is None or clip.needs_limit(bound, scale)


def lower(step: Step, to: Lowering) -> None:
    """A step whose input is in memory."""
    node = step.head
    if isinstance(node.op, Eltwise):
        eltwise.lower(step, to)
        return
    leaky = isinstance(node.op, ReLU) and node.op.negative_slope != 0
    if leaky or isinstance(node.op, Sigmoid | TanH) or (isinstance(node.op, Clip) and node.op.low != 0):
        unary.lower(step, to)
        return
    source = features_for(to, node.inputs[0], step.output)
    values = Values.in_memory(f'layer "{node.name}"', source.scale)
    emit_post(to, node.name, source, post_for(values, (node, *step.followers), step.output, to), step.output)


def emit_post(to: Lowering, layer: str, source: Tensor, post: Post, output: str) -> None:
    """One SDP operation from a tensor to the tensor ``output``, channels in the same lanes."""
    dest = to.destination(output, source.lanes)
    src = replace(source.cube, channels=dest.cube.channels)
    to.emit(Sdp(layer, src, dest.cube, post.in_lanes(source.lanes)))
