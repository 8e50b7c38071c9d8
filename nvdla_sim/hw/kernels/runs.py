"""A convolution's output pixels cut into runs: pixels whose windows lie side by side in the packed input."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]


class Runs(NamedTuple):
    """Runs in the order in which they are done, chunk by chunk.

    A slot is one pixel of one run.
    """

    per_chunk: int  # runs of all chunks but the last
    start: Int64  # [run] where it begins in the packed chunk, in pixels
    y: Int64  # [slot] the output pixel
    x: Int64
    skip: NDArray[np.bool_]  # [slot] whether it repeats another one or is no pixel of the cube


def place_runs(height: int, width: int, chunk: int, pitch: int, pixels: int) -> Runs:
    """Runs of ``pixels`` for an output of ``height`` x ``width`` in chunks of ``chunk`` rows.

    ``pitch``: packed pixels from one output row to the next. Runs are either cut from each row, or from a
    whole chunk, over the packed pixels between the rows: whichever takes fewer.
    """
    joined = -(-((chunk - 1) * pitch + width) // pixels) < chunk * -(-width // pixels)
    chunks = []
    for first in range(0, height, chunk):
        rows = min(chunk, height - first)
        if joined:
            begin, pixel = _cut((rows - 1) * pitch + width, pixels)
            y, x = np.divmod(pixel, pitch)
        else:
            begin, pixel = _cut(width, pixels)
            row = np.repeat(np.arange(rows), len(begin))[:, np.newaxis]
            begin, pixel = np.tile(begin, (rows, 1)), np.tile(pixel, (rows, 1))
            y, x = np.broadcast_to(row, pixel.shape), pixel
        outside = (x >= width) | (y >= rows)
        start = y[:, 0] * pitch + x[:, 0]
        chunks.append(
            (start, np.where(outside, first, first + y), np.where(outside, 0, x), outside | (pixel < begin))
        )
    start, y, x, skip = (
        np.concatenate([part.ravel() for part in parts]) for parts in zip(*chunks, strict=True)
    )
    return Runs(len(chunks[0][0]), start, y, x, skip)


def _cut(length: int, pixels: int) -> tuple[Int64, Int64]:
    """A line cut into runs: the first new pixel of each, [run, 1], and all its pixels, [run, pixel].

    The last run repeats pixels of the one before; that of a line shorter than a run reaches over its end.
    """
    begin = np.arange(0, length, pixels)[:, np.newaxis]
    start = np.maximum(np.minimum(begin, length - pixels), 0)
    return begin, start + np.arange(pixels)
