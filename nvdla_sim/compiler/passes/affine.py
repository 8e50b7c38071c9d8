"""Join BatchNorm, Scale, Bias and linear Power: into the weights in front of them, or else into one Scale.

Each of these layers multiplies and adds something for each channel. That is carried out on weights and bias,
one by one and in single precision as NVIDIA's compiler does it, so that the quantised weights agree.

Behind a convolution on a picture the factors stay apart, as parameter ``gain``: NVIDIA's compiler quantises
those weights as they are, and with one scale for all filters that is also the better way.

Source: compiler-facts section 6.2.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from nvdla_sim.graph.graph import Graph, Node
from nvdla_sim.graph.operator import Array
from nvdla_sim.graph.ops.batch_norm import BatchNorm
from nvdla_sim.graph.ops.bias import Bias
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.deconvolution import Deconvolution
from nvdla_sim.graph.ops.inner_product import InnerProduct
from nvdla_sim.graph.ops.power import Power
from nvdla_sim.graph.ops.scale import Scale


class Multiply(NamedTuple):
    """By a factor for each channel."""

    by: Array


class Add(NamedTuple):
    """A summand for each channel."""

    to: Array


Action = Multiply | Add


def join_affine(graph: Graph, images: Collection[str]) -> Graph:
    """The graph with every chain of such layers joined; ``images``: the inputs that are pictures.

    A layer whose input somebody else reads too starts a Scale of its own; a single BatchNorm stays as it is.
    """
    nodes: list[Node] = []
    makers: dict[str, int] = {}  # tensor -> position in nodes
    readers = graph.readers()
    for node in graph.nodes:
        actions = _actions(node, graph)
        source = node.inputs[0] if node.inputs else ""
        alone = len(readers.get(source, ())) == 1 and source not in graph.outputs
        if actions and alone and source in makers:
            producer = nodes[makers[source]]
            if isinstance(producer.op, Convolution | InnerProduct | Deconvolution):
                nodes[makers[source]] = _into_weights(producer, node, actions, producer.inputs[0] in images)
                makers[node.outputs[0]] = makers[source]
                continue
            if before := _actions(producer, graph):
                nodes[makers[source]] = _as_scale(producer, node, [*before, *actions])
                makers[node.outputs[0]] = makers[source]
                continue
        if actions and not isinstance(node.op, BatchNorm):
            node = _as_scale(node, node, actions)
        makers.update(dict.fromkeys(node.outputs, len(nodes)))
        nodes.append(node)
    return replace(graph, nodes=nodes)


def _actions(node: Node, graph: Graph) -> list[Action]:
    """What the layer does to each channel, in order; empty where it does something else."""
    channels = graph.tensors[node.outputs[0]].chw[0]

    def each(value: Array | np.float32) -> Array:
        return np.broadcast_to(np.asarray(value, np.float32), (channels,))

    op, params = node.op, node.params
    if isinstance(op, BatchNorm):
        deviation = np.sqrt(params["variance"] + np.float32(op.eps))
        return [Add(-params["mean"]), Multiply(np.float32(1) / deviation)]
    if isinstance(op, Power) and op.power == 1:
        return [Multiply(each(np.float32(op.scale))), Add(each(np.float32(op.shift)))]
    by_channel = isinstance(op, Scale | Bias) and len(node.inputs) == 1 and (op.axis, op.num_axes) == (1, 1)
    uniform = isinstance(op, Scale | Bias) and len(node.inputs) == 1 and op.num_axes == 0
    if not (by_channel or uniform):
        return []
    actions: list[Action] = []
    if "weight" in params:
        actions.append(Multiply(each(params["weight"])))
    if "bias" in params:
        actions.append(Add(each(params["bias"])))
    return actions


def _into_weights(producer: Node, node: Node, actions: list[Action], keep_gain: bool) -> Node:
    params = dict(producer.params)
    for action in actions:
        if isinstance(action, Add):
            params["bias"] = params["bias"] + action.to if "bias" in params else action.to
            continue
        if "bias" in params:
            params["bias"] = params["bias"] * action.by
        if keep_gain:
            params["gain"] = params.get("gain", np.float32(1)) * action.by
        else:
            params["weight"] = params["weight"] * _over_kernels(producer, action.by)
    return replace(producer, outputs=node.outputs, params=params)


def _over_kernels(node: Node, factor: Array) -> Array:
    """A factor for each output channel in a shape that multiplies the weights."""
    weight = node.params["weight"]
    if not isinstance(node.op, Deconvolution):
        return factor.reshape(-1, *(1,) * (weight.ndim - 1))
    group = node.op.group  # its weights are [input channel, output channel of the group, y, x]
    each = np.repeat(factor.reshape(group, -1), weight.shape[0] // group, axis=0)
    return each[:, :, None, None]


def _as_scale(first: Node, last: Node, actions: list[Action]) -> Node:
    channels = actions[0][0].shape
    gain, offset = np.ones(channels, np.float32), np.zeros(channels, np.float32)
    for action in actions:
        if isinstance(action, Add):
            offset = offset + action.to
        else:
            gain, offset = gain * action.by, offset * action.by
    params = {"weight": gain, "bias": offset}
    return replace(first, op=Scale(bias=True), outputs=last.outputs, params=params)
