"""Which layer is the first that int8 spoils, why, and what to try.

The rules look at each layer's own part: how its scale suits the float run's values, what its quantised
weights do, what the chip's integers add. Errors that a layer only inherits never make it the culprit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np

from nvdla_sim.analysis.compare.comparison import Comparison, TensorReport
from nvdla_sim.analysis.compare.table_use import Entry
from nvdla_sim.analysis.compare.versions import CHIP

# One input rarely reaches exactly the largest value that calibration saw: up to these factors
# (table / float run) an entry is what a calibration may have given.
MUCH_TOO_LARGE = 5.0
MUCH_TOO_SMALL = 1 / 2.5
UNUSED_TOO_SMALL = 1 / 5.0  # what nothing is clipped by has to be wrong beyond doubt
FAR_TOO_LARGE = 10.0  # this leaves a dozen levels: wrong even where the values happen to lie on them
ALIKE = 1.6  # amaxes this near are the same: an entry that fits another layer has been exchanged with its
UNUSUAL = 2.0  # times as far off (in octaves) as the median entry of the table
LOSS_DB = 9.0  # so much worse than the best scale is worth a word
ENOUGH_DB = 60.0  # better than this is as good as this
POOR_DB = 20.0  # a tensor below this is far from its float values; good calibrations clip to 25 dB
VANISHED = 0.9  # so many values lost to 0 are too many, however small they are
POOR_WEIGHTS_DB = 15.0
SPREAD_DB = 6.0  # what a scale for each filter must win
AMPLIFIED_DB = 10.0  # what a layer has to lose of its inputs' ratio to be told
ARITHMETIC_DB = 10.0  # what the chip's integers may cost beside the fake-quantised run

FINER = "a method that cuts off outliers (kl-trt, mse, percentile)"


class Cause(Enum):
    """Why a layer is bad."""

    MISSING = "missing table entry"
    ENTRY = "wrong table entry"
    PREPROCESSING = "preprocessing"
    CLIPPING = "clipping"
    COARSE = "coarse scale"
    SPREAD = "per-kernel spread"
    WEIGHTS = "coarse weights"
    ARITHMETIC = "integer arithmetic"


@dataclass(frozen=True)
class Finding:
    """One bad layer (or network input). ``entry``: the table's entry that is at fault, if one is.

    ``used``: whether the compiled net takes anything from it.
    """

    layer: str
    cause: Cause
    why: str
    remedy: str
    entry: str | None = None
    used: bool = True


@dataclass(frozen=True)
class Verdict:
    """``findings`` in the order of the layers, those that the compiled net does not use last.

    ``weakest``: the layer with the smallest signal-to-noise ratio of its own. ``amplifier``: the layer that
    makes errors of the layers before it larger than any other does, (name, SNR of its inputs and of its
    output on the chip in dB), None where none does so by much. ``output``: the worst network output of the
    chip, (name, SNR in dB, cosine).
    """

    findings: tuple[Finding, ...]
    weakest: tuple[str, float]
    amplifier: tuple[str, float, float] | None
    output: tuple[str, float, float]

    @property
    def first(self) -> Finding | None:
        return self.findings[0] if self.findings else None


def judge(comparison: Comparison) -> Verdict:
    """The verdict on a comparison."""
    graph = comparison.versions.graph
    place = dict.fromkeys(graph.inputs, -1)
    place |= {tensor: at for at, node in enumerate(graph.nodes) for tensor in node.outputs}
    found: list[tuple[bool, int, Finding]] = []
    reported = {report.name: report for report in comparison.tensors}
    for entry in comparison.versions.entries:
        report = reported.get(entry.tensor)
        used = report is not None and report.entry == entry.name
        if finding := _entry_finding(entry, used, report, comparison):
            found.append((not used and entry.table_amax is not None, place[entry.tensor], finding))
    at_fault = {finding.entry for *_, finding in found}
    for report in comparison.tensors:
        if report.entry not in at_fault and (finding := _tensor_finding(report, comparison)):
            found.append((False, place[report.name], finding))
    found.sort(key=lambda item: item[:2])
    weakest = min(comparison.tensors, key=lambda report: report.own.snr_db)
    return Verdict(
        findings=tuple(finding for *_, finding in found),
        weakest=(label(weakest), weakest.own.snr_db),
        amplifier=_amplifier(comparison),
        output=_worst_output(comparison),
    )


def label(report: TensorReport) -> str:
    """What to call a tensor: the last layer that makes it, or the network input."""
    return report.layers[-1] if report.layers else report.name


def _entry_finding(
    entry: Entry, used: bool, report: TensorReport | None, comparison: Comparison
) -> Finding | None:
    """What is wrong with an entry of the table; ``used``: whether the tensor has its scale."""
    own = f'{{"scale": {entry.float_amax / 127:.6g}}}'
    if entry.table_amax is None:
        why = f'the table has no entry "{entry.name}"; the rest of this report takes it from the float run'
        remedy = f'add "{entry.name}": {own} (max|x| / 127 of this input), or calibrate again'
        return Finding(entry.name, Cause.MISSING, why, remedy, entry.name)
    if entry.float_amax == 0:
        return None
    factor = entry.table_amax / entry.float_amax
    other = _exchanged_with(entry, comparison)
    smallest = MUCH_TOO_SMALL if used else UNUSED_TOO_SMALL
    if smallest < factor < MUCH_TOO_LARGE and other is None:
        return None
    harmless = report is not None and report.fit.snr_db > min(report.fit.best_db, ENOUGH_DB) - LOSS_DB
    if used and harmless and factor < FAR_TOO_LARGE:
        return None
    direction = f"{factor:.3g} times too large" if factor > 1 else f"{1 / factor:.3g} times too small"
    why = (
        f"its scale {entry.table_amax / 127:.4g} is {direction}: it stands for |x| up to "
        f"{entry.table_amax:.4g}, the float run reaches {entry.float_amax:.4g}"
    )
    if not used:
        why += "; this net's int8 does not use it, another compiler may"
    if entry.tensor in comparison.versions.graph.inputs and _whole_run_is_off(entry, factor, comparison):
        why += "; the layers behind it are off alike, so the input is not what the table was made with"
        remedy = "give mean, normalize and channel order as they were at calibration"
        return Finding(entry.name, Cause.PREPROCESSING, why, remedy, entry.name, used)
    if other is not None:
        why += f'; it looks exchanged with "{other.name}"'
        remedy = f'exchange the entries "{entry.name}" and "{other.name}"'
    else:
        remedy = f'set "{entry.name}": {own}, or calibrate again'
    return Finding(entry.name, Cause.ENTRY, why, remedy, entry.name, used)


def _whole_run_is_off(entry: Entry, factor: float, comparison: Comparison) -> bool:
    """Whether the other entries are off in the same direction as a network input's."""
    others = [
        math.log2(other.table_amax / other.float_amax)
        for other in comparison.versions.entries
        if other.tensor != entry.tensor and other.table_amax and other.float_amax
    ]
    typical = float(np.median(others)) if others else 0.0
    return abs(typical) > 1 and (typical > 0) == (factor > 1)


