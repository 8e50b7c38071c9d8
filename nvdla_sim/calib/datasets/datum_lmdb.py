"""An lmdb of Caffe's Datum, as convert_imageset makes it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError

from nvdla_sim.caffe.caffe_pb2 import Datum
from nvdla_sim.calib.datasets.dataset import Dataset, Pixels, Sample
from nvdla_sim.calib.datasets.lmdb_file import LmdbFile
from nvdla_sim.calib.datasets.pictures import decode
from nvdla_sim.errors import ImageError

FILE = "data.mdb"


class DatumLmdb(Dataset):
    """Images in the order of their keys."""

    def __init__(self, folder: Path) -> None:
        self.source = f"lmdb {folder}"
        self._file = LmdbFile(folder / FILE)

    def __len__(self) -> int:
        return len(self._file.places)

    def read(self, index: int) -> Sample:
        key, value = self._file.read(self._file.places[index])
        name = key.decode("utf-8", "replace")
        datum = Datum()
        try:
            datum.ParseFromString(value)
        except DecodeError:
            raise ImageError(f"{self.source}: {name} is no Datum") from None
        label = datum.label if datum.HasField("label") else None
        return Sample(name, datum_pixels(datum, f"{self.source}: {name}"), label)


def datum_pixels(datum: Datum, where: str) -> Pixels:
    """CHW: uint8, or float32 where the Datum holds floats; ``ImageError`` when its sizes do not fit."""
    if datum.encoded:
        return decode(datum.data, where)
    shape = (datum.channels, datum.height, datum.width)
    count = len(datum.data) or len(datum.float_data)
    if min(shape) < 1 or count != math.prod(shape):
        raise ImageError(f"{where}: {count} values do not fill {'x'.join(map(str, shape))}")
    if datum.data:
        return np.frombuffer(datum.data, np.uint8).reshape(shape)
    pixels = np.array(datum.float_data, np.float32).reshape(shape)
    if not np.isfinite(pixels).all():
        raise ImageError(f"{where}: holds numbers that are not finite")
    return pixels
