"""An lmdb of Datum."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nvdla_sim.caffe.caffe_pb2 import Datum
from nvdla_sim.calib.datasets.opening import open_dataset
from nvdla_sim.errors import ImageError
from tests.calib.datasets.files import datum_lmdb, picture

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 4, 5), dtype=np.uint8)
SIZES = {"channels": 3, "height": 4, "width": 5}


def test_pixels_floats_and_encoded_pictures(tmp_path: Path) -> None:
    expected = picture(tmp_path / "a.png")
    datum_lmdb(
        tmp_path / "db",
        [
            Datum(**SIZES, data=PIXELS.tobytes(), label=7),
            Datum(**SIZES, float_data=PIXELS.reshape(-1) / 2),
            Datum(data=(tmp_path / "a.png").read_bytes(), encoded=True, label=0),
        ],
    )
    for path in (tmp_path / "db", tmp_path / "db" / "data.mdb"):
        dataset = open_dataset(path)
        assert not dataset.preprocessed
        samples = [dataset.read(index) for index in range(len(dataset))]
        assert [sample.label for sample in samples] == [7, None, 0]
        assert [sample.pixels.dtype for sample in samples] == [np.uint8, np.float32, np.uint8]
        for sample, pixels in zip(samples, (PIXELS, PIXELS / 2, expected), strict=True):
            np.testing.assert_array_equal(sample.pixels, pixels)
    assert samples[0].name == "00000000_image0.png"


@pytest.mark.parametrize(
    "datum",
    [
        b"\xff\xff\xff",
        Datum(**SIZES, data=b"123"),
        Datum(**SIZES),
        Datum(channels=-3, height=-4, width=5, data=PIXELS.tobytes()),
        Datum(data=b"no picture", encoded=True),
        Datum(channels=1, height=1, width=1, float_data=[float("nan")]),
    ],
)
def test_entries_that_are_no_image(tmp_path: Path, datum: Datum | bytes) -> None:
    datum_lmdb(tmp_path, [datum])
    with pytest.raises(ImageError, match="00000000_image0"):
        open_dataset(tmp_path).read(0)


def test_an_empty_database(tmp_path: Path) -> None:
    datum_lmdb(tmp_path, [])
    with pytest.raises(ImageError, match="there are none"):
        open_dataset(tmp_path)
