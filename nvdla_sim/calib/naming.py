"""TensorRT's tensor names -> tensors of a Caffe net, and back.

TensorRT names a tensor by its blob, and in-place layers share a blob: the name stays with the last of them.
The others are ``(Unnamed Layer* N) [Type]_output``, N counting the layers from 0. Its Caffe parser makes no
layer of Input, Dropout and Flatten (their top is another name of their bottom), and two of a PReLU.

Source: landscape section 0.1 (checked there on three nets); NVIDIA/TensorRT, parsers/caffe.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from nvdla_sim.errors import did_you_mean
from nvdla_sim.graph.graph import Graph, Node

UNNAMED = re.compile(r"\(Unnamed Layer\* (\d{1,9})\) \[([^\]]*)\]_output(?:_0)?")

# TensorRT's word for what it makes of a Caffe layer.
WORDS = {
    "AbsVal": "Unary",
    "BatchNorm": "Scale",
    "Clip": "Activation",
    "Concat": "Concatenation",
    "Convolution": "Convolution",
    "Crop": "Padding",
    "Deconvolution": "Deconvolution",
    "ELU": "Activation",
    "Eltwise": "ElementWise",
    "InnerProduct": "Fully Connected",
    "LRN": "LRN",
    "PReLU": "Parametric ReLU",
    "Permute": "Shuffle",
    "Pooling": "Pooling",
    "Power": "Scale",
    "ReLU": "Activation",
    "Reshape": "Shuffle",
    "Scale": "Scale",
    "Sigmoid": "Activation",
    "Softmax": "SoftMax",
    "TanH": "Activation",
}
ALIASES = ("Dropout", "Flatten")


def tensor_names(graph: Graph) -> dict[str, str]:
    """TensorRT's name -> tensor, for every tensor that TensorRT knows, in the order of execution."""
    real = {name: name for name in graph.inputs}  # what a tensor is called that an alias layer renames
    for node in graph.nodes:
        for output in node.outputs:
            real[output] = real[node.inputs[0]] if node.op.kind in ALIASES else output
    last = {graph.tensors[tensor].blob: real[tensor] for tensor in real}
    # of several blobs that mean one tensor, the alphabetically last gives the name
    names = {tensor: blob for blob, tensor in sorted(last.items())}
    numbers = {node.outputs[0]: (number, node) for number, node in _numbered(graph, every_layer=False)}
    result = {}
    for tensor in dict.fromkeys(real.values()):
        if tensor in names:
            result[names[tensor]] = tensor
        elif tensor in numbers:
            number, node = numbers[tensor]
            word = WORDS.get(node.op.kind, node.op.kind)
            result[f"(Unnamed Layer* {number}) [{word}]_output"] = tensor
    return result


def resolve(graph: Graph, scales: Mapping[str, float]) -> tuple[dict[str, float], list[str]]:
    """Scales by TensorRT's names -> scales by tensor, and why each of the others fits nothing.

    Some makers of caches count every layer of the prototxt: the types tell which numbers are meant.
    """
    attempts = (_resolve(graph, scales, every_layer) for every_layer in (False, True))
    return min(attempts, key=lambda attempt: len(attempt[1]))


def _resolve(
    graph: Graph, scales: Mapping[str, float], every_layer: bool
) -> tuple[dict[str, float], list[str]]:
    last = {tensor.blob: tensor.name for tensor in graph.tensors.values()}
    layers = dict(_numbered(graph, every_layer))
    found, unused = {}, []
    for name, scale in scales.items():
        unnamed = UNNAMED.fullmatch(name)
        if unnamed is None:
            if name in last:
                found[last[name]] = scale
            else:
                unused.append(f'"{name}": the net has no such blob; {did_you_mean(name, last)}'.rstrip("; "))
            continue
        node = layers.get(int(unnamed[1]))
        if node is None:
            unused.append(f'"{name}": the net has {len(layers)} layers that TensorRT numbers')
        elif WORDS.get(node.op.kind, unnamed[2]).casefold() != unnamed[2].casefold():
            unused.append(f'"{name}": that layer of the net is "{node.name}" ({node.op.kind})')
        else:
            found[node.outputs[0]] = scale
    return found, unused


def _numbered(graph: Graph, every_layer: bool) -> Iterator[tuple[int, Node]]:
    """TensorRT's number of each layer."""
    number = 0
    for node in graph.nodes:
        if not every_layer:
            if node.op.kind in ALIASES:
                continue
            number += node.op.kind == "PReLU"  # its slopes are a layer of their own, and come first
        yield number, node
        number += 1
