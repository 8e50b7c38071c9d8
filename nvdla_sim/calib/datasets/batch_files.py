"""TensorRT's batch files ``batch0``, ``batch1``, ...: images that are preprocessed already, with labels.

Each is four int32 N, C, H, W, then N*C*H*W float32, then N float32 labels, all little endian.

Source: tool-formats section 2.
"""

from __future__ import annotations

import os
import re
import struct
from bisect import bisect_right
from itertools import accumulate, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nvdla_sim.calib.datasets.dataset import Dataset, Sample
from nvdla_sim.errors import ImageError, listed

NAME = re.compile(r"batch([0-9]{1,9})")
HEADER_BYTES = 16


class _Batch(NamedTuple):
    path: Path
    shape: tuple[int, int, int, int]


class BatchFiles(Dataset):
    """All batches of a folder as one run of images; a broken file is an error at once, with all others."""

    preprocessed = True

    def __init__(self, folder: Path) -> None:
        self.source = f"batch files of {folder}"
        numbered = {int(match[1]): path for path in folder.iterdir() if (match := NAME.fullmatch(path.name))}
        problems = []
        batches = []
        gaps = list(islice((n for n in range(max(numbered)) if n not in numbered), 5))
        if gaps:
            problems.append(f"missing: {', '.join(f'batch{number}' for number in gaps)}")
        for _, path in sorted(numbered.items()):
            try:
                batches.append(_Batch(path, _shape(path)))
            except ImageError as problem:
                problems.append(str(problem))
        if len({batch.shape[1:] for batch in batches}) > 1:
            problems.append("the files have images of different sizes")
        if problems:
            raise ImageError(listed(f"{self.source} cannot be used", problems))
        self._batches = batches
        self._ends = list(accumulate(batch.shape[0] for batch in batches))

    def __len__(self) -> int:
        return self._ends[-1]

    def read(self, index: int) -> Sample:
        number = bisect_right(self._ends, index)
        path, (count, *image) = self._batches[number]
        place = index - (self._ends[number] - count)
        size = 4 * int(np.prod(image))
        try:
            with path.open("rb") as file:
                file.seek(HEADER_BYTES + place * size)
                data = file.read(size)
                file.seek(HEADER_BYTES + count * size + 4 * place)
                label = struct.unpack("<f", file.read(4))[0]
        except (OSError, struct.error) as problem:
            raise ImageError(f"{path}: {problem}") from None
        if len(data) < size:
            raise ImageError(f"{path}: image {place} is cut off")
        values = np.frombuffer(data, "<f4").astype(np.float32).reshape(image)
        name = f"{path.name}[{place}]"
        if not np.isfinite(values).all():
            raise ImageError(f"{path}: image {place} holds numbers that are not finite")
        if not float(label).is_integer():
            raise ImageError(f"{path}: the label of image {place} is {label}, no whole number")
        return Sample(name, values, int(label))


def is_batch_folder(folder: Path) -> bool:
    return any(NAME.fullmatch(path.name) for path in folder.iterdir())


def _shape(path: Path) -> tuple[int, int, int, int]:
    """(N, C, H, W) of a file that has exactly the size it should have."""
    try:
        size = os.path.getsize(path)
        with path.open("rb") as file:
            header = file.read(HEADER_BYTES)
    except OSError as problem:
        raise ImageError(f"{path.name}: {problem.strerror}") from None
    if len(header) < HEADER_BYTES:
        raise ImageError(f"{path.name}: cut off in its header")
    n, c, h, w = struct.unpack("<4i", header)
    if min(n, c, h, w) < 1:
        raise ImageError(f"{path.name}: its header says {n}x{c}x{h}x{w} (NxCxHxW)")
    needed = HEADER_BYTES + 4 * n * (c * h * w + 1)
    if size != needed:
        raise ImageError(f"{path.name}: {size} bytes, its header of {n}x{c}x{h}x{w} needs {needed}")
    return n, c, h, w
