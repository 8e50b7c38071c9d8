"""The comparison as JSON data, named as in ``TensorReport`` and ``Finding``; +-200 dB means that or more."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from nvdla_sim.analysis.compare.comparison import Comparison
from nvdla_sim.analysis.compare.verdict import Finding, Verdict


def record(comparison: Comparison, verdict: Verdict) -> dict[str, Any]:
    """Numbers, strings, lists and dictionaries only."""
    name, snr, cosine = verdict.output
    return {
        "net": comparison.versions.graph.name,
        "table": comparison.versions.table.source,
        "settings": asdict(comparison.settings),
        "verdict": None if verdict.first is None else _finding(verdict.first),
        "findings": [_finding(finding) for finding in verdict.findings],
        "weakest": {"layer": verdict.weakest[0], "own_snr_db": verdict.weakest[1]},
        "amplifier": None if verdict.amplifier is None else list(verdict.amplifier),
        "output": {"name": name, "snr_db": snr, "cosine": cosine},
        "tensors": [asdict(report) for report in comparison.tensors],
        "entries": [asdict(entry) for entry in comparison.versions.entries],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {**asdict(finding), "cause": finding.cause.value}
