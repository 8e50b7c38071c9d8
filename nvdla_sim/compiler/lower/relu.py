"""ReLU on its own (not behind a convolution) -> SDP: rescale and cut off below 0."""

from __future__ import annotations

from dataclasses import replace

from nvdla_sim.compiler.lower.convolve import features
from nvdla_sim.compiler.lower.lowering import Lowering
from nvdla_sim.compiler.program import Post, Sdp, Stage
from nvdla_sim.compiler.scaling import multiplier
from nvdla_sim.compiler.steps import Step
from nvdla_sim.loadable.enums import SdpAct


def lower(step: Step, to: Lowering) -> None:
    node = step.head
    source = features(to, node.inputs[0])
    dest = to.destination(node.outputs[0], source.lanes)
    mul, truncate = multiplier(float(source.scale / dest.scale), f'layer "{node.name}"')
    post = Post(Stage(mul=mul, truncate=truncate, act=SdpAct.RELU))
    to.emit(Sdp(node.name, replace(source.cube, channels=dest.cube.channels), dest.cube, post))
