"""Caffe's prototxt and caffemodel -> Graph, with every problem of the net in one message."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping

from nvdla_sim.caffe.caffe_pb2 import Layer
from nvdla_sim.caffe.data_layers import PARAMS as DATA_LAYERS
from nvdla_sim.caffe.data_layers import image_shape
from nvdla_sim.caffe.layers import BUILDERS
from nvdla_sim.caffe.net_state import layers_at_test
from nvdla_sim.caffe.prototxt import Prototxt, SourceLayer, read_prototxt
from nvdla_sim.caffe.weights import Weights, layer_params, read_caffemodel
from nvdla_sim.errors import ModelError, NvdlaError, UnsupportedError, listed, nearest
from nvdla_sim.graph.graph import Graph
from nvdla_sim.graph.operator import Array, Operator, Shape

Path = str | os.PathLike[str]

# They score a trained net, they are no part of it.
SCORING = ("Accuracy",)


def load_caffe(
    prototxt: Path, caffemodel: Path | None, input_shapes: Mapping[str, Shape] | None = None
) -> Graph:
    """The net as Caffe runs it at test time; a final SoftmaxWithLoss becomes a Softmax.

    ``caffemodel`` None gives the structure alone, without parameters. ``input_shapes`` (C, H, W) replace the
    shapes of network inputs; needed for data layers where the prototxt does not tell the images' size.
    Errors list every problem with its line and layer: ``UnsupportedError`` when all of them are things that this
    project lacks, else ``ModelError``.
    """
    source = read_prototxt(prototxt)
    weights = None if caffemodel is None else read_caffemodel(caffemodel)
    return _Import(source, weights, dict(input_shapes or {})).graph()


class _Import:
    """One import: the tensor of every blob so far, and the problems found so far."""

    def __init__(self, source: Prototxt, weights: Weights | None, input_shapes: dict[str, Shape]) -> None:
        self.source, self.weights, self.input_shapes = source, weights, input_shapes
        self.result = Graph(source.net.name)
        self.blobs: dict[str, str | None] = {}  # None: the layer that makes it has a problem
        self.labels: set[str] = set()
        self.lines: dict[str, int] = {}  # of the layers met
        self.batch: int | None = None
        self.problems: list[str] = []
        self.only_unsupported = True

    def graph(self) -> Graph:
        self._net_inputs()
        for unknown in self.source.unknown:
            self._unknown_field(unknown.nearest, str(unknown))
        for entry in layers_at_test(self.source):
            try:
                self._layer(entry)
            except NvdlaError as problem:
                layer = entry.layer
                self._problem(problem, f'line {entry.line}, layer "{layer.name}" ({layer.type}): ')
                self.blobs.update(dict.fromkeys(layer.top))
        if unused := [name for name in self.input_shapes if name not in self.result.inputs]:
            self._problem(ModelError(f"input_shapes names {', '.join(unused)}, which the net does not have"))
        if not self.problems and not self.result.nodes:
            self._problem(ModelError("it has no layer that computes anything"))
        if self.problems:
            kind = UnsupportedError if self.only_unsupported else ModelError
            raise kind(listed(f"prototxt {self.source.path} cannot be used:", self.problems))
        return self._with_ends()

    def _problem(self, problem: NvdlaError, where: str = "") -> None:
        self.problems.append(f"{where}{problem}")
        self.only_unsupported &= isinstance(problem, UnsupportedError)

    def _unknown_field(self, nearest_field: str | None, text: str) -> None:
        """A typo would silently change the net; a field of some fork of Caffe is most often a remark."""
        if nearest_field:
            raise ModelError(text)
        warnings.warn(f"prototxt {self.source.path}: {text}; it is ignored", stacklevel=4)

    def _with_ends(self) -> Graph:
        graph = self.result
        read = {tensor for node in graph.nodes for tensor in node.inputs}
        graph.outputs = tuple(tensor for node in graph.nodes for tensor in node.outputs if tensor not in read)
        # an input that nothing reads fed a layer that does not exist at test time
        graph.inputs = tuple(name for name in graph.inputs if name in read)
        graph.tensors = {
            name: tensor
            for name, tensor in graph.tensors.items()
            if name in read or graph.producer(name) is not None
        }
        return graph

    def _net_inputs(self) -> None:
        """The ``input`` fields with their ``input_shape`` or ``input_dim`` (four numbers each)."""
        net = self.source.net
        shapes = [tuple(shape.dim) for shape in net.input_shape]
        dims = list(net.input_dim)
        shapes += [tuple(dims[start : start + 4]) for start in range(0, len(dims), 4)]
        if len(dims) % 4 or len(shapes) != len(net.input):
            self._problem(
                ModelError(
                    f"{len(net.input)} input need as many input_shape or four input_dim each, "
                    f"got {len(net.input_shape)} input_shape and {len(dims)} input_dim"
                )
            )
            self.blobs.update(dict.fromkeys(net.input))
            return
        for name, shape in zip(net.input, shapes, strict=True):
            try:
                self._input(name, shape)
            except ModelError as problem:
                self._problem(problem)
                self.blobs[name] = None

    def _input(self, blob: str, shape: Shape) -> None:
        """A network input; ``shape`` has the batch axis in front."""
        if blob in self.blobs:
            raise ModelError(f'blob "{blob}" is made twice')
        if len(shape) < 2 or shape[0] < 1:
            raise ModelError(f'input "{blob}" needs a shape of a positive batch and at least one axis more')
        if self.batch not in (None, shape[0]):
            raise ModelError(f'input "{blob}" has the batch {shape[0]}, another input {self.batch}')
        self.batch = shape[0]
        self.blobs[blob] = self.result.add_input(blob, self.input_shapes.get(blob, shape[1:])).name

    def _layer(self, entry: SourceLayer) -> None:
        layer = entry.layer
        if not layer.name:
            raise ModelError("it has no name")
        if layer.name in self.lines:
            raise ModelError(f"the name is taken by the layer of line {self.lines[layer.name]}")
        self.lines[layer.name] = entry.line
        if layer.type in SCORING:
            return
        if layer.type == "Input":
            self._input_layer(layer)
        elif layer.type in DATA_LAYERS:
            self._data_layer(layer)
        elif layer.type in BUILDERS:
            for unknown in entry.unknown:
                self._unknown_field(unknown.nearest, f'layer "{layer.name}": {unknown}')
            self._computing_layer(layer, entry.line)
        else:
            hint = nearest(layer.type, BUILDERS)
            raise UnsupportedError(f"this type of layer is not supported: {hint}")

    def _input_layer(self, layer: Layer) -> None:
        shapes = [tuple(shape.dim) for shape in layer.input_param.shape]
        if len(shapes) == 1:
            shapes *= len(layer.top)
        if len(shapes) != len(layer.top):
            raise ModelError(f"{len(layer.top)} tops, but {len(shapes)} shapes in input_param")
        for top, shape in zip(layer.top, shapes, strict=True):
            self._input(top, shape)

    def _data_layer(self, layer: Layer) -> None:
        if not layer.top:
            raise ModelError("it has no top")
        image, *labels = layer.top
        self.labels.update(labels)
        shape = self.input_shapes.get(image) or image_shape(layer)
        if shape is None:
            raise ModelError(
                f'the size of "{image}" is not told: give crop_size, or an Input layer instead of this one'
            )
        self._input(image, (1, *shape))

    def _computing_layer(self, layer: Layer, line: int) -> None:
        bottoms = list(layer.bottom)
        if layer.type == "SoftmaxWithLoss":
            bottoms = bottoms[:1]  # the second one holds labels
            del layer.top[1:]
        for bottom in bottoms:
            if bottom in self.labels:
                raise ModelError(f'bottom "{bottom}" holds labels, which a net at work does not have')
            if bottom not in self.blobs:
                raise ModelError(f'bottom "{bottom}" is not made before: {nearest(bottom, self.blobs)}')
        tops = list(layer.top)
        if not tops or len(set(tops)) < len(tops):
            raise ModelError(f"its tops must be there and differ, got {tops}")
        for top in tops:
            if top in self.blobs and top not in bottoms:
                raise ModelError(f'blob "{top}" is made twice')
        inputs = [tensor for bottom in bottoms if (tensor := self.blobs[bottom]) is not None]
        if len(inputs) < len(bottoms):
            self.blobs.update(dict.fromkeys(tops))  # told where it was made
            return
        shapes = [self.result.tensors[tensor].shape for tensor in inputs]
        if not shapes:
            raise ModelError("it has no bottom")
        op = BUILDERS[layer.type](layer, [(self.batch or 1, *shape) for shape in shapes])
        params = self._params(layer, op, shapes)
        node = self.result.add(layer.name, op, inputs, params, tops, line)
        self.blobs.update(zip(tops, node.outputs, strict=True))

    def _params(self, layer: Layer, op: Operator, shapes: list[Shape]) -> dict[str, Array] | None:
        if self.weights is None:
            return None
        if not op.param_shapes(shapes):
            return {}
        if layer.name not in self.weights:
            raise ModelError(f"the caffemodel has no blobs for it: {nearest(layer.name, self.weights)}")
        return layer_params(op, self.weights[layer.name], shapes, layer.inner_product_param.transpose)