def _exchanged_with(entry: Entry, comparison: Comparison) -> Entry | None:
    """Another entry, where both are wrong, and each fits the other's tensor.

    Wrong is what differs more than the table's other entries usually do: among many that are off, some two
    always look exchanged.
    """
    entries = comparison.versions.entries
    own = _apart(entry.table_amax, entry.float_amax)
    apart = {each.name: _apart(each.table_amax, each.float_amax) for each in entries}

    def both_wrong(other: Entry) -> bool:
        rest = [apart[name] for name in apart if name not in (entry.name, other.name)]
        usual = float(np.median(rest)) if rest else 0.0
        return min(own, apart[other.name]) > max(math.log(ALIKE), UNUSUAL * usual)

    fitting = [
        (_apart(other.table_amax, entry.float_amax) + _apart(entry.table_amax, other.float_amax), other)
        for other in entries
        if other.name != entry.name
    ]
    alike = [pair for pair in fitting if pair[0] < 2 * math.log(ALIKE) and both_wrong(pair[1])]
    return min(alike, key=lambda pair: pair[0])[1] if alike else None


def _apart(table: float | None, real: float) -> float:
    """How far two amaxes are from each other, as the logarithm of a factor."""
    return abs(math.log(table / real)) if table and real else math.inf


def _tensor_finding(report: TensorReport, comparison: Comparison) -> Finding | None:
    """What is wrong with a tensor whose table entry is right."""
    return next((finding for rule in RULES if (finding := rule(report, comparison))), None)


