"""Float runs whose tensors and weights take only the values that integers of some bits can stand for.

What a fake-quantised run and the float run differ in comes from the scales; what the chip and the
fake-quantised run differ in comes from the chip's integers (multipliers, shifts, roundings).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from nvdla_sim.analysis.compare import parts
from nvdla_sim.analysis.compare.metrics import fake_quantise
from nvdla_sim.analysis.compare.parts import Part
from nvdla_sim.graph.graph import Node
from nvdla_sim.graph.operator import Array
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.deconvolution import Deconvolution
from nvdla_sim.graph.ops.inner_product import InnerProduct

WITH_WEIGHTS = (Convolution, Deconvolution, InnerProduct)


def nodes_to_run(
    nodes: Iterable[Node], per_filter: bool, bits: int | None = None, denied: Collection[str] = ()
) -> dict[str, Node]:
    """By name, the compiled net's nodes as operators of the graph can run them, weights fake-quantised.

    ``bits`` None leaves the weights as they are; those of the nodes in ``denied`` always stay.
    The compiler's passes put a bias where there was none, and keep a ``gain`` apart from the weights.
    """
    return {
        node.name: _node_to_run(node, per_filter, None if node.name in denied else bits)
        for node in nodes
        if isinstance(node.op, WITH_WEIGHTS)
    }


def _node_to_run(node: Node, per_filter: bool, bits: int | None) -> Node:
    assert isinstance(node.op, WITH_WEIGHTS)
    params = dict(node.params)
    if bits is not None:
        params["weight"] = _fake_weights(node, per_filter, bits)
    if "gain" in params:
        params["weight"] = params["weight"] * _over_weights(node, params.pop("gain"))
    return replace(node, op=replace(node.op, bias="bias" in params), params=params)


def fake_run(
    net: Sequence[Part],
    inputs: Mapping[str, Array],
    scales: Mapping[str, float],
    nodes: Mapping[str, Node],
    bits: int,
    denied: Collection[str] = (),
) -> dict[str, Array]:
    """The tensors in memory when each is rounded to ``bits`` bits, its inputs included (with a batch axis).

    ``scales`` are those of int8; ``nodes``: from ``nodes_to_run``; ``denied``: tensors that stay in float.
    """
    values = {
        name: value if name in denied else fake_quantise(value, scales[name], bits)
        for name, value in inputs.items()
    }
    for part in net:
        result = parts.run(part, values, nodes)
        if part.output not in denied:
            result = fake_quantise(result, scales[part.output], bits)
        values[part.output] = result
    return values


def _fake_weights(node: Node, per_filter: bool, bits: int) -> Array:
    """``floor(W / sw + 0.5) * sw`` with ``sw = max|W| / 127`` (16 bits: 32767), of all or of each filter."""
    weight = node.params["weight"]
    limit = (1 << (bits - 1)) - 1
    largest = np.abs(weight).max()
    if per_filter:
        largest = _over_weights(node, np.abs(_by_filter(node)).max(axis=1))
    scale = np.where(largest > 0, largest, 1).astype(np.float32) / np.float32(limit)
    steps = np.floor(weight / scale + np.float32(0.5))
    return np.clip(steps, -limit - 1, limit) * scale


def _by_filter(node: Node) -> Array:
    """The weights of each output channel, [output channel, weight]."""
    assert isinstance(node.op, WITH_WEIGHTS)
    weight = node.params["weight"]
    if isinstance(node.op, Deconvolution):
        # [input channel, output channel of the group, y, x]
        weight = weight.reshape(node.op.group, -1, *weight.shape[1:]).swapaxes(1, 2)
    return weight.reshape(node.op.num_output, -1)


def _over_weights(node: Node, values: Array) -> Array:
    """A value for each output channel in a shape that goes with the weights."""
    weight = node.params["weight"]
    if isinstance(node.op, Deconvolution):
        of_groups = values.reshape(node.op.group, -1)
        return np.repeat(of_groups, weight.shape[0] // node.op.group, axis=0)[:, :, None, None]
    return values.reshape(-1, *(1,) * (weight.ndim - 1))
