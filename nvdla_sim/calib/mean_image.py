"""A mean image: Caffe's binaryproto (one blob), or a .npy array of channels x height x width."""

from __future__ import annotations

import math
import os

import numpy as np
from google.protobuf.message import DecodeError

from nvdla_sim.caffe.caffe_pb2 import Blob
from nvdla_sim.calib.npz import map_npy
from nvdla_sim.errors import ImageError
from nvdla_sim.files import read_bytes
from nvdla_sim.graph.operator import Array


def read_mean_image(path: str | os.PathLike[str]) -> Array:
    """float32 CHW; ``ImageError`` when the file is damaged or of another kind."""
    where = f"mean image {os.fspath(path)}"
    if os.fspath(path).endswith(".npy"):
        stored = map_npy(path, ImageError, "mean image")
        if stored.dtype.kind not in "fiu":
            raise ImageError(f"{where}: holds {stored.dtype}, no numbers")
        values = np.array(stored, np.float32)
    else:
        values = _blob(read_bytes(path, ImageError, "mean image"), where)
    while values.ndim > 3 and values.shape[0] == 1:
        values = values[0]
    if values.ndim != 3 or not np.isfinite(values).all():
        raise ImageError(f"{where}: needed are finite numbers, channels x height x width")
    return values


def _blob(data: bytes, where: str) -> Array:
    blob = Blob()
    try:
        blob.ParseFromString(data)
    except DecodeError:
        raise ImageError(f"{where}: not a binaryproto, or cut short") from None
    stored = b"".join(blob.data)
    shape = tuple(blob.shape.dim) or (blob.num, blob.channels, blob.height, blob.width)
    if min(shape) < 1 or len(stored) != 4 * math.prod(shape):
        raise ImageError(f"{where}: {len(stored)} bytes of data do not fill the shape {shape}")
    return np.frombuffer(stored, "<f4").astype(np.float32).reshape(shape)