def _scale(report: TensorReport, comparison: Comparison) -> Finding | None:
    fit = report.fit
    if fit.vanished > VANISHED and not _is_output(report, comparison):
        why = f"{100 * fit.vanished:.0f} % of its values are less than half an int8 step and become 0"
        return _coarse(report, why, comparison)
    if fit.snr_db > POOR_DB or fit.snr_db > fit.best_db - LOSS_DB:
        return None
    better = f"{fit.best_db:.1f} dB with {fit.best_scale:.4g}"
    if fit.clip_db < fit.round_db:
        why = f"values beyond the int8 range are cut off: {fit.snr_db:.1f} dB, {better}"
        remedy = "calibrate this layer with a method that clips less (minmax, percentile)"
        return Finding(label(report), Cause.CLIPPING, why, remedy)
    why = f"one int8 step is too large for most values: {fit.snr_db:.1f} dB, {better}"
    return _coarse(report, why, comparison)


def _coarse(report: TensorReport, why: str, comparison: Comparison) -> Finding:
    owner = _scale_of(report, comparison)
    which = "this layer"
    if owner is not None:
        why += f'; it has the scale of "{owner}"'
        which = f'"{owner}"'
    return Finding(label(report), Cause.COARSE, why, f"calibrate {which} with {FINER}")


def _scale_of(report: TensorReport, comparison: Comparison) -> str | None:
    """Whose scale it has, None if it is its own: another entry, or its input where it does not rescale."""
    if report.entry is not None and report.entry not in (report.name, *report.layers):
        return report.entry
    part = comparison.versions.parts.get(report.name)
    before = {name: comparison.versions.scales[name] for name in part.inputs} if part is not None else {}
    kept = [other for other in comparison.tensors if before.get(other.name) == report.scale]
    return label(kept[0]) if kept else None


def _weights(report: TensorReport, comparison: Comparison) -> Finding | None:
    weights, per_filter = report.weights, report.weights_per_filter
    if weights is None or per_filter is None or weights.snr_db > POOR_WEIGHTS_DB:
        return None
    why = f"int8 weights alone leave {weights.snr_db:.1f} dB"
    if per_filter.snr_db > weights.snr_db + SPREAD_DB:
        why += f", with a scale for each filter {per_filter.snr_db:.1f} dB: its filters differ in size"
        return Finding(label(report), Cause.SPREAD, why, "compile with --quantizationMode per-filter")
    remedy = "look for outliers among the layer's weights; retrain or clip them"
    return Finding(label(report), Cause.WEIGHTS, why, remedy)


def _arithmetic(report: TensorReport, comparison: Comparison) -> Finding | None:
    """The chip is much worse than the fake-quantised run here, and not yet at what this is made from."""
    fake = report.accumulated.get("fake8")
    chip = report.accumulated[CHIP]
    if fake is None or report.denied or chip.snr_db > POOR_DB:
        return None
    by_name = {other.name: other for other in comparison.tensors}
    part = comparison.versions.parts.get(report.name)
    sources = [by_name[name] for name in part.inputs] if part is not None else []
    before = max((_gap(source) for source in sources), default=0.0)
    if fake.snr_db - chip.snr_db < ARITHMETIC_DB + before:
        return None
    why = f"the chip's integers leave {chip.snr_db:.1f} dB where the scales alone leave {fake.snr_db:.1f} dB"
    return Finding(label(report), Cause.ARITHMETIC, why, "report this net: the compiler should do better")


def _gap(report: TensorReport) -> float:
    return max(0.0, report.accumulated["fake8"].snr_db - report.accumulated[CHIP].snr_db)


RULES = (_scale, _weights, _arithmetic)


def _amplifier(comparison: Comparison) -> tuple[str, float, float] | None:
    """The layer whose output is farthest below both its inputs and its own error."""
    chip = {report.name: report.accumulated[CHIP].snr_db for report in comparison.tensors}
    found = []
    for report in comparison.tensors:
        part = comparison.versions.parts.get(report.name)
        if part is not None and part.inputs:
            before = min(chip[name] for name in part.inputs)
            loss = min(before, report.own.snr_db) - chip[report.name]
            found.append((loss, (label(report), before, chip[report.name])))
    worst = max(found, default=None)
    return worst[1] if worst is not None and worst[0] > AMPLIFIED_DB else None


def _worst_output(comparison: Comparison) -> tuple[str, float, float]:
    """Name, SNR and cosine."""
    outputs = [report for report in comparison.tensors if _is_output(report, comparison)]
    worst = min(outputs, key=lambda report: report.accumulated[CHIP].snr_db)
    return worst.name, worst.accumulated[CHIP].snr_db, worst.accumulated[CHIP].cosine


def _is_output(report: TensorReport, comparison: Comparison) -> bool:
    """Whether nothing reads the tensor."""
    return all(report.name not in part.inputs for part in comparison.versions.parts.values())
