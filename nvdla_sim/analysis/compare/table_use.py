"""A calibration table held against a float run: which entries are missing, and which tensor each is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from nvdla_sim.calib.layers import range_of
from nvdla_sim.calib.table import Table
from nvdla_sim.compiler.scales import needed_entries
from nvdla_sim.errors import CalibrationError, did_you_mean, listed
from nvdla_sim.graph.graph import Graph
from nvdla_sim.graph.operator import Array

FOREIGN = 0.5  # a table that lacks more than this part of a net's entries is another net's


@dataclass(frozen=True)
class Entry:
    """A name that the net needs in its table, with the tensor whose largest |value| it holds.

    ``table_amax`` is the table's (127 * scale), None where it has no such entry; ``float_amax`` is that of
    the float run: of the layer's input where the layer keeps its range (pooling) and has its scale.
    """

    name: str
    tensor: str
    table_amax: float | None
    float_amax: float


def entries(graph: Graph, table: Table, tensors: Mapping[str, Array]) -> list[Entry]:
    """The entries that the net needs, inputs first, then in the order of the layers.

    ``tensors``: every tensor of a float run. ``CalibrationError`` when the table is another net's.
    """
    found = []
    names, ranges = needed_entries(graph), range_of(graph, averages=True)
    for tensor, name in names.items():
        scale = table.scales.get(name)
        source = ranges[tensor]
        kept = scale is not None and table.scales.get(names[source]) == scale
        largest = float(np.abs(tensors[source if kept else tensor]).max())
        found.append(Entry(name, tensor, None if scale is None else scale * 127, largest))
    missing = [entry.name for entry in found if entry.table_amax is None]
    if len(missing) > FOREIGN * len(found):
        lines = [f'"{name}" {did_you_mean(name, table.scales)}'.rstrip() for name in missing]
        raise CalibrationError(
            listed(
                f"{table.source} is of another net: it has {len(table.scales)} entries, but of the "
                f'{len(found)} that net "{graph.name}" needs these {len(missing)} are missing:',
                lines,
            )
        )
    return found


def completed(table: Table, needed: list[Entry]) -> Table:
    """The table with what it lacks taken from the float run, so that the net can be compiled."""
    own = {entry.name: entry.float_amax / 127 or 1.0 for entry in needed if entry.table_amax is None}
    return replace(table, scales={**table.scales, **own})
