"""Where a net loses what it loses in int8: every tensor of the chip against the float run, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nvdla_sim.analysis.compare import parts
from nvdla_sim.analysis.compare.fake_quant import WITH_WEIGHTS, nodes_to_run
from nvdla_sim.analysis.compare.metrics import Error, Fit, error, fake_quantise, fit, share
from nvdla_sim.analysis.compare.versions import FLOAT, Settings, Versions, run_versions
from nvdla_sim.calib.table import Table
from nvdla_sim.graph.graph import Graph
from nvdla_sim.graph.operator import Array


@dataclass(frozen=True)
class TensorReport:
    """What is known of one tensor. Shares are parts of its elements, 0 to 1.

    ``layers``: those of the net that make it, none for a network input. ``scale``: real = scale * int8.
    ``entry``: the table's entry that the scale is from, None where the compiler chose it. ``amax``: max|x|
    of the float run. ``saturated``, ``zero``: of the chip's values; ``float_zero``: of the float run's.
    ``fit``: how the scale suits the float values.
    ``weights``: what the quantised weights of these layers alone do to the float run, and
    ``weights_per_filter`` what they would do with a scale for each filter; None without weights.
    ``own``: the error of these layers alone, fed with the float run's values; ``accumulated``: that of each
    version, with the errors of all layers before. ``denied``: float in the fake-quantised runs.
    """

    name: str
    layers: tuple[str, ...]
    shape: tuple[int, int, int]
    scale: float
    entry: str | None
    amax: float
    saturated: float
    zero: float
    float_zero: float
    fit: Fit
    weights: Error | None
    weights_per_filter: Error | None
    own: Error
    accumulated: Mapping[str, Error]
    denied: bool


@dataclass(frozen=True)
class Comparison:
    """``tensors`` in the order of their layers."""

    settings: Settings
    tensors: Sequence[TensorReport]
    versions: Versions


def compare(graph: Graph, table: Table, inputs: Mapping[str, Array], settings: Settings) -> Comparison:
    """``inputs``: float32 CHW as the net takes them, preprocessing done.

    What the table lacks is taken from the float run. Raises as ``run_versions``.
    """
    versions = run_versions(graph, table, inputs, settings)
    reports: dict[str, TensorReport] = {}
    for name in versions.layers:
        reports[name] = _report(name, versions, reports, settings)
    return Comparison(settings, list(reports.values()), versions)


def _report(
    name: str, versions: Versions, before: Mapping[str, TensorReport], settings: Settings
) -> TensorReport:
    real, scale, int8 = versions.values[FLOAT][name], versions.scales[name], versions.int8[name]
    weights = _with_weights(name, versions, settings.per_filter)
    per_filter = weights if settings.per_filter else _with_weights(name, versions, True)
    return TensorReport(
        name=name,
        layers=versions.layers[name],
        shape=versions.graph.tensors[name].chw,
        scale=scale,
        entry=_entry(name, versions, before),
        amax=float(np.abs(real).max()),
        saturated=share((int8 == -128) | (int8 == 127)),
        zero=share(int8 == 0),
        float_zero=share(real == 0),
        fit=fit(real, scale),
        weights=None if weights is None else error(real, weights),
        weights_per_filter=None if per_filter is None else error(real, per_filter),
        own=error(real, fake_quantise(real if weights is None else weights, scale)),
        accumulated={
            version: error(real, tensors[name])
            for version, tensors in versions.values.items()
            if version != FLOAT
        },
        denied=name in versions.denied,
    )


def _with_weights(name: str, versions: Versions, per_filter: bool) -> Array | None:
    """The tensor from float inputs through layers with quantised weights; None where there are no weights."""
    part = versions.parts.get(name)
    if part is None or not any(isinstance(node.op, WITH_WEIGHTS) for node in part.nodes):
        return None
    return parts.run(part, versions.values[FLOAT], nodes_to_run(part.nodes, per_filter, 8))


def _entry(name: str, versions: Versions, before: Mapping[str, TensorReport]) -> str | None:
    """The tensor's own entry if the scale is that one's; else that of an input whose scale it keeps, or of
    another tensor that it shares a scale with (what is concatenated).
    """
    scale = np.float32(versions.scales[name])
    same = {
        entry.name: entry.tensor
        for entry in versions.entries
        if np.float32(versions.table.scales[entry.name]) == scale
    }
    part = versions.parts.get(name)
    kept = [before[source].entry for source in part.inputs] if part is not None else []
    own = [entry for entry, tensor in same.items() if tensor == name]
    return next((entry for entry in (*own, *kept, *same) if entry in same), None)
