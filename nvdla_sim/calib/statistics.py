"""What a calibration run collects: the largest |x| of every tensor, then a histogram of each.

The state of a run that is not finished can be saved and taken up again.
"""

from __future__ import annotations

import io
import json
import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.calib.histogram import BINS, Histogram
from nvdla_sim.calib.npz import read_npz
from nvdla_sim.errors import CalibrationError, listed
from nvdla_sim.files import write_atomically

FORMAT = "nvdla-sim histograms 2"


@dataclass
class Statistics:
    """``identity``: what the numbers are of, by aspect ("net", "images", ...).

    ``images``: how many images the run has; of these the first ``measured`` are in ``histograms``' absmax and
    the first ``counted`` in their counts. ``skipped``: unreadable ones, by number.
    """

    identity: dict[str, str]
    images: int
    histograms: dict[str, Histogram] = field(default_factory=dict)
    measured: int = 0
    counted: int = 0
    skipped: dict[int, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        return self.counted == self.images

    def check_identity(self, identity: dict[str, str], source: str) -> None:
        """``CalibrationError`` naming every aspect in which these numbers are of something else."""
        problems = [
            f"{aspect}: there {self.identity.get(aspect, 'not told')}, here {value}"
            for aspect, value in identity.items()
            if self.identity.get(aspect) != value
        ]
        if problems:
            raise CalibrationError(listed(f"{source} is of another run:", problems))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an .npz file."""
        note = {
            "format": FORMAT,
            "identity": self.identity,
            "images": self.images,
            "measured": self.measured,
            "counted": self.counted,
            "skipped": list(self.skipped.items()),
            "tensors": list(self.histograms),
        }
        histograms = self.histograms.values()
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            note=np.frombuffer(json.dumps(note).encode(), np.uint8),
            absmax=np.array([histogram.absmax for histogram in histograms], np.float32),
            positive=np.array([h.positive for h in histograms], np.int64).reshape(-1, BINS),
            negative=np.array([h.negative for h in histograms], np.int64).reshape(-1, BINS),
            zeros=np.array([histogram.zeros for histogram in histograms], np.int64),
        )
        write_atomically(path, buffer.getvalue())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Statistics:
        """``CalibrationError`` when the file is damaged or something else."""
        arrays = read_npz(path, CalibrationError, "histograms")
        try:
            return cls._of(arrays)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as problem:
            raise CalibrationError(
                f"histograms {os.fspath(path)}: not written by nvdla-calibrate, or damaged ({problem})"
            ) from None

    @classmethod
    def _of(cls, arrays: dict[str, NDArray[Any]]) -> Statistics:
        """``ValueError`` and its kind for everything that ``save`` does not write."""
        note = json.loads(arrays["note"].tobytes())
        if note["format"] != FORMAT:
            raise ValueError(f"format {note['format']!r}, known is {FORMAT!r}")
        names = note["tensors"]
        shapes = {"absmax": (), "positive": (BINS,), "negative": (BINS,), "zeros": ()}
        for name, shape in shapes.items():
            values = arrays[name]
            kind = np.float32 if name == "absmax" else np.int64
            if values.shape != (len(names), *shape) or values.dtype != kind or not (values >= 0).all():
                raise ValueError(f"{name} of {values.dtype}, shape {values.shape}")
        if not np.isfinite(arrays["absmax"]).all():
            raise ValueError("absmax is not finite")
        images, measured, counted = (int(note[word]) for word in ("images", "measured", "counted"))
        if not 0 <= counted <= measured <= images:
            raise ValueError(f"{counted} images counted, {measured} measured of {images}")
        rows = zip(*(arrays[name] for name in shapes), strict=True)
        histograms = {
            str(name): Histogram(np.float32(absmax), positive, negative, int(zeros))
            for name, (absmax, positive, negative, zeros) in zip(names, rows, strict=True)
        }
        identity = {str(aspect): str(value) for aspect, value in note["identity"].items()}
        skipped = {int(index): str(problem) for index, problem in note["skipped"]}
        return cls(identity, images, histograms, measured, counted, skipped)
