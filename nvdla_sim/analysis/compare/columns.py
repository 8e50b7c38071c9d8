"""The comparison's table, as terminal and page show it."""

from __future__ import annotations

from nvdla_sim.analysis.compare.comparison import TensorReport
from nvdla_sim.analysis.compare.metrics import MAX_DB
from nvdla_sim.analysis.compare.verdict import label
from nvdla_sim.analysis.compare.versions import CHIP

COLUMNS = (
    "layer",
    "scale",
    "amax",
    "int8 amax",
    "own dB",
    "16 bit dB",
    "8 bit dB",
    "chip dB",
    "cosine",
    "max err",
    "mean err",
    "sat %",
    "zero %",
)


def cells(report: TensorReport) -> list[str]:
    """One cell for each of ``COLUMNS``; "max err" to "zero %" are the chip's."""
    chip = report.accumulated[CHIP]
    fake = [report.accumulated.get(version) for version in ("fake16", "fake8")]
    return [
        label(report) + (" (float)" if report.denied else ""),
        f"{report.scale:.4g}",
        f"{report.amax:.4g}",
        f"{report.scale * 127:.4g}",
        decibels(report.own.snr_db),
        *("-" if error is None else decibels(error.snr_db) for error in fake),
        decibels(chip.snr_db),
        f"{chip.cosine:.5f}",
        f"{chip.max_abs:.3g}",
        f"{chip.mean_abs:.3g}",
        f"{report.saturated * 100:.2f}",
        f"{report.zero * 100:.1f}",
    ]


def amplified(amplifier: tuple[str, float, float]) -> str:
    """The sentence on ``Verdict.amplifier``."""
    layer, before, behind = amplifier
    return (
        f"{layer} makes the errors of the layers before it larger: {before:.1f} dB before it, "
        f"{behind:.1f} dB behind it; only finer scales before it help (another method, per-filter weights)"
    )


def decibels(value: float) -> str:
    """A ratio of signal to noise; what is equal has none."""
    return "exact" if value >= MAX_DB else f"{value:.1f}"
