"""Caffe's prototxt and caffemodel -> Graph, with every problem of the net in one message."""

from __future__ import annotations

import os
import warnings

from nvdla_sim.caffe import caffe_pb2
from nvdla_sim.caffe.layers import BUILDERS
from nvdla_sim.caffe.prototxt import LayerSource, Prototxt, read_prototxt
from nvdla_sim.caffe.weights import StoredBlob, Weights, read_caffemodel
from nvdla_sim.errors import ModelError, listed, nearest
from nvdla_sim.graph.graph import Graph
from nvdla_sim.graph.operator import Array, Operator, Shape, shape_text

Path = str | os.PathLike[str]


def load_caffe(prototxt: Path, caffemodel: Path | None) -> Graph:
    """The net as it is at test time. ``caffemodel`` None gives the structure alone, without parameters.

    ``ModelError`` lists every problem with its layer and prototxt line.
    """
    source = read_prototxt(prototxt)
    weights = None if caffemodel is None else read_caffemodel(caffemodel)
    return _Import(source, weights, "" if caffemodel is None else os.fspath(caffemodel)).graph()


class _Import:
    """One import: blobs by name, and the problems found so far."""

    def __init__(self, source: Prototxt, weights: Weights | None, weights_path: str) -> None:
        self.source, self.weights, self.weights_path = source, weights, weights_path
        self.result = Graph(source.net.name)
        self.blobs: dict[str, str | None] = {}  # blob -> its tensor now; None: its layer could not be read
        self.layer_lines: dict[str, int] = {}
        self.problems: list[str] = []
        self.batch = 1

    def graph(self) -> Graph:
        self._inputs()
        for layer, source in zip(self.source.net.layer, self.source.sources, strict=True):
            try:
                self._layer(layer, source)
            except ModelError as problem:
                self.problems.append(f'line {source.line}, layer "{layer.name}" ({layer.type}): {problem}')
                self.blobs.update(dict.fromkeys(layer.top))
        if not self.problems and not self.result.nodes:
            self.problems.append("the net has no layers to run")
        if self.problems:
            raise ModelError(listed(f"prototxt {self.source.path} cannot be used:", self.problems))
        read = {tensor for node in self.result.nodes for tensor in node.inputs}
        self.result.outputs = tuple(
            tensor for node in self.result.nodes for tensor in node.outputs if tensor not in read
        )
        return self.result

    def _inputs(self) -> None:
        net = self.source.net
        shapes = [tuple(shape.dim) for shape in net.input_shape]
        dims = list(net.input_dim)
        shapes += [tuple(dims[start : start + 4]) for start in range(0, len(dims), 4)]
        if len(shapes) != len(net.input):
            self.problems.append(f"{len(net.input)} inputs, but {len(shapes)} input shapes")
        for name, shape in zip(net.input, shapes, strict=False):
            try:
                self._input(name, shape)
            except ModelError as problem:
                self.problems.append(str(problem))
                self.blobs[name] = None

    def _input(self, blob: str, shape: Shape) -> None:
        if len(shape) < 2:
            raise ModelError(f'input "{blob}" needs a shape with a batch axis and at least one more')
        self.batch = shape[0]
        self.blobs[blob] = self.result.add_input(blob, shape[1:]).name

    def _layer(self, layer: caffe_pb2.Layer, source: LayerSource) -> None:
        if layer.name in self.layer_lines:
            raise ModelError(f"the name is taken by the layer of line {self.layer_lines[layer.name]}")
        self.layer_lines[layer.name] = source.line
        if layer.type == "Input":
            for top, shape in zip(layer.top, layer.input_param.shape, strict=False):
                self._input(top, tuple(shape.dim))
            return
        if layer.type not in BUILDERS:
            raise ModelError(f"the type is not supported: {nearest(layer.type, BUILDERS)}")
        for unknown in source.unknown:
            if unknown.nearest:
                raise ModelError(str(unknown))
            warnings.warn(f'{self.source.path}: layer "{layer.name}": {unknown}, ignored', stacklevel=2)
        for bottom in layer.bottom:
            if bottom not in self.blobs:
                raise ModelError(
                    f'bottom "{bottom}" is not made by any layer before: {nearest(bottom, self.blobs)}'
                )
        tensors = [self.blobs[bottom] for bottom in layer.bottom]
        inputs = [tensor for tensor in tensors if tensor is not None]
        if len(inputs) < len(tensors):
            self.blobs.update(dict.fromkeys(layer.top))
            return
        shapes = [self.result.tensors[tensor].shape for tensor in inputs]
        op = BUILDERS[layer.type](layer, [(self.batch, *shape) for shape in shapes])
        params = self._params(layer.name, op, shapes)
        node = self.result.add(layer.name, op, inputs, params, list(layer.top), source.line)
        self.blobs.update(zip(layer.top, node.outputs, strict=True))

    def _params(self, layer: str, op: Operator, shapes: list[Shape]) -> dict[str, Array] | None:
        op.output_shapes(shapes)
        expected = op.param_shapes(shapes)
        if self.weights is None:
            return None
        if not expected:
            return {}
        blobs = self.weights.get(layer)
        if blobs is None:
            raise ModelError(
                f"caffemodel {self.weights_path} has no blobs for it: {nearest(layer, self.weights)}"
            )
        if len(blobs) != len(expected):
            raise ModelError(f"has {len(blobs)} blobs in the caffemodel, needed: {', '.join(expected)}")
        return {
            name: _fitted(name, blob, shape)
            for blob, (name, shape) in zip(blobs, expected.items(), strict=True)
        }


def _fitted(name: str, blob: StoredBlob, shape: Shape) -> Array:
    """The blob in the needed shape; axes of size 1 do not count (legacy blobs always have four axes)."""
    if [size for size in blob.shape if size != 1] != [size for size in shape if size != 1]:
        raise ModelError(
            f"{name} in the caffemodel has the shape {shape_text(blob.shape)}, needed: {shape_text(shape)}"
        )
    return blob.values.reshape(shape)
