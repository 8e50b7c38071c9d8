"""NumPy files: ``.npy`` of N x C x H x W (or C x H x W), ``.npz`` with one such array and perhaps labels.

uint8 holds pixels, float holds the net's input as it is.
"""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.calib.datasets.dataset import Dataset, Sample
from nvdla_sim.errors import ImageError

IMAGES = ("images", "data", "input", "x")
LABELS = ("labels", "label", "y")
MAX_BYTES = 4 << 30


class Arrays(Dataset):
    """Images from one array. ``names`` of the images are the file's with their number."""

    def __init__(self, source: str, images: NDArray[Any], labels: NDArray[Any] | None) -> None:
        self.source = source
        if images.ndim == 3:
            images = images[np.newaxis]
        if images.ndim != 4 or not images.size or images.dtype not in (np.uint8, np.float32, np.float64):
            raise ImageError(
                f"{source}: an array of {images.dtype}, shape {images.shape}; needed is N x C x H x W of "
                "uint8 (pixels), float32 or float64 (the net's input)"
            )
        if labels is not None and (labels.shape != images.shape[:1] or labels.dtype.kind not in "iu"):
            raise ImageError(
                f"{source}: labels of {labels.dtype}, shape {labels.shape}; needed are {len(images)} integers"
            )
        self.preprocessed = images.dtype != np.uint8
        self._images, self._labels = images, labels

    def __len__(self) -> int:
        return len(self._images)

    def read(self, index: int) -> Sample:
        kind = np.float32 if self.preprocessed else np.uint8
        with np.errstate(over="ignore"):
            pixels = np.array(self._images[index], kind)
        name = f"{self.source}[{index}]"
        if self.preprocessed and not np.isfinite(pixels).all():
            raise ImageError(f"{name} holds numbers that are not finite")
        return Sample(name, pixels, None if self._labels is None else int(self._labels[index]))


def npy_file(path: Path) -> Arrays:
    """``ImageError`` when the file is damaged or holds something else."""
    try:
        # mapped, so that a header cannot ask for more than the file has
        images = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as problem:
        raise ImageError(f"{path}: not a readable .npy file of numbers ({problem})") from None
    return Arrays(str(path), images, None)


def npz_file(path: Path) -> Arrays:
    """The array called as in ``IMAGES``, or the only one with four axes; labels as in ``LABELS``."""
    source = str(path)
    try:
        with zipfile.ZipFile(path) as archive:
            _check_sizes(archive, source)
            with np.load(path, allow_pickle=False) as content:
                images, labels = _choose(content, source)
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as problem:
        raise ImageError(f"{source}: not a readable .npz file of numbers ({problem})") from None
    return Arrays(source, images, labels)


def _choose(content: Any, source: str) -> tuple[NDArray[Any], NDArray[Any] | None]:
    named = [name for name in IMAGES if name in content.files]
    if not named:
        named = [name for name in content.files if content[name].ndim == 4]
    if len(named) != 1:
        raise ImageError(
            f"{source}: which of its arrays are the images? Name one of them {', '.join(IMAGES)}; "
            f"there are {', '.join(content.files) or 'none'}"
        )
    labels = next((content[name] for name in LABELS if name in content.files), None)
    return content[named[0]], labels


def _check_sizes(archive: zipfile.ZipFile, source: str) -> None:
    """Every member must have the size that its own header tells, and all together must be bearable."""
    total = sum(info.file_size for info in archive.infolist())
    if total > MAX_BYTES:
        raise ImageError(f"{source}: {total} bytes unpacked, allowed: up to {MAX_BYTES}")
    for info in archive.infolist():
        with archive.open(info) as member:
            version = np.lib.format.read_magic(member)
            read_header = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = read_header(member)
            if member.tell() + math.prod(shape) * dtype.itemsize != info.file_size:
                raise ValueError(f"{info.filename} is not as long as its header says")
