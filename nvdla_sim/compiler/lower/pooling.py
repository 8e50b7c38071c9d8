"""Pooling -> PDP, which keeps the scale: the output's int8 steps are the input's.

Source: compiler-facts sections 6.4 ("pdp") and 8.3.
"""

from __future__ import annotations

from dataclasses import replace

from nvdla_sim.compiler.lower.convolve import features
from nvdla_sim.compiler.lower.lowering import Lowering
from nvdla_sim.compiler.program import Pads, Pdp
from nvdla_sim.compiler.steps import Step
from nvdla_sim.graph.ops.pooling import Pooling
from nvdla_sim.loadable.enums import PoolMode


def lower(step: Step, to: Lowering) -> None:
    """Lanes that no channel uses are pooled along with the others."""
    node, op = step.head, step.head.op
    assert isinstance(op, Pooling)
    source = features(to, node.inputs[0])
    dest = to.destination(node.outputs[0], source.lanes)
    height, pad_bottom = _fit(source.cube.height, dest.cube.height, op, 0)
    width, pad_right = _fit(source.cube.width, dest.cube.width, op, 1)
    src = replace(source.cube, channels=dest.cube.channels, height=height, width=width)
    pads = Pads(op.pad[0], op.pad[1], pad_bottom, pad_right)
    mode = PoolMode.MAX if op.method == "MAX" else PoolMode.AVG
    to.emit(Pdp(node.name, src, dest.cube, mode, op.kernel, op.stride, pads))


def _fit(source: int, dest: int, op: Pooling, axis: int) -> tuple[int, int]:
    """Source size and padding behind it such that the last window ends exactly there."""
    needed = (dest - 1) * op.stride[axis] + op.kernel[axis] - op.pad[axis]
    return min(source, needed), max(0, needed - source)
