"""Concat: most channels are where they belong already; the others are copied there.

The parts begin at surfaces, so that the channels have holes between them where a part does not fill its last
surface: readers leave those lanes out.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nvdla_sim.compiler.lower.convolve import copy_channels, features
from nvdla_sim.compiler.lower.lowering import JointBuffer, Lowering
from nvdla_sim.compiler.lower.values import Values
from nvdla_sim.compiler.program import IntArray, Post, Sdp, Tensor
from nvdla_sim.compiler.steps import Step


def lower(step: Step, to: Lowering) -> None:
    node, name = step.head, step.output
    joint = to.joints[name]
    lanes: list[IntArray] = []
    for part in node.inputs:
        tensor = features(to, part, in_order=joint.is_output)
        own = joint.lanes_of(tensor)
        # a part that comes twice needs lanes of its own for each time
        if own is None or any(np.intersect1d(own, other).size for other in lanes):
            own = joint.lanes_of(_copy(to, node.name, part, tensor, joint))
            assert own is not None
        lanes.append(own)
    joined = np.concatenate(lanes)
    tensor = joint.tensor(joined)
    if name not in to.graph.outputs:
        to.tensors[name] = tensor
    elif joint.is_output:
        to.add_output(name, tensor)
    else:
        copy_channels(to, node.name, tensor, name)


def _copy(to: Lowering, layer: str, name: str, tensor: Tensor, joint: JointBuffer) -> Tensor:
    """The tensor in the joint's memory, at the joint's scale."""
    dest = joint.place(name, tensor.cube.channels, tensor.lanes)
    post = Post()
    if tensor.scale != dest.scale:
        post = Values.in_memory(f'layer "{layer}"', tensor.scale).requantise(dest.scale)
    to.emit(Sdp(layer, replace(tensor.cube, channels=dest.cube.channels), dest.cube, post))
    return dest
