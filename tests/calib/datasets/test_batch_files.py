"""TensorRT's batch files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nvdla_sim.calib.datasets.opening import open_dataset
from nvdla_sim.errors import ImageError
from tests.calib.datasets.files import batch_file


@pytest.fixture
def batches(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """Eleven files, the last one shorter: batch10 comes after batch9, not after batch1."""
    images = np.random.default_rng(0).normal(size=(21, 2, 3, 4)).astype(np.float32)
    for number in range(11):
        part = images[2 * number : 2 * number + 2]
        batch_file(tmp_path / f"batch{number}", part, [float(2 * number + n) for n in range(len(part))])
    return tmp_path, images


def test_files_are_one_run_of_images(batches: tuple[Path, np.ndarray]) -> None:
    folder, images = batches
    dataset = open_dataset(folder)
    assert len(dataset) == 21
    assert dataset.preprocessed
    for index in range(21):
        sample = dataset.read(index)
        np.testing.assert_array_equal(sample.pixels, images[index])
        assert sample.label == index
    assert dataset.read(20).name == "batch10[0]"


@pytest.mark.parametrize("size", [0, 15, 16, 16 + 4 * 24 * 2, 16 + 4 * 25 * 2 - 1, 16 + 4 * 25 * 2 + 1])
def test_files_of_the_wrong_length(batches: tuple[Path, np.ndarray], size: int) -> None:
    folder, _ = batches
    path = folder / "batch3"
    path.write_bytes((path.read_bytes() + b"\0")[:size])
    with pytest.raises(ImageError, match=r"- batch3: (cut off|\d+ bytes, its header of 2x2x3x4 needs 216)"):
        open_dataset(folder)


def test_every_broken_file_is_told_and_every_gap(batches: tuple[Path, np.ndarray]) -> None:
    folder, _ = batches
    (folder / "batch4").unlink()
    (folder / "batch5").write_bytes(b"\xff" * 216)
    batch_file(folder / "batch6", np.zeros((1, 1, 1, 1)), [0.0])
    batch_file(folder / "batch999999999", np.zeros((1, 2, 3, 4)), [0.0])
    with pytest.raises(ImageError) as error:
        open_dataset(folder)
    message = str(error.value)
    assert "missing: batch4, batch11, batch12" in message
    assert "batch5: its header says -1x-1x-1x-1" in message
    assert "different sizes" in message


@pytest.mark.parametrize(("value", "label"), [(np.nan, 0.0), (np.inf, 0.0), (0.0, 0.5), (0.0, np.nan)])
def test_numbers_that_make_no_sense(tmp_path: Path, value: float, label: float) -> None:
    images = np.zeros((2, 1, 1, 2), np.float32)
    images[1, 0, 0, 0] = value
    batch_file(tmp_path / "batch0", images, [0.0, label])
    dataset = open_dataset(tmp_path)
    assert dataset.read(0).label == 0
    with pytest.raises(ImageError, match="image 1"):
        dataset.read(1)


def test_a_file_that_has_become_shorter(batches: tuple[Path, np.ndarray]) -> None:
    folder, _ = batches
    dataset = open_dataset(folder)
    (folder / "batch0").write_bytes(b"123")
    (folder / "batch1").unlink()
    for index in (0, 2):
        with pytest.raises(ImageError, match="batch"):
            dataset.read(index)
