"""Which layers become one pass over the data: a layer and those that its SDP does on the fly."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from nvdla_sim.graph.graph import Graph, Node
from nvdla_sim.graph.ops.batch_norm import BatchNorm
from nvdla_sim.graph.ops.clip import Clip
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.deconvolution import Deconvolution
from nvdla_sim.graph.ops.eltwise import Eltwise
from nvdla_sim.graph.ops.inner_product import InnerProduct
from nvdla_sim.graph.ops.prelu import PReLU
from nvdla_sim.graph.ops.relu import ReLU
from nvdla_sim.graph.ops.relu6 import ReLU6
from nvdla_sim.graph.ops.scale import Scale
from nvdla_sim.graph.ops.sigmoid import Sigmoid
from nvdla_sim.graph.ops.tanh import TanH


@dataclass(frozen=True)
class Step:
    """``head`` and its ``followers``, each the only reader of what comes before it."""

    head: Node
    followers: tuple[Node, ...] = ()

    @property
    def output(self) -> str:
        """The tensor that is written; those between head and last never exist in memory."""
        return (self.head, *self.followers)[-1].outputs[0]

    @property
    def outputs(self) -> tuple[str, ...]:
        """All tensors that are written: a single node can have several outputs."""
        return (self.head, *self.followers)[-1].outputs

    def apart(self) -> tuple[Step, Step]:
        """The head alone, and its followers as a step of their own."""
        return Step(self.head), Step(self.followers[0], self.followers[1:])


def make_steps(graph: Graph) -> list[Step]:
    """The graph's nodes as steps, in order."""
    steps: list[Step] = []
    taken: set[str] = set()
    made = set(graph.inputs)
    only = {name: nodes[0] for name, nodes in graph.readers().items() if len(nodes) == 1}
    for output in graph.outputs:
        only.pop(output, None)
    for node in graph.nodes:
        if node.name not in taken:
            step = Step(node, _followers(node, only, made))
            taken |= {node.name, *(follower.name for follower in step.followers)}
            made |= {step.output} if step.followers else set(node.outputs)
            steps.append(step)
    return steps


def _followers(head: Node, only: Mapping[str, Node], made: Collection[str]) -> tuple[Node, ...]:
    """``only``: who reads the tensors that have one reader; ``made``: what is in memory before ``head``."""
    reader = only.get(head.outputs[0])
    if reader is None:
        return ()
    if isinstance(head.op, Convolution | InnerProduct):
        if _is_fusible_sum(reader, head, made):
            return (reader, *_relu(reader, only))
        return (reader,) if _is_activation(reader) else ()
    if isinstance(head.op, Deconvolution):
        return (reader,) if _is_activation(reader) else ()
    if isinstance(head.op, Eltwise | BatchNorm | Scale):
        return _relu(head, only)
    return ()


def _relu(node: Node, only: Mapping[str, Node]) -> tuple[Node, ...]:
    reader = only.get(node.outputs[0])
    possible = not isinstance(node.op, Eltwise) or not node.op.coeff or max(node.op.coeff) > 0
    return (reader,) if reader is not None and is_plain_relu(reader) and possible else ()


def is_plain_relu(node: Node) -> bool:
    """Whether an SDP stage does it without an operand."""
    return isinstance(node.op, ReLU) and node.op.negative_slope == 0


def _is_activation(node: Node) -> bool:
    return isinstance(node.op, ReLU | PReLU | ReLU6 | Sigmoid | TanH) or (
        isinstance(node.op, Clip) and node.op.low == 0
    )


def _is_fusible_sum(node: Node, head: Node, made: Collection[str]) -> bool:
    """An elementwise layer of two inputs, one of them in memory already and not negated."""
    if not isinstance(node.op, Eltwise) or node.op.operation == "PROD" or len(node.inputs) != 2:
        return False
    other = 1 - node.inputs.index(head.outputs[0])
    coefficient = node.op.coeff[other] if node.op.coeff else 1
    return node.inputs[other] in made and coefficient > 0
