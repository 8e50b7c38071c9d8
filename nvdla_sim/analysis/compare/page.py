"""The comparison as one HTML page that needs nothing else: no script, no network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from nvdla_sim.analysis.compare import charts
from nvdla_sim.analysis.compare.columns import COLUMNS, amplified, cells
from nvdla_sim.analysis.compare.comparison import Comparison, TensorReport
from nvdla_sim.analysis.compare.metrics import MAX_DB
from nvdla_sim.analysis.compare.verdict import Finding, Verdict, label
from nvdla_sim.analysis.compare.versions import CHIP, FLOAT
from nvdla_sim.graph.operator import shape_text

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2430; margin: 2rem auto; max-width: 1160px;
  padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .3rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .6rem; }
.facts { color: #5b6275; margin: 0 0 .4rem; } .facts code { color: inherit; }
.verdict { border-left: 6px solid #2a9d6f; background: #f1faf6; padding: .7rem 1rem; margin: 1.2rem 0; }
.verdict.bad { border-color: #d1495b; background: #fdf3f4; }
.verdict.unused { border-color: #c9cedb; background: #f6f7fa; }
.verdict p { margin: .2rem 0; } .verdict b { font-size: 1.05rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; white-space: nowrap; }
th { text-align: right; font-weight: 600; border-bottom: 2px solid #c9cedb; padding: .25rem .6rem; }
td { text-align: right; padding: .2rem .6rem; border-bottom: 1px solid #eceef4;
  font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; } tr.bad td { background: #fdf3f4; }
details { border-top: 1px solid #e3e6ee; padding: .45rem 0; } summary { cursor: pointer; }
summary small { color: #5b6275; } .plots { display: flex; flex-wrap: wrap; gap: 1rem; }
svg { max-width: 100%; height: auto; } .wide svg { max-width: none; }
svg text { font: 11px system-ui, sans-serif; fill: #5b6275; }
svg .grid { stroke: #e3e6ee; } svg .limit { stroke-dasharray: 5 3; }
"""

LEGEND = (
    "dB is the ratio of signal to noise against the float run. own: this layer alone, fed with the float "
    "run's values; 16 bit, 8 bit and chip: with the errors of all layers before. amax: the largest |value| "
    "of the float run; int8 amax: 127 times the scale. cosine to zero % are the chip's; sat %: values at an "
    "end of int8."
)


def page(comparison: Comparison, verdict: Verdict, title: str, facts: Sequence[str]) -> str:
    """``facts``: lines that tell what was compared, and how the input was made."""
    bad = {finding.layer for finding in verdict.findings if finding.used}
    reports = comparison.tensors
    marked = [report for report in reports if bad & {report.name, *report.layers}]
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        '<meta name=viewport content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}: float against int8</title><style>{STYLE}</style>",
        f"<h1>{escape(title)}: float against int8</h1>",
        *(f"<p class=facts>{escape(fact)}</p>" for fact in facts),
        *_verdict(verdict),
        "<h2>Error of each layer</h2>",
        f"<div class=wide>{charts.errors(reports, [label(report) for report in reports])}</div>",
        "<h2>In numbers</h2>",
        f"<p class=facts>{LEGEND}</p>",
        f"<div class=wide>{_table(reports, marked)}</div>",
        "<h2>Values of each layer</h2>",
        *(_details(report, comparison, report in marked) for report in reports),
        "</html>",
    ]
    return "\n".join(parts)


def _verdict(verdict: Verdict) -> Iterable[str]:
    name, snr, cosine = verdict.output
    output = f'Output "{name}" of the chip: {snr:.1f} dB, cosine {cosine:.5f}.'
    if verdict.first is None:
        yield "<div class=verdict><b>No layer stands out.</b>"
        weakest, own = verdict.weakest
        more = f" Also: {amplified(verdict.amplifier)}." if verdict.amplifier is not None else ""
        yield f"<p>The weakest is {escape(weakest)} with {own:.1f} dB of its own.{escape(more)}</p></div>"
    for finding in verdict.findings:
        yield from _finding(finding)
    yield f"<p>{escape(output)}</p>"


def _finding(finding: Finding) -> Iterable[str]:
    yield f'<div class="verdict {"bad" if finding.used else "unused"}">'
    yield f"<b>{escape(finding.layer)}: {escape(finding.cause.value)}</b>"
    yield f"<p>{escape(finding.why)}</p><p>Try: {escape(finding.remedy)}</p></div>"


def _table(reports: Sequence[TensorReport], marked: Sequence[TensorReport]) -> str:
    head = "".join(f"<th>{escape(column)}" for column in COLUMNS)
    rows = []
    for report in reports:
        kind = " class=bad" if report in marked else ""
        rows.append(f"<tr{kind}>" + "".join(f"<td>{escape(cell)}" for cell in cells(report)))
    return f"<table><tr>{head}{''.join(rows)}</table>"


def _details(report: TensorReport, comparison: Comparison, is_open: bool) -> str:
    values = comparison.versions.values
    real, chip = values[FLOAT][report.name], values[CHIP][report.name]
    made = " + ".join(report.layers) or "network input"
    numbers = (
        f"{shape_text(report.shape)}, {made}; clipping {_noise(report.fit.clip_db)}, rounding "
        f"{_noise(report.fit.round_db)}; the best scale, {report.fit.best_scale:.4g}, leaves "
        f"{_noise(report.fit.best_db)}"
    )
    if report.weights is not None and report.weights_per_filter is not None:
        numbers += (
            f"; int8 weights {report.weights.snr_db:.1f} dB, with a scale for each filter "
            f"{report.weights_per_filter.snr_db:.1f} dB"
        )
    return (
        f"<details{' open' if is_open else ''}><summary><b>{escape(label(report))}</b> "
        f"<small>{escape(numbers)}</small></summary><div class=plots>"
        f"{charts.histogram(real, chip, report.scale)}{charts.scatter(real, chip, report.scale)}"
        "</div></details>"
    )


def _noise(ratio: float) -> str:
    return "none" if ratio >= MAX_DB else f"{ratio:.1f} dB"
