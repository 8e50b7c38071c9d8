"""Data set files for tests."""

from __future__ import annotations

import struct
from pathlib import Path

import lmdb
import numpy as np
from PIL import Image

from nvdla_sim.caffe.caffe_pb2 import Datum


def picture(path: Path, seed: int = 0, size: tuple[int, int] = (6, 5), grey: bool = False) -> np.ndarray:
    """Write a picture without loss; returns what it must be read as, CHW, blue, green, red."""
    shape = size if grey else (*size, 3)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return pixels[None] if grey else pixels[:, :, ::-1].transpose(2, 0, 1)


def batch_file(path: Path, images: np.ndarray, labels: list[float]) -> None:
    """One of TensorRT's batch files; ``images`` NCHW."""
    header = struct.pack("<4i", *images.shape)
    path.write_bytes(header + images.astype("<f4").tobytes() + np.array(labels, "<f4").tobytes())


def datum_lmdb(folder: Path, data: list[Datum | bytes]) -> None:
    """An lmdb with keys in Caffe's form."""
    with (
        lmdb.open(str(folder), map_size=1 << 26) as environment,
        environment.begin(write=True) as transaction,
    ):
        for number, datum in enumerate(data):
            value = datum if isinstance(datum, bytes) else datum.SerializeToString()
            transaction.put(f"{number:08d}_image{number}.png".encode(), value)
