"""The comparison on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nvdla_sim.analysis.compare.columns import COLUMNS, amplified, cells
from nvdla_sim.analysis.compare.comparison import Comparison
from nvdla_sim.analysis.compare.verdict import Verdict

WIDE = 200  # columns where there is no terminal that would have to be fitted


def print_comparison(comparison: Comparison, verdict: Verdict, facts: Sequence[str]) -> None:
    """What was compared, a row for each tensor, the verdict."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDE
    bad = {finding.layer for finding in verdict.findings if finding.used}
    for fact in facts:
        _say(console, fact)
    table = Table(box=None, pad_edge=False)
    for column in COLUMNS:
        left = column == COLUMNS[0]
        table.add_column(column, justify="left" if left else "right", no_wrap=left, overflow="fold")
    for report in comparison.tensors:
        style = "red" if bad & {report.name, *report.layers} else ""
        table.add_row(*(Text(cell, style) for cell in cells(report)))
    console.print(table)
    for line in verdict_lines(verdict):
        _say(console, line, "bold" if line.startswith("verdict") else "")


def verdict_lines(verdict: Verdict) -> list[str]:
    """The first finding in full, the others in a line each, and the net's output."""
    name, snr, cosine = verdict.output
    lines = []
    if verdict.first is None:
        weakest, own = verdict.weakest
        lines.append(f"verdict: no layer stands out; the weakest is {weakest} with {own:.1f} dB of its own")
        if verdict.amplifier is not None:
            lines.append(f"also: {amplified(verdict.amplifier)}")
    else:
        first = verdict.first
        lines += [
            f"verdict: {first.layer}: {first.cause.value}",
            f"  why: {first.why}",
            f"  try: {first.remedy}",
        ]
    lines += [f"also: {other.layer}: {other.cause.value}: {other.why}" for other in verdict.findings[1:]]
    lines.append(f'output "{name}" of the chip: {snr:.1f} dB, cosine {cosine:.5f}')
    return lines


def _say(console: Console, line: str, style: str = "") -> None:
    # as text: names may look like markup
    console.print(Text(line, style), soft_wrap=True)
