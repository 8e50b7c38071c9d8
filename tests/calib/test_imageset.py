"""convert_imageset's database: keys, values and flags."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import lmdb
import numpy as np
import pytest
from PIL import Image

from nvdla_sim.caffe.caffe_pb2 import Datum
from nvdla_sim.calib.datasets.dataset import Skipped
from nvdla_sim.calib.datasets.opening import open_dataset
from nvdla_sim.calib.imageset import Settings, convert
from nvdla_sim.calib.resize import resize
from nvdla_sim.errors import ImageError, NvdlaError, OptionError, UnsupportedError
from tests.calib.datasets.files import picture


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures a.png, sub/b.png, c.jpg of one size, and their list."""
    picture(tmp_path / "images" / "a.png", 1)
    picture(tmp_path / "images" / "sub" / "b.png", 2)
    picture(tmp_path / "images" / "c.jpg", 3)
    (tmp_path / "list.txt").write_text("a.png 3\nsub/b.png 1\nc.jpg 2\n")
    return tmp_path


def converted(folder: Path, limit: int = 0, **settings: object) -> list[tuple[str, Datum]]:
    count = convert(
        folder / "images", folder / "list.txt", folder / "db", Settings(**settings), Skipped(limit)
    )
    with lmdb.open(str(folder / "db"), readonly=True, lock=False) as environment, environment.begin() as read:
        entries = [(key.decode(), Datum.FromString(value)) for key, value in read.cursor()]
    assert len(entries) == count
    return entries


def pixels(datum: Datum) -> np.ndarray:
    return np.frombuffer(datum.data, np.uint8).reshape(datum.channels, datum.height, datum.width)


def test_keys_pixels_and_labels(folder: Path) -> None:
    entries = converted(folder)
    assert [key for key, _ in entries] == ["00000000_a.png", "00000001_sub/b.png", "00000002_c.jpg"]
    assert [datum.label for _, datum in entries] == [3, 1, 2]
    for (_, datum), seed in zip(entries[:2], (1, 2), strict=True):
        np.testing.assert_array_equal(pixels(datum), picture(folder / "x.png", seed))
        assert not datum.encoded
    assert sorted(path.name for path in (folder / "db").iterdir()) == ["data.mdb"]
    assert [sample.label for sample in map(open_dataset(folder / "db").read, range(3))] == [3, 1, 2]


def test_resized(folder: Path) -> None:
    (_, datum), *_ = converted(folder, resize_height=9, resize_width=4)
    np.testing.assert_array_equal(pixels(datum), resize(picture(folder / "x.png", 1), 9, 4))


def test_one_size_alone_does_not_resize(folder: Path) -> None:
    (_, datum), *_ = converted(folder, resize_height=9)
    assert (datum.height, datum.width) == (6, 5)


def test_grey(folder: Path) -> None:
    entries = converted(folder, gray=True)
    blue, green, red = picture(folder / "x.png", 1).astype(float)
    np.testing.assert_allclose(
        pixels(entries[0][1])[0], 0.114 * blue + 0.587 * green + 0.299 * red, atol=0.51
    )


def test_encoded_files_are_stored_as_they_are(folder: Path) -> None:
    for (_, datum), name in zip(
        converted(folder, encoded=True), ("a.png", "sub/b.png", "c.jpg"), strict=True
    ):
        assert datum.encoded
        assert datum.data == (folder / "images" / name).read_bytes()


def test_files_of_another_type_are_encoded_again(folder: Path) -> None:
    entries = converted(folder, encode_type="png", resize_height=9, resize_width=4)
    for _, datum in entries:
        assert Image.open(io.BytesIO(datum.data)).format == "PNG"
    own = np.asarray(Image.open(io.BytesIO(entries[0][1].data)))[:, :, ::-1].transpose(2, 0, 1)
    np.testing.assert_array_equal(own, resize(picture(folder / "x.png", 1), 9, 4))


def test_shuffled_into_another_order_always_the_same(folder: Path) -> None:
    (folder / "list.txt").write_text("".join(f"a.png {label}\n" for label in range(30)))
    labels = [datum.label for _, datum in converted(folder, shuffle=True)]
    assert labels != list(range(30))
    assert sorted(labels) == list(range(30))
    (folder / "db" / "data.mdb").unlink()
    (folder / "db").rmdir()
    assert [datum.label for _, datum in converted(folder, shuffle=True)] == labels


def test_sizes_are_checked_if_asked_for(folder: Path) -> None:
    picture(folder / "images" / "sub" / "b.png", 2, size=(6, 7))
    assert len(converted(folder)) == 3
    (folder / "db" / "data.mdb").unlink()
    (folder / "db").rmdir()
    with pytest.raises(ImageError, match=r"b\.png is \(3, 6, 7\)"):
        converted(folder, check_size=True)
    assert not (folder / "db").exists()


def test_broken_pictures_are_skipped_up_to_the_limit(folder: Path) -> None:
    (folder / "images" / "a.png").write_bytes(b"broken")
    with pytest.raises(ImageError, match=r"1 images cannot be read, allowed to be skipped: 0"):
        converted(folder)
    assert [path.name for path in folder.iterdir() if "db" in path.name] == []
    assert [key for key, _ in converted(folder, limit=1)] == ["00000001_sub/b.png", "00000002_c.jpg"]


def test_nothing_to_write(folder: Path) -> None:
    (folder / "list.txt").write_text("missing.png 1\n")
    with pytest.raises(ImageError, match="not one of 1 pictures can be read"):
        converted(folder, limit=5)
    assert not (folder / "db").exists()


def test_an_existing_database_stays(folder: Path) -> None:
    (folder / "db").mkdir()
    with pytest.raises(OptionError, match="exists"):
        converted(folder)
    assert list((folder / "db").iterdir()) == []


def test_a_folder_that_cannot_be_made(folder: Path) -> None:
    with pytest.raises(NvdlaError, match="cannot make"):
        convert(folder / "images", folder / "list.txt", folder / "no" / "db", Settings(), Skipped(0))


def test_a_name_that_is_too_long_for_a_key(folder: Path) -> None:
    long = "/".join(["images"] * 90) + "/a.png"
    picture(folder / "images" / long)
    (folder / "list.txt").write_text(f"{long} 1\n")
    with pytest.raises(OptionError, match="cannot write"):
        converted(folder)
    assert not (folder / "db").exists()


def test_an_unknown_encoding() -> None:
    with pytest.raises(OptionError, match='encode_type "gif"'):
        Settings(encode_type="gif")


def test_without_the_package_it_says_how_to_get_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lmdb", None)
    with pytest.raises(UnsupportedError, match=r"pip install \"nvdla-sim\[lmdb\]\""):
        convert(folder / "images", folder / "list.txt", folder / "db", Settings(), Skipped(0))
