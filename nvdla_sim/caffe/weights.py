"""Caffemodel -> arrays by layer name."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

import numpy as np
from google.protobuf.message import DecodeError

from nvdla_sim.caffe.caffe_pb2 import Blob, TrainedNet
from nvdla_sim.errors import ModelError
from nvdla_sim.files import read_bytes
from nvdla_sim.graph.operator import Array, Operator, Shape, shape_text
from nvdla_sim.graph.ops.batch_norm import BatchNorm


@dataclass(frozen=True)
class StoredBlob:
    """``values`` is flat; ``shape`` is what the file says (legacy blobs: four axes)."""

    values: Array
    shape: Shape


Weights = dict[str, list[StoredBlob]]


def read_caffemodel(path: str | os.PathLike[str]) -> Weights:
    """The blobs of every layer that has any; ``ModelError`` when the file is damaged.

    As in Caffe, the new list of layers is read if it is there, otherwise the old one.
    """
    name = os.fspath(path)
    net = TrainedNet()
    try:
        net.ParseFromString(read_bytes(path, ModelError, "caffemodel"))
    except (DecodeError, UnicodeDecodeError):
        raise ModelError(f"caffemodel {name}: not a caffemodel, or cut short") from None
    if not net.layer and not net.layers:
        raise ModelError(f"caffemodel {name}: holds no layers")
    weights: Weights = {}
    for layer in net.layer or net.layers:
        if not isinstance(layer.name, str):  # protobuf gives bytes where they are no text
            raise ModelError(f"caffemodel {name}: the name of a layer is no text: {layer.name!r}")
        if layer.blobs:
            weights[layer.name] = [
                _blob(blob, f'caffemodel {name}: layer "{layer.name}", blob {index}')
                for index, blob in enumerate(layer.blobs)
            ]
    return weights


def _blob(blob: Blob, where: str) -> StoredBlob:
    kind, chunks = ("<f8", blob.double_data) if blob.double_data else ("<f4", blob.data)
    stored = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    if len(stored) % np.dtype(kind).itemsize:
        raise ModelError(f"{where}: {len(stored)} bytes are not whole numbers")
    values = np.frombuffer(stored, kind).astype(np.float32, copy=False)
    if blob.HasField("shape"):
        shape = tuple(blob.shape.dim)
    else:
        shape = (blob.num, blob.channels, blob.height, blob.width)
    if min(shape, default=1) < 0 or math.prod(shape) != values.size:
        raise ModelError(f"{where}: {values.size} numbers do not fill the shape {shape}")
    return StoredBlob(values, shape)


def layer_params(
    op: Operator, blobs: list[StoredBlob], shapes: list[Shape], transposed: bool
) -> dict[str, Array]:
    """The operator's parameters from its layer's blobs, for inputs of ``shapes``.

    ``transposed``: an InnerProduct whose weight is stored as (inputs, outputs). ``ModelError`` lists every
    blob that does not fit.
    """
    expected = op.param_shapes(shapes)
    stored = dict(expected)
    if isinstance(op, BatchNorm):
        stored["moving-average factor"] = (1,)
    if transposed:
        stored["weight"] = expected["weight"][::-1]
    if len(blobs) != len(stored):
        raise ModelError(
            f"has {len(blobs)} blobs in the caffemodel, needed are {len(stored)}: {', '.join(stored)}"
        )
    fitting = list(zip(blobs, stored.items(), strict=True))
    problems = [
        f"{name} in the caffemodel is {shape_text(blob.shape)}, needed is {shape_text(shape)}"
        for blob, (name, shape) in fitting
        if _sizes(blob.shape) != _sizes(shape)
    ]
    problems += [
        f"{name} in the caffemodel holds numbers that are not finite"
        for blob, (name, _) in fitting
        if not np.isfinite(blob.values).all()
    ]
    if problems:
        raise ModelError("; ".join(problems))
    arrays = {name: blob.values.reshape(shape) for blob, (name, shape) in fitting}
    if isinstance(op, BatchNorm):
        return _statistics(op, *arrays.values())
    if transposed:
        arrays["weight"] = np.ascontiguousarray(arrays["weight"].T)
    return arrays


def _sizes(shape: Shape) -> list[int]:
    """Axes of size 1 do not count: legacy blobs always have four axes."""
    return [size for size in shape if size != 1]


def _statistics(op: BatchNorm, *stored: Array) -> dict[str, Array]:
    """Caffe keeps sums of decaying weight; the factor is the weights' sum (0: nothing was ever seen)."""
    total, squares, factor = stored
    scale = np.float32(0) if factor[0] == 0 else np.float32(1) / factor[0]
    mean, variance = total * scale, squares * scale
    if not (variance + op.eps > 0).all():
        channel = int(np.argmin(variance))
        raise ModelError(f"variance of channel {channel} is {variance[channel]}, allowed: above -eps")
    return {"mean": mean, "variance": variance}
