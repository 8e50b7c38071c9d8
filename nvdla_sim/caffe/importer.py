"""Caffe's prototxt and caffemodel -> Graph, with every problem of the net in one message."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from nvdla_sim.caffe.alternatives import INSTEAD
from nvdla_sim.caffe.caffe_pb2 import Layer
from nvdla_sim.caffe.data_layers import PARAMS as DATA_LAYERS
from nvdla_sim.caffe.data_layers import batch_size, image_shape
from nvdla_sim.caffe.layers import BUILDERS
from nvdla_sim.caffe.net_state import layers_at_test
from nvdla_sim.caffe.prototxt import Prototxt, SourceLayer, UnknownField, read_prototxt
from nvdla_sim.caffe.weights import Weights, layer_params, read_caffemodel
from nvdla_sim.errors import ModelError, NvdlaError, UnsupportedError, did_you_mean, listed
from nvdla_sim.graph.graph import Graph
from nvdla_sim.graph.operator import Array, Operator, Shape
from nvdla_sim.graph.ops.inner_product import InnerProduct

Path = str | os.PathLike[str]

# They score a trained net, they are no part of it.
SCORING = ("Accuracy",)

# Bounds on what a hopeless net costs: problems told, and names searched for a near one.
MAX_PROBLEMS = 200
MAX_NAMES = 1000
MAX_BLOBS = 1024  # that one layer reads or makes


def load_caffe(
    prototxt: Path, caffemodel: Path | None, input_shapes: Mapping[str, Shape] | None = None
) -> Graph:
    """The net as Caffe runs it at test time; a final SoftmaxWithLoss becomes a Softmax.

    ``caffemodel`` None gives the structure alone, without parameters. ``input_shapes`` (C, H, W) replace the
    shapes of network inputs; needed for data layers where the prototxt does not tell the images' size.
    Errors list every problem with its line and layer: ``UnsupportedError`` when all of them are things that
    this project lacks, else ``ModelError``. A field that is not Caffe's is a ``UserWarning``, or an error
    where it looks like a typo.
    """
    source = read_prototxt(prototxt)
    weights = None if caffemodel is None else read_caffemodel(caffemodel)
    files = f"prototxt {source.path}"
    if caffemodel is not None:
        files += f" with caffemodel {os.fspath(caffemodel)}"
    work = _Import(source, weights, dict(input_shapes or {}), files)
    work.read()
    if work.problems:
        raise work.error()
    return work.result


def survey_caffe(prototxt: Path) -> tuple[Graph, list[str]]:
    """The structure without what this project lacks and what comes behind it, and a line for each such layer.

    ``ModelError`` as ``load_caffe`` where anything else is wrong.
    """
    source = read_prototxt(prototxt)
    work = _Import(source, None, {}, f"prototxt {source.path}")
    work.read()
    if not work.only_unsupported:
        raise work.error()
    return work.result, work.problems


def _place(entry: SourceLayer) -> str:
    return f'line {entry.line}, layer "{entry.layer.name}" ({entry.layer.type}): '


class _Import:
    """One import: the tensor of every blob so far, and the problems found so far."""

    def __init__(
        self, source: Prototxt, weights: Weights | None, input_shapes: dict[str, Shape], files: str
    ) -> None:
        self.source, self.weights, self.input_shapes, self.files = source, weights, input_shapes, files
        self.result = Graph(source.net.name)
        self.blobs: dict[str, str | None] = {}  # None: what makes it has a problem
        self.labels: set[str] = set()
        self.lines: dict[str, int] = {}  # of the layers met
        self.batch: int | None = None
        self.problems: list[str] = []
        self.only_unsupported = True
        self.unsupported_types = False

    def read(self) -> None:
        """All layers into ``result``, as far as ``problems`` let them."""
        with self._told("", self.source.net.input):
            self._net_inputs()
        with self._told(""):
            self._check_unknown(self.source.unknown)
        for entry in layers_at_test(self.source):
            with self._told(_place(entry), entry.layer.top):
                self._layer(entry)
            if len(self.problems) == MAX_PROBLEMS:
                self.problems.append(f"and so on: only the first {MAX_PROBLEMS} problems are told")
                break
        with self._told(""):
            if unused := [name for name in self.input_shapes if name not in self.blobs]:
                raise ModelError(f"input_shapes names {', '.join(unused)}: the net has no such input")
            if not self.problems and not self.result.nodes:
                raise ModelError("it has no layer that computes anything")
        self._find_ends()

    def error(self) -> NvdlaError:
        """All problems in one."""
        supported = [f"supported types of layers: {', '.join(BUILDERS)}"] if self.unsupported_types else []
        kind = UnsupportedError if self.only_unsupported else ModelError
        return kind(listed(f"{self.files} cannot be used:", [*self.problems, *supported]))

    @contextmanager
    def _told(self, where: str, blobs: Iterable[str] = ()) -> Iterator[None]:
        """Collects a problem instead of raising it; ``blobs`` are what cannot be made because of it."""
        try:
            yield
        except NvdlaError as problem:
            self.problems.append(f"{where}{problem}".rstrip("; "))  # "; " where no near name follows
            self.only_unsupported &= isinstance(problem, UnsupportedError)
            self.blobs.update(dict.fromkeys(blobs))

    def _check_unknown(self, fields: list[UnknownField]) -> None:
        """A typo would silently change the net; a field of some fork of Caffe is most often a remark."""
        if typos := [str(field) for field in fields if field.nearest]:
            raise ModelError("; ".join(typos))
        for field in fields:
            warnings.warn(f"prototxt {self.source.path}: {field}; it is ignored", stacklevel=5)

    def _find_ends(self) -> None:
        """Outputs are what nothing reads; an input that nothing reads fed a layer of training only."""
        graph = self.result
        read = {tensor for node in graph.nodes for tensor in node.inputs}
        graph.outputs = tuple(tensor for node in graph.nodes for tensor in node.outputs if tensor not in read)
        for name in graph.inputs:
            if name not in read:
                del graph.tensors[name]
        graph.inputs = tuple(name for name in graph.inputs if name in read)

    def _net_inputs(self) -> None:
        """The ``input`` fields with their ``input_shape``, or ``input_dim`` (four numbers each)."""
        net = self.source.net
        dims = list(net.input_dim)
        shapes = [tuple(shape.dim) for shape in net.input_shape]
        shapes += [tuple(dims[start : start + 4]) for start in range(0, len(dims), 4)]
        if len(dims) % 4 or len(shapes) != len(net.input):
            raise ModelError(
                f"each input needs an input_shape or four input_dim: there are {len(net.input)} input, "
                f"{len(net.input_shape)} input_shape, {len(dims)} input_dim"
            )
        for name, shape in zip(net.input, shapes, strict=True):
            self._input(name, shape)

    def _input(self, blob: str, shape: Shape) -> None:
        """A network input; ``shape`` has the batch axis in front."""
        if blob in self.blobs:
            raise ModelError(f'blob "{blob}" is made twice')
        if len(shape) < 2 or shape[0] < 1:
            raise ModelError(f'input "{blob}" needs a shape of a positive batch and at least one axis more')
        if self.batch not in (None, shape[0]):
            raise ModelError(f'input "{blob}" has the batch {shape[0]}, another input has {self.batch}')
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
        if layer.type not in ("Input", *DATA_LAYERS, *BUILDERS):
            self.unsupported_types = True
            instead = INSTEAD.get(layer.type)
            hint = f"instead: {instead}" if instead else did_you_mean(layer.type, BUILDERS)
            raise UnsupportedError(f"this type of layer is not supported; {hint}")
        self._check_unknown(entry.unknown)
        if layer.type == "Input":
            self._input_layer(layer)
        elif layer.type in DATA_LAYERS:
            self._data_layer(layer)
        else:
            self._computing_layer(entry)

    def _input_layer(self, layer: Layer) -> None:
        shapes = [tuple(shape.dim) for shape in layer.input_param.shape]
        if len(shapes) == 1:
            shapes *= len(layer.top)
        if len(shapes) != len(layer.top):
            raise ModelError(f"it has {len(layer.top)} tops, but {len(shapes)} shapes in input_param")
        for top, shape in zip(layer.top, shapes, strict=True):
            self._input(top, shape)

    def _data_layer(self, layer: Layer) -> None:
        if not layer.top:
            raise ModelError("it has no top")
        image, *labels = layer.top
        self.labels.update(labels)
        shape = self.input_shapes.get(image) or image_shape(layer)
        if shape is None:
            raise ModelError(f'the size of "{image}" is not told: give crop_size, or an Input layer instead')
        self._input(image, (batch_size(layer), *shape))

    def _computing_layer(self, entry: SourceLayer) -> None:
        layer = entry.layer
        bottoms, tops = list(layer.bottom), list(layer.top)
        if layer.type == "SoftmaxWithLoss":
            bottoms, tops = bottoms[:1], tops[:1] or [layer.name]  # without the labels
        for bottom in bottoms:
            if bottom in self.labels:
                raise ModelError(f'bottom "{bottom}" holds labels, which a net at work does not have')
            if bottom not in self.blobs:
                hint = did_you_mean(bottom, list(self.blobs)[-MAX_NAMES:])
                raise ModelError(f'bottom "{bottom}" is not made by an input or a layer before; {hint}')
        if not bottoms or not tops:
            raise ModelError("it needs a bottom and a top")
        if max(len(bottoms), len(tops)) > MAX_BLOBS:
            raise ModelError(f"{len(bottoms)} bottoms and {len(tops)} tops, allowed: up to {MAX_BLOBS} each")
        for top, count in Counter(tops).items():
            if count > 1 or (top in self.blobs and top not in bottoms):
                raise ModelError(f'blob "{top}" is made twice')
        inputs = [tensor for bottom in bottoms if (tensor := self.blobs[bottom]) is not None]
        if len(inputs) < len(bottoms):
            self.blobs.update(dict.fromkeys(tops))
            return  # the problem has been told where it began
        shapes = [self.result.tensors[tensor].shape for tensor in inputs]
        op = BUILDERS[layer.type](layer, [(self.batch or 1, *shape) for shape in shapes])
        node = self.result.add(layer.name, op, inputs, None, tops, entry.line)
        self.blobs.update(zip(tops, node.outputs, strict=True))
        with self._told(_place(entry)):  # whatever its weights are, the layers behind it can be checked
            node.params.update(self._params(layer, op, shapes))

    def _params(self, layer: Layer, op: Operator, shapes: list[Shape]) -> dict[str, Array]:
        if not op.param_shapes(shapes) or self.weights is None:
            return {}
        if layer.name not in self.weights:
            hint = did_you_mean(layer.name, list(self.weights)[:MAX_NAMES])
            raise ModelError(f"the caffemodel has no blobs for it; {hint}")
        transposed = isinstance(op, InnerProduct) and layer.inner_product_param.transpose
        return layer_params(op, self.weights[layer.name], shapes, transposed)
