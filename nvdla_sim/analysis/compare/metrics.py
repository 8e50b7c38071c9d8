"""How far one tensor is from another, and how well int8 levels suit a tensor."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.graph.operator import Array

MAX_DB = 200.0  # what is equal has no finite ratio of signal to noise
SAMPLE = 1 << 14  # elements that a search looks at
STEPS_PER_OCTAVE = 4
OCTAVES = 8


@dataclass(frozen=True)
class Error:
    """Of values against a reference. ``snr_db`` is 10 log10(sum of reference^2 / sum of difference^2)."""

    cosine: float
    snr_db: float
    max_abs: float
    mean_abs: float


def error(reference: Array, values: Array) -> Error:
    """Both of one shape; computed in double precision."""
    a = reference.astype(np.float64).ravel()
    b = values.astype(np.float64).ravel()
    difference = np.abs(a - b)
    return Error(
        cosine=_cosine(a, b),
        snr_db=decibel(float(a @ a), float(difference @ difference)),
        max_abs=float(difference.max()),
        mean_abs=float(difference.mean()),
    )


def decibel(signal: float, noise: float) -> float:
    """The ratio of two energies in dB, within +-``MAX_DB``; no noise at all is ``MAX_DB``."""
    if noise == 0:
        return MAX_DB
    if signal == 0:
        return -MAX_DB
    return max(-MAX_DB, min(MAX_DB, 10 * (math.log10(signal) - math.log10(noise))))


def _cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    lengths = math.sqrt(float(a @ a)) * math.sqrt(float(b @ b))
    if lengths == 0:
        return 1.0 if not a.any() and not b.any() else 0.0
    return max(-1.0, min(1.0, float(a @ b) / lengths))


def quantise(values: Array, scale: float, bits: int = 8) -> Array:
    """``clamp(floor(x / scale + 0.5))`` to signed integers of ``bits`` bits, as float32."""
    limit = float(1 << (bits - 1))
    steps = np.floor(values / np.float32(scale) + np.float32(0.5))
    return np.clip(steps, -limit, limit - 1)


def fake_quantise(values: Array, scale: float, bits: int = 8) -> Array:
    """The float values that int8 (or int16) numbers of this scale stand for; ``scale`` is that of int8."""
    step = scale_for(scale, bits)
    return quantise(values, step, bits) * np.float32(step)


def scale_for(scale: float, bits: int) -> float:
    """The scale at which ``bits`` bits reach as far as int8 does at ``scale``."""
    return scale * 127 / ((1 << (bits - 1)) - 1)


@dataclass(frozen=True)
class Fit:
    """How well int8 levels of one scale suit a tensor; energies relative to the tensor's own, in dB.

    ``clip_db``: what lies beyond the levels. ``round_db``: what is between two levels. ``snr_db``: both
    together; ``best_db``: both together at ``best_scale``, the scale that suits this tensor best.
    ``vanished``: the part of the values other than 0 that becomes 0.
    """

    clip_db: float
    round_db: float
    snr_db: float
    best_db: float
    best_scale: float
    vanished: float


def fit(values: Array, scale: float) -> Fit:
    """``values`` of any shape. The best scale is searched in quarter octaves down from max|x| / 127."""
    x = values.astype(np.float64).ravel()
    signal = float(x @ x)
    clip, rounding = _noise(x, scale)
    sample = x[:: -(-x.size // SAMPLE)]
    largest = float(np.abs(x).max())
    candidates = [largest / 127 * 2 ** (-k / STEPS_PER_OCTAVE) for k in range(OCTAVES * STEPS_PER_OCTAVE)]
    usable = [c for c in candidates if c >= np.finfo(np.float32).tiny] or [scale]
    best = min(usable, key=lambda candidate: sum(_noise(sample, candidate)))
    least, best = min((clip + rounding, scale), (sum(_noise(x, best)), best), key=lambda pair: pair[0])
    return Fit(
        clip_db=decibel(signal, clip),
        round_db=decibel(signal, rounding),
        snr_db=decibel(signal, clip + rounding),
        best_db=decibel(signal, least),
        best_scale=best,
        vanished=_vanished(x, scale),
    )


def _noise(x: NDArray[np.float64], scale: float) -> tuple[float, float]:
    """Energy of what clipping and of what rounding to int8 takes away."""
    inside = np.clip(x, -128 * scale, 127 * scale)
    lost = x - inside
    rounded = inside - np.floor(inside / scale + 0.5) * scale
    return float(lost @ lost), float(rounded @ rounded)


def _vanished(x: NDArray[np.float64], scale: float) -> float:
    there = np.abs(x[x != 0])
    return float(np.mean(there < scale / 2)) if there.size else 0.0


def share(mask: Any) -> float:
    """The part of a mask that is true, 0 to 1."""
    return float(np.mean(mask))
