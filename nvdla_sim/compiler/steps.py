"""Which layers become one pass over the data: a layer and those that its SDP does on the fly."""

from __future__ import annotations

from dataclasses import dataclass

from nvdla_sim.graph.graph import Graph, Node
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.inner_product import InnerProduct
from nvdla_sim.graph.ops.relu import ReLU


@dataclass(frozen=True)
class Step:
    """``head`` and its ``followers``, each the only reader of what comes before it."""

    head: Node
    followers: tuple[Node, ...] = ()

    @property
    def last(self) -> Node:
        return self.followers[-1] if self.followers else self.head

    @property
    def output(self) -> str:
        """The tensor that is written; those between head and last never exist in memory."""
        return self.last.outputs[0]

    @property
    def relu(self) -> bool:
        return any(isinstance(node.op, ReLU) for node in self.followers)


def make_steps(graph: Graph) -> list[Step]:
    """The graph's nodes as steps, in order."""
    steps: list[Step] = []
    taken: set[str] = set()
    for node in graph.nodes:
        if node.name not in taken:
            step = Step(node, _followers(graph, node))
            taken |= {node.name, *(follower.name for follower in step.followers)}
            steps.append(step)
    return steps


def _followers(graph: Graph, head: Node) -> tuple[Node, ...]:
    if not isinstance(head.op, Convolution | InnerProduct):
        return ()
    readers = graph.consumers(head.outputs[0])
    if len(readers) == 1 and head.outputs[0] not in graph.outputs and _is_plain_relu(readers[0]):
        return (readers[0],)
    return ()


def _is_plain_relu(node: Node) -> bool:
    return isinstance(node.op, ReLU) and node.op.negative_slope == 0
