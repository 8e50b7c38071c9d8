"""Scales from some source -> a complete table for a net, with a report of where each scale comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from nvdla_sim.calib.layers import FUSED, KEEPS_RANGE, entries
from nvdla_sim.calib.table import Table
from nvdla_sim.errors import CalibrationError, did_you_mean, listed
from nvdla_sim.graph.graph import Graph

# Operators whose output cannot leave [-1, 1].
KNOWN_RANGE = frozenset({"Sigmoid", "Softmax", "TanH"})
MAX_LISTED = 20
ADVICE = "calibrate again, or fill the gaps with nvdla-table convert --default SCALE"
KNOWN_SCALE = float(np.float32(1) / np.float32(127))


@dataclass
class Fit:
    """``table``: the scale of every input and layer that has one, in the net's order.

    ``matched``: names with a scale of their own; ``inherited``: name -> whose scale it has; ``defaulted``:
    name -> why; ``unused``: a sentence for each entry that fits nothing; ``missing``: names without a scale.
    """

    table: Table
    matched: list[str] = field(default_factory=list)
    inherited: dict[str, str] = field(default_factory=dict)
    defaulted: dict[str, str] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def report(self) -> str:
        """Counts, and a line for everything that is not simply matched."""
        counts = [
            f"{len(self.matched)} matched",
            f"{len(self.inherited)} inherited",
            f"{len(self.defaulted)} defaulted",
            f"{len(self.unused)} unused",
            f"{len(self.missing)} missing",
        ]
        lines = [f"{name}: inherited from {source}" for name, source in self.inherited.items()]
        lines += [f"{name}: defaulted, {why}" for name, why in self.defaulted.items()]
        return listed(", ".join(counts), [*lines, *_first(f"unused {entry}" for entry in self.unused)])

    def complete(self) -> Table:
        """The table; ``CalibrationError`` naming every layer without a scale and what may be meant for it."""
        if self.missing:
            spare = [entry.split('"')[1] for entry in self.unused]
            missing = (f'"{name}" {did_you_mean(name, spare)}'.rstrip() for name in self.missing)
            unused = (f"unused {entry}" for entry in self.unused)
            raise CalibrationError(
                listed(
                    f"{self.table.source} has no scale for {len(self.missing)} inputs and layers; {ADVICE}:",
                    [*_first(missing), *_first(unused)],
                )
            )
        return self.table


def _first(problems: Iterable[str]) -> list[str]:
    """The first ones; a table of another net has hundreds."""
    lines = list(problems)
    rest = len(lines) - MAX_LISTED
    return lines if rest <= 0 else [*lines[:MAX_LISTED], f"and {rest} more"]


def fit(
    graph: Graph,
    scales: Mapping[str, float],
    source: str,
    unused: Sequence[str] = (),
    default: float | None = None,
) -> Fit:
    """Complete ``scales`` (by tensor).

    A layer without a scale has that of its input where it keeps the range, or of a layer behind it that
    keeps the range or is fused into it; else 1/127 where its operator's range is [-1, 1]; else ``default``.
    """
    known = {tensor: float(np.float32(scale)) for tensor, scale in scales.items() if _usable(scale)}
    refused = [f'"{name}": scale {scales[name]:g} cannot be used' for name in scales if name not in known]
    origin = _spread(graph, known)
    result = Fit(Table({}, source), unused=[*unused, *refused])
    table: dict[str, float] = {}
    names = {tensor: name for name, tensor in entries(graph)}
    kinds = {node.name: node.op.kind for node in graph.nodes}
    for name, tensor in entries(graph):
        if tensor in known:
            table[name] = known[tensor]
            if tensor in origin:
                result.inherited[name] = names.get(origin[tensor], origin[tensor])
            else:
                result.matched.append(name)
        elif kinds.get(name) in KNOWN_RANGE:
            table[name] = KNOWN_SCALE
            result.defaulted[name] = f"{kinds[name]} gives values up to 1"
        elif default is not None:
            table[name] = default
            result.defaulted[name] = f"{default:g} as asked for"
        else:
            result.missing.append(name)
    result.table = Table(table, source)
    return result


def by_name(graph: Graph, scales: Mapping[str, float]) -> tuple[dict[str, float], list[str]]:
    """Scales by input and layer -> scales by tensor, and why the others fit nothing."""
    tensors = dict(entries(graph))
    found = {tensors[name]: scale for name, scale in scales.items() if name in tensors}
    unused = [
        f'"{name}": the net has no such input or layer; {did_you_mean(name, tensors)}'.rstrip("; ")
        for name in scales
        if name not in tensors
    ]
    return found, unused


@np.errstate(over="ignore")
def _usable(scale: float) -> bool:
    """Above 0 and finite in single precision, and so amax = 127 * scale."""
    return bool(np.float32(scale) >= np.finfo(np.float32).tiny and np.isfinite(np.float32(scale * 127)))


def _spread(graph: Graph, known: dict[str, float]) -> dict[str, str]:
    """Give scales in ``known`` to tensors of the same range; returns from which tensor each has its own."""
    readers: dict[str, int] = {}
    for node in graph.nodes:
        for tensor in node.inputs:
            readers[tensor] = readers.get(tensor, 0) + 1
    origin: dict[str, str] = {}

    def give(tensor: str, source: str) -> None:
        if tensor not in known and source in known:
            known[tensor] = known[source]
            origin[tensor] = origin.get(source, source)

    for node in graph.nodes:
        if node.op.kind in KEEPS_RANGE:
            for output in node.outputs:
                give(output, node.inputs[0])
    for node in reversed(graph.nodes):
        source = node.inputs[0]
        if node.op.kind in KEEPS_RANGE or (node.op.kind in FUSED and readers[source] == 1):
            for output in node.outputs:
                give(source, output)
    for node in graph.nodes:  # what has become known from behind
        if node.op.kind in KEEPS_RANGE:
            for output in node.outputs:
                give(output, node.inputs[0])
    return origin
