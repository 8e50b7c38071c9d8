"""Eltwise SUM, MAX and PROD: X1 brings one operand to the other's steps, X2 takes the other from memory.

Both operands keep all their bits: X1 makes steps ``2^s`` finer than the other operand's, whose values are
shifted left by ``s``, and the output converter brings the result to its scale with one rounding.

A third operand of a SUM is added in the same operation where that can be: by stage Y, which has a converter
for it, or on any configuration where all three have the same steps. A PROD always takes three.

Source: compiler-facts sections 8.5 to 8.7, recipes section 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from nvdla_sim.compiler.lower.convolve import features, features_for
from nvdla_sim.compiler.lower.lowering import Lowering, Tensor
from nvdla_sim.compiler.lower.values import Values, has_stage_y
from nvdla_sim.compiler.program import Converter, Post, Sdp, Stage
from nvdla_sim.compiler.scaling import multiplier
from nvdla_sim.compiler.steps import Step
from nvdla_sim.graph.graph import Node
from nvdla_sim.graph.ops.eltwise import Eltwise
from nvdla_sim.loadable.enums import AluType, SdpAct

SHIFT = 8  # the bits that X1 adds


class Side(NamedTuple):
    """An input in memory; ``step``: what its 1 is worth, its scale with its coefficient."""

    tensor: Tensor
    step: np.float32


FUNCTIONS = {"SUM": AluType.SUM, "MAX": AluType.MAX}


def behind(values: Values, nodes: Sequence[Node], scale: np.float32, to: Lowering) -> Post:
    """``values`` on the fly, the layer's other input in memory. ``nodes``: Eltwise, then ReLU or nothing."""
    op = _op(nodes[0])
    other = next(index for index, name in enumerate(nodes[0].inputs) if name in to.tensors)
    operand = features(to, nodes[0].inputs[other], in_order=True)
    coeff = op.coeff or (1.0, 1.0)
    if coeff[1 - other] != 1:
        own = np.float32(coeff[1 - other])
        bias = None if values.bias is None else values.bias * own
        values = replace(values, weight_scale=values.weight_scale * own, bias=bias)
    step = operand.scale * np.float32(coeff[other])
    return _combine(op, values, operand, step, scale, _act(nodes[1:]))


def lower(step: Step, to: Lowering) -> None:
    """All inputs are in memory; more than one operation can take are combined one after the other."""
    node, op = step.head, _op(step.head)
    operands = [features_for(to, name, step.output) for name in node.inputs]
    if any(not same_lanes(operand, operands[0]) for operand in operands):
        operands = [features(to, name, in_order=True) for name in node.inputs]
    coeff = op.coeff or (1.0,) * len(operands)
    sides = [
        Side(tensor, tensor.scale * np.float32(factor))
        for tensor, factor in zip(operands, coeff, strict=True)
    ]
    sides.sort(key=lambda side: side.step == 0)  # two without any weight give no scale for their sum
    while len(sides) > 1:
        act = _act(step.followers) if len(sides) <= 3 else SdpAct.NONE
        count = 3 if _takes_three(op, sides[:3], act, to) else 2
        taken, sides = sides[:count], sides[count:]
        first = taken[0].tensor
        if sides:
            act = SdpAct.NONE
            scale = _safe_scale(op, [np.abs(side.step) for side in taken])
            dest = to.scratch(first.cube.channels, first.cube.height, first.cube.width, scale, first.lanes)
        else:
            dest = to.destination(step.output, first.lanes)
        _emit(to, node.name, op, taken, dest, act)
        sides.insert(0, Side(dest, dest.scale))


def _takes_three(op: Eltwise, sides: Sequence[Side], act: SdpAct, to: Lowering) -> bool:
    if len(sides) < 3 or op.operation == "MAX":
        return False
    return op.operation == "PROD" or _same_steps(sides) or (has_stage_y(to.config) and act == SdpAct.NONE)


def _same_steps(sides: Sequence[Side]) -> bool:
    return bool(sides[0].step > 0 and all(side.step == sides[0].step for side in sides))


def _emit(to: Lowering, layer: str, op: Eltwise, sides: Sequence[Side], dest: Tensor, act: SdpAct) -> None:
    """One SDP operation on two or three tensors."""

    def as_operand(side: Side) -> float:
        """The finer steps of the result come out of the larger operand, which must be positive for a ReLU."""
        return float(side.step) if act else float(np.abs(side.step))

    *third, a, b = sorted(sides, key=as_operand)
    what = f'layer "{layer}"'
    if third and op.operation == "PROD":
        out = Converter(*multiplier(float(a.step * b.step * third[0].step / dest.scale), what))
        post = Post(Stage(mul=third[0].tensor.cube), Stage(mul=b.tensor.cube, act=act), out)
    elif third and _same_steps(sides):
        out = Converter(*multiplier(float(b.step / dest.scale), what))
        post = Post(Stage(alu=third[0].tensor.cube), Stage(alu=b.tensor.cube, act=act), out)
    else:
        post = _combine(op, Values.in_memory(what, a.step), b.tensor, b.step, dest.scale, act)
        if third:
            assert post.x2 is not None
            fine = Converter(*multiplier(float(third[0].step / b.step * (1 << post.x2.shift)), what))
            post = replace(post, y=Stage(alu=third[0].tensor.cube, converter=fine))
    src = replace(a.tensor.cube, channels=dest.cube.channels)
    to.emit(Sdp(layer, src, dest.cube, post))


def _combine(
    op: Eltwise, values: Values, operand: Tensor, step: np.float32, scale: np.float32, act: SdpAct
) -> Post:
    """``step``: what 1 of the operand is worth (its scale with its coefficient)."""
    if op.operation == "PROD":
        factor = values.in_scale * step / scale
        return Post(Stage(mul=operand.cube, act=act), out=Converter(*multiplier(float(factor), values.what)))
    return sum_post(values, Stage(alu=operand.cube, function=FUNCTIONS[op.operation], act=act), step, scale)


def sum_post(values: Values, operand: Stage, step: np.float32, scale: np.float32) -> Post:
    """``values`` and the ``operand`` of X2, whose 1 is worth ``step``, to int8 of the ``scale``."""
    shift = SHIFT
    while shift and not values.fits(step / np.float32(1 << shift)):
        shift -= 1
    fine = step / np.float32(1 << shift)
    out = Converter(*multiplier(float(fine / scale), values.what))
    return Post(values.rescale(fine), replace(operand, shift=shift), out)


def same_lanes(a: Tensor, b: Tensor) -> bool:
    """Whether channel i is in the same lane of both."""
    if a.lanes is None or b.lanes is None:
        return a.lanes is b.lanes
    return np.array_equal(a.lanes, b.lanes)


def _safe_scale(op: Eltwise, steps: Sequence[np.float32]) -> np.float32:
    """A scale at which no combination of int8 values saturates."""
    if op.operation == "MAX":
        return max(steps)
    most = sum(steps) if op.operation == "SUM" else np.prod(steps) * 128 ** (len(steps) - 1)
    return np.float32(most * np.float32(128 / 127))


def _act(nodes: Sequence[Node]) -> SdpAct:
    return SdpAct.RELU if nodes else SdpAct.NONE


def _op(node: Node) -> Eltwise:
    assert isinstance(node.op, Eltwise)
    return node.op
