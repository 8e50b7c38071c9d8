"""ShuffleChannel -> a view: the readers find the channels in other lanes."""

from __future__ import annotations

import numpy as np

from nvdla_sim.compiler.lower.convolve import features
from nvdla_sim.compiler.lower.lowering import Lowering
from nvdla_sim.compiler.lower.views import choose_channels, publish
from nvdla_sim.compiler.steps import Step
from nvdla_sim.graph.ops.shuffle_channel import ShuffleChannel


def lower(step: Step, to: Lowering) -> None:
    node, op = step.head, step.head.op
    assert isinstance(op, ShuffleChannel)
    source = features(to, node.inputs[0])
    channels = np.arange(to.graph.tensors[node.inputs[0]].chw[0]).reshape(op.group, -1).T.reshape(-1)
    publish(to, node.name, choose_channels(source, channels, to.config.atom), node.outputs[0])
