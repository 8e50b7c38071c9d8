"""Eltwise SUM, MAX and PROD: X1 brings one operand to the other's steps, X2 takes the other from memory.

Both operands keep all their bits: X1 makes steps ``2^s`` finer than the other operand's, whose values are
shifted left by ``s``, and the output converter brings the result to its scale with one rounding.

Source: compiler-facts sections 8.5 to 8.7, recipes section 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nvdla_sim.compiler.lower.convolve import features, features_for
from nvdla_sim.compiler.lower.lowering import Lowering, Tensor
from nvdla_sim.compiler.lower.values import Values
from nvdla_sim.compiler.program import Converter, Post, Sdp, Stage
from nvdla_sim.compiler.scaling import multiplier
from nvdla_sim.compiler.steps import Step
from nvdla_sim.graph.graph import Node
from nvdla_sim.graph.ops.eltwise import Eltwise
from nvdla_sim.loadable.enums import AluType, SdpAct

SHIFT = 8  # the bits that X1 adds

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
    """All inputs are in memory; more than two are combined one after the other."""
    node, op = step.head, _op(step.head)
    operands = [features_for(to, name, step.output) for name in node.inputs]
    if any(not same_lanes(operand, operands[0]) for operand in operands):
        operands = [features(to, name, in_order=True) for name in node.inputs]
    coeff = list(op.coeff or [1.0] * len(operands))
    first, own = operands[0], coeff[0]
    for position in range(1, len(operands)):
        second, other = operands[position], coeff[position]
        last = position == len(operands) - 1
        if last:
            dest = to.destination(step.output, first.lanes)
        else:
            scale = _safe_scale(op, first.scale * abs(own), second.scale * abs(other))
            dest = to.scratch(first.cube.channels, first.cube.height, first.cube.width, scale, first.lanes)
        act = _act(step.followers) if last else SdpAct.NONE
        _emit(to, node.name, op, (first, own), (second, other), dest, act)
        first, own = dest, 1.0


def _emit(
    to: Lowering,
    layer: str,
    op: Eltwise,
    a: tuple[Tensor, float],
    b: tuple[Tensor, float],
    dest: Tensor,
    act: SdpAct,
) -> None:
    """One SDP operation on two tensors with their coefficients."""

    def as_operand(side: tuple[Tensor, float]) -> float:
        """The finer steps of the result come out of the larger operand, which must be positive for a ReLU."""
        tensor, coefficient = side
        step = float(tensor.scale) * coefficient
        return step if act else abs(step)

    a, b = sorted((a, b), key=as_operand)
    (source, own), (operand, other) = a, b
    values = Values.in_memory(f'layer "{layer}"', source.scale * np.float32(own))
    post = _combine(op, values, operand, operand.scale * np.float32(other), dest.scale, act)
    src = replace(source.cube, channels=dest.cube.channels)
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


def _safe_scale(op: Eltwise, a: np.float32, b: np.float32) -> np.float32:
    """A scale at which no combination of two int8 values saturates."""
    if op.operation == "MAX":
        return max(a, b)
    return np.float32((a + b if op.operation == "SUM" else a * b * 128) * 128 / 127)


def _act(nodes: Sequence[Node]) -> SdpAct:
    return SdpAct.RELU if nodes else SdpAct.NONE


def _op(node: Node) -> Eltwise:
    assert isinstance(node.op, Eltwise)
    return node.op
