"""NumPy files: ``.npy`` of N x C x H x W (or C x H x W), ``.npz`` with one such array and perhaps labels.

uint8 holds pixels, float holds the net's input as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.calib.datasets.dataset import Dataset, Sample
from nvdla_sim.calib.npz import map_npy, read_npz
from nvdla_sim.errors import ImageError

IMAGES = ("images", "data", "input", "x")
LABELS = ("labels", "label", "y")


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
    return Arrays(str(path), map_npy(path, ImageError, "images"), None)


def npz_file(path: Path) -> Arrays:
    """The array called as in ``IMAGES``, or the only one with four axes; labels as in ``LABELS``."""
    source = str(path)
    content = read_npz(path, ImageError, "images")
    named = [name for name in IMAGES if name in content]
    if not named:
        named = [name for name, values in content.items() if values.ndim == 4]
    if len(named) != 1:
        raise ImageError(
            f"{source}: which of its arrays are the images? Name one of them {', '.join(IMAGES)}; "
            f"there are {', '.join(content) or 'none'}"
        )
    labels = next((content[name] for name in LABELS if name in content), None)
    return Arrays(source, content[named[0]], labels)
