"""A net as a list of nodes over named tensors: what the importer makes and everything else reads.

Tensors have unique names even where a prototxt rebinds a blob (in-place layers): the first writer's tensor is
named like the blob, each later writer's like its layer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count

import numpy as np

from nvdla_sim.errors import ModelError, did_you_mean
from nvdla_sim.graph.operator import Array, Operator, Shape, check_size, shape_text


@dataclass(frozen=True)
class Tensor:
    """``shape`` is without batch and has the rank that Caffe gives it: (C, H, W), (K,) after InnerProduct.

    ``blob`` is the prototxt's name for it, which several tensors share where layers work in place.
    """

    name: str
    shape: Shape
    blob: str

    @property
    def chw(self) -> tuple[int, int, int]:
        """The shape as the chip sees it, ones appended; ``ModelError`` for more than three axes."""
        if len(self.shape) > 3:
            raise ModelError(
                f'tensor "{self.name}" of shape {shape_text(self.shape)} has more than three axes'
            )
        c, h, w = (*self.shape, 1, 1, 1)[:3]
        return c, h, w


@dataclass
class Node:
    """One layer. ``params`` are named as the operator's ``param_shapes``; ``line`` is the prototxt's line."""

    name: str
    op: Operator
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    params: dict[str, Array] = field(default_factory=dict)
    line: int | None = None


@dataclass
class Graph:
    """Nodes in an order in which they can run. ``inputs`` and ``outputs`` are tensor names."""

    name: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    tensors: dict[str, Tensor] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)

    def add_input(self, name: str, shape: Shape) -> Tensor:
        """Append a network input; ``ModelError`` when the name is taken or the shape is impossible."""
        check_size(f'input "{name}"', shape)
        tensor = self._add_tensor(name, shape, name)
        self.inputs += (name,)
        return tensor

    def add(
        self,
        name: str,
        op: Operator,
        inputs: Sequence[str],
        params: Mapping[str, Array] | None = None,
        blobs: Sequence[str] | None = None,
        line: int | None = None,
    ) -> Node:
        """Append a node; its outputs become tensors with the shapes that the operator gives.

        ``blobs`` names the outputs (default: one, named like the node); where a blob has been written
        before, the tensor is named like the node. ``params`` None adds the structure without parameters.
        ``ModelError`` for unknown inputs, impossible shapes, missing or misshapen parameters.
        """
        for tensor in inputs:
            if tensor not in self.tensors:
                raise ModelError(self._no_tensor(tensor))
        shapes = [self.tensors[tensor].shape for tensor in inputs]
        out_shapes = op.output_shapes(shapes)
        blobs = [name] if blobs is None else blobs
        if len(blobs) != len(out_shapes):
            raise ModelError(f"{op.kind} has {len(blobs)} tops, but gives {len(out_shapes)} outputs")
        if params is not None:
            check_params(op.param_shapes(shapes), params)
        names = [
            self._add_tensor(self._free_name(blob, name), shape, blob).name
            for blob, shape in zip(blobs, out_shapes, strict=True)
        ]
        node = Node(name, op, tuple(inputs), tuple(names), dict(params or {}), line)
        self.nodes.append(node)
        return node

    def _add_tensor(self, name: str, shape: Shape, blob: str) -> Tensor:
        if name in self.tensors:
            raise ModelError(f'there is a tensor "{name}" already')
        tensor = self.tensors[name] = Tensor(name, shape, blob)
        return tensor

    def _no_tensor(self, name: str) -> str:
        return f'there is no tensor "{name}"; {did_you_mean(name, self.tensors)}'.rstrip("; ")

    def _free_name(self, blob: str, layer: str) -> str:
        candidates = chain((blob, layer), (f"{layer}:{number}" for number in count(1)))
        return next(name for name in candidates if name not in self.tensors)

    def producer(self, tensor: str) -> Node | None:
        """The node that writes ``tensor``; None for a network input."""
        return next((node for node in self.nodes if tensor in node.outputs), None)

    def producers(self) -> dict[str, Node]:
        """``producer`` of all tensors at once; network inputs have none."""
        return {tensor: node for node in self.nodes for tensor in node.outputs}

    def consumers(self, tensor: str) -> list[Node]:
        """The nodes that read ``tensor``, in order."""
        return [node for node in self.nodes if tensor in node.inputs]

    def readers(self) -> dict[str, list[Node]]:
        """``consumers`` of all tensors at once."""
        found: dict[str, list[Node]] = {name: [] for name in self.tensors}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                found[name].append(node)
        return found

    def node(self, name: str) -> Node:
        """The node called ``name``; ``ModelError`` with the nearest names when there is none."""
        found = next((node for node in self.nodes if node.name == name), None)
        if found is None:
            hint = did_you_mean(name, [node.name for node in self.nodes])
            raise ModelError(f'there is no layer "{name}"; {hint}'.rstrip("; "))
        return found

    def weights(self, node: Node) -> dict[str, Array]:
        """The node's parameters in the order of Caffe's blobs; ``ModelError`` when it was loaded without."""
        needed = node.op.param_shapes([self.tensors[tensor].shape for tensor in node.inputs])
        if missing := [name for name in needed if name not in node.params]:
            raise ModelError(f'layer "{node.name}" has no {", ".join(missing)}: give a caffemodel')
        return {name: node.params[name] for name in needed}

    def run(
        self,
        inputs: Mapping[str, Array],
        keep: Collection[str] | None = None,
        visit: Callable[[str, Array], None] | None = None,
    ) -> dict[str, Array]:
        """Float32 values of the tensors named in ``keep`` (None: every tensor) for a batch of inputs (NCHW).

        A tensor that nobody needs any more is dropped at once; ``visit(name, values)`` sees every tensor as
        soon as it is there. ``ModelError`` when inputs do not fit the graph, or a parameter is missing
        because the graph was loaded without weights.
        """
        values = self._checked_inputs(inputs)
        wanted = set(self.tensors if keep is None else keep)
        for name in wanted - self.tensors.keys():
            raise ModelError(self._no_tensor(name))
        last_use = {tensor: index for index, node in enumerate(self.nodes) for tensor in node.inputs}
        seen = visit or (lambda name, values: None)
        for name in self.inputs:
            seen(name, values[name])
        for index, node in enumerate(self.nodes):
            results = node.op.run([values[tensor] for tensor in node.inputs], self.weights(node))
            values.update(zip(node.outputs, results, strict=True))
            for name in node.outputs:
                seen(name, values[name])
            for tensor in {*node.inputs, *node.outputs} - wanted:
                if last_use.get(tensor, -1) <= index:
                    del values[tensor]
        return {name: value for name, value in values.items() if name in wanted}

    def _checked_inputs(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        if set(inputs) != set(self.inputs):
            raise ModelError(f"inputs given: {sorted(inputs)}, inputs of the net: {sorted(self.inputs)}")
        values = {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in inputs.items()}
        for name, value in values.items():
            expected = self.tensors[name].shape
            if value.shape[1:] != expected or value.ndim != len(expected) + 1:
                raise ModelError(
                    f'input "{name}" is {shape_text(value.shape)}, needed is Nx{shape_text(expected)}'
                )
        if len({value.shape[0] for value in values.values()}) > 1:
            raise ModelError("the inputs have different batch sizes")
        return values


def check_params(expected: Mapping[str, Shape], given: Mapping[str, Array]) -> None:
    """``ModelError`` unless exactly the expected parameters are there with the expected shapes and finite."""
    problems = []
    for name, shape in expected.items():
        if name not in given:
            problems.append(f"{name} of shape {shape_text(shape)} is missing")
        elif given[name].shape != shape:
            problems.append(
                f"{name} has the shape {shape_text(given[name].shape)}, needed is {shape_text(shape)}"
            )
        elif not np.isfinite(given[name]).all():
            problems.append(f"{name} holds values that are not finite")
    problems += [f"{name} is not a parameter of this layer" for name in given if name not in expected]
    if problems:
        raise ModelError("; ".join(problems))
