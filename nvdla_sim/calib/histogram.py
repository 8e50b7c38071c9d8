"""How the values of a tensor are distributed: what every calibration method decides from.

|x| is counted in ``BINS`` equal bins of [0, absmax], positive and negative values and exact zeros apart:
published methods differ in what they leave out (landscape section 5.2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.graph.operator import Array

Counts = NDArray[np.int64]
BINS = 2048

# Values are counted in pieces that stay in the cache.
PIECE = 1 << 16

# Below it a bin's width would not be a normal float32: such a tensor holds nothing but zeros.
SMALLEST = np.float32(1e-30)


def absolute_maximum(values: Array) -> np.float32:
    """max|x| without a copy of the values; NaN where one is there."""
    return np.maximum(values.max(), -values.min())


def _no_counts() -> Counts:
    return np.zeros(BINS, np.int64)


@dataclass
class Histogram:
    """``positive``, ``negative``: int64 [BINS], bin k holds k <= |x| * BINS / absmax < k + 1.

    ``absmax`` is the largest |x| of all values that are going to be counted; it is in the last bin.
    """

    absmax: np.float32
    positive: Counts = field(default_factory=_no_counts)
    negative: Counts = field(default_factory=_no_counts)
    zeros: int = 0

    @classmethod
    def of(cls, values: Array) -> Histogram:
        """The histogram of one array."""
        histogram = cls(absolute_maximum(values))
        histogram.count(values)
        return histogram

    @property
    def empty(self) -> bool:
        """Whether all values are 0, so that no method can say anything."""
        return bool(self.absmax < SMALLEST)

    @property
    def width(self) -> float:
        """The width of a bin."""
        return float(self.absmax) / BINS

    @property
    def magnitudes(self) -> Counts:
        """Counts of |x|, zeros in bin 0."""
        counts = self.positive + self.negative
        counts[0] += self.zeros
        return counts

    def beyond(self, amax: float) -> float:
        """The part of the values other than 0 that lies in bins above ``amax``, 0 to 1."""
        counts = self.positive + self.negative
        return float(counts[math.ceil(amax / self.width) :].sum() / max(1, counts.sum()))

    def count(self, values: Array) -> None:
        """Add float32 values of any shape, |x| <= absmax."""
        flat = values.reshape(-1)
        positive, negative = int(np.count_nonzero(flat > 0)), int(np.count_nonzero(flat < 0))
        if self.empty:
            self.zeros += flat.size
            return
        per_bin = np.float32(BINS) / self.absmax
        scaled = np.empty(PIECE, np.float32)
        bins = np.empty(PIECE, np.intp)
        both = np.zeros(2 * BINS + 1, np.int64)
        for start in range(0, flat.size, PIECE):
            piece = flat[start : start + PIECE]
            np.multiply(piece, per_bin, out=scaled[: piece.size])
            np.clip(scaled, -BINS, BINS, out=scaled)
            bins[: piece.size] = scaled[: piece.size]  # towards 0: bin 0 gets both signs and the zeros
            bins[: piece.size] += BINS
            both += np.bincount(bins[: piece.size], minlength=both.size)
        self._add_side(self.positive, both[BINS:], positive)
        self._add_side(self.negative, both[BINS::-1], negative)
        self.zeros += flat.size - positive - negative

    @staticmethod
    def _add_side(side: Counts, counts: Counts, total: int) -> None:
        """``counts``: BINS + 1 numbers, the first shared by both signs, the last of absmax itself."""
        side += counts[:BINS]
        side[-1] += counts[BINS]
        side[0] += total - counts[1:].sum() - counts[0]

    def merge(self, other: Histogram) -> None:
        """Add what ``other``, of the same absmax, has counted."""
        self.positive += other.positive
        self.negative += other.negative
        self.zeros += other.zeros
