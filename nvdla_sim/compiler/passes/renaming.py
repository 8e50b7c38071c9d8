"""Take out the layers that only rename: Dropout and Split, and Flatten or Reshape where the reader sees no
difference, since it takes the elements in their order whatever the shape is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from nvdla_sim.graph.graph import Graph, Node
from nvdla_sim.graph.ops.dropout import Dropout
from nvdla_sim.graph.ops.flatten import Flatten
from nvdla_sim.graph.ops.inner_product import InnerProduct
from nvdla_sim.graph.ops.permute import Permute
from nvdla_sim.graph.ops.reshape import Reshape
from nvdla_sim.graph.ops.split import Split


def remove_renaming(graph: Graph) -> Graph:
    """The graph with readers moved to the renamed tensors; layers that nobody reads then are gone.

    An output becomes the tensor it renames, under its own blob name; where that is a network input, another
    output already or in another order, its layer stays and makes a copy.
    """
    makers = graph.producers()

    def origin(tensor: str, passes: Callable[[Node], bool]) -> str:
        while tensor in makers and passes(makers[tensor]):
            tensor = makers[tensor].inputs[0]
        return tensor

    tensors = dict(graph.tensors)
    outputs: list[str] = []
    for name in graph.outputs:
        source = origin(name, _keeps_order)
        permuted = source in makers and isinstance(makers[source].op, Permute)
        if source in graph.inputs or source in outputs or permuted:
            source = name
        tensors[source] = replace(tensors[source], blob=tensors[name].blob)
        outputs.append(source)

    def renames(node: Node) -> bool:
        if isinstance(node.op, Dropout | Split):
            return True
        same = tensors[node.inputs[0]].chw == tensors[node.outputs[0]].chw
        return isinstance(node.op, Flatten | Reshape) and same

    nodes = []
    for node in graph.nodes:
        passes = _keeps_order if isinstance(node.op, InnerProduct) else renames
        nodes.append(replace(node, inputs=tuple(origin(tensor, passes) for tensor in node.inputs)))
    return Graph(graph.name, graph.inputs, tuple(outputs), tensors, _alive(nodes, outputs))


def _keeps_order(node: Node) -> bool:
    return isinstance(node.op, Dropout | Split | Flatten | Reshape)


def _alive(nodes: list[Node], outputs: list[str]) -> list[Node]:
    """The nodes that lead to an output."""
    needed = set(outputs)
    alive = []
    for node in reversed(nodes):
        if needed & set(node.outputs):
            alive.append(node)
            needed |= set(node.inputs)
    return alive[::-1]
