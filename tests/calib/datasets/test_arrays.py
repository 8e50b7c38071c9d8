"""NumPy files as data sets."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from nvdla_sim.calib.datasets.opening import open_dataset
from nvdla_sim.errors import ImageError

BYTES = np.random.default_rng(0).integers(0, 256, (5, 3, 4, 6), dtype=np.uint8)


def test_bytes_are_pixels(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", BYTES)
    dataset = open_dataset(tmp_path / "a.npy")
    assert len(dataset) == 5
    assert not dataset.preprocessed
    np.testing.assert_array_equal(dataset.read(3).pixels, BYTES[3])
    assert dataset.read(3).pixels.dtype == np.uint8


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_floats_are_the_nets_input(tmp_path: Path, kind: type) -> None:
    np.save(tmp_path / "a.npy", BYTES[0].astype(kind))
    dataset = open_dataset(tmp_path / "a.npy")
    assert len(dataset) == 1
    assert dataset.preprocessed
    np.testing.assert_array_equal(dataset.read(0).pixels, BYTES[0].astype(np.float32))
    assert dataset.read(0).pixels.dtype == np.float32


@pytest.mark.parametrize("name", ["images", "data", "input", "x", "whatever"])
def test_images_and_labels_of_an_npz(tmp_path: Path, name: str) -> None:
    np.savez_compressed(tmp_path / "a.npz", **{name: BYTES, "labels": np.arange(5), "other": np.zeros(3)})
    dataset = open_dataset(tmp_path / "a.npz")
    assert [dataset.read(index).label for index in range(5)] == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(dataset.read(4).pixels, BYTES[4])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "which of its arrays"),
        ({"a": BYTES, "b": BYTES}, "which of its arrays"),
        ({"images": BYTES, "x": BYTES}, "which of its arrays"),
        ({"images": BYTES.astype(np.int32)}, "an array of int32"),
        ({"images": BYTES[0, 0]}, "shape \\(4, 6\\)"),
        ({"images": BYTES[:0]}, "shape \\(0, 3, 4, 6\\)"),
        ({"images": BYTES, "labels": np.arange(4)}, "5 integers"),
        ({"images": BYTES, "labels": np.arange(5.0)}, "5 integers"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ImageError, match=message):
        open_dataset(tmp_path / "a.npz")


def test_numbers_that_are_not_finite(tmp_path: Path) -> None:
    values = BYTES.astype(np.float64)
    values[1, 0, 0, 0] = np.nan
    values[2, 0, 0, 0] = 1e300  # beyond single precision
    np.save(tmp_path / "a.npy", values)
    dataset = open_dataset(tmp_path / "a.npy")
    for index in (1, 2):
        with pytest.raises(ImageError, match=rf"a\.npy\[{index}\] holds numbers that are not finite"):
            dataset.read(index)


def lying_npz() -> bytes:
    """A header that asks for 8 TB."""
    buffer = io.BytesIO()
    np.save(buffer, BYTES)
    content = buffer.getvalue().replace(b"(5, 3, 4, 6)", b"(9999999999,)")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("images.npy", content)
    return archive.getvalue()


def pickled() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([object()]), allow_pickle=True)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00", lying_npz(), pickled(), b"\x93NUMPY\x09\x00"]
)
@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_damaged_files(tmp_path: Path, content: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ImageError, match=r"a\.np.: not a readable"):
        open_dataset(tmp_path / name)


def test_no_memory_is_taken_for_a_header_that_lies(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(lying_npz())
    with pytest.raises(ImageError, match=r"images\.npy is not as long as its header says"):
        open_dataset(tmp_path / "a.npz")


def test_a_cut_npz(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, images=BYTES)
    whole = path.read_bytes()
    for size in (10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(ImageError):
            open_dataset(path)
    for at in range(40, len(whole), 37):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            open_dataset(path)
        except ImageError:
            continue
