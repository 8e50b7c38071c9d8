"""Softmax -> the driver's CPU emulator, which walks the channels of a 1x1 tensor.

Source: compiler-facts section 3.
"""

from __future__ import annotations

from nvdla_sim.compiler.lower.convolve import features
from nvdla_sim.compiler.lower.lowering import Lowering
from nvdla_sim.compiler.program import Softmax
from nvdla_sim.compiler.steps import Step


def lower(step: Step, to: Lowering) -> None:
    node = step.head
    source = features(to, node.inputs[0], in_order=True)
    dest = to.destination(node.outputs[0])
    to.emit(Softmax(node.name, source.cube, dest.cube, float(source.scale), float(dest.scale)))
