"""Which scale each tensor in memory has: ``real = scale * int8``.

The table gives one for each layer. A tensor whose engine cannot rescale keeps the scale of what it is made
from; of layers that run as one operation only the last one's scale counts.

Source: compiler-facts sections 6.2 (merged layers) and 8.3 (pooling).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nvdla_sim.calib.table import Table
from nvdla_sim.compiler.steps import Step
from nvdla_sim.errors import CalibrationError, did_you_mean, listed
from nvdla_sim.graph.graph import Graph
from nvdla_sim.graph.ops.pooling import Pooling

# Layers that only rename, cut or reshape: the values are those of their input.
UNSCALED = frozenset({"Dropout", "Split", "Flatten", "Reshape", "Permute", "Slice", "Crop"})


def check_table(graph: Graph, table: Table) -> None:
    """Raise ``CalibrationError`` naming every input and layer that needs a scale and has none."""
    needed = [(f'input "{name}"', name) for name in graph.inputs]
    needed += [(f'layer "{n.name}" ({n.op.kind})', n.name) for n in graph.nodes if n.op.kind not in UNSCALED]
    missing = [
        f"{what} {did_you_mean(name, table.scales)}".rstrip()
        for what, name in needed
        if name not in table.scales
    ]
    if missing:
        raise CalibrationError(listed(f"{table.source} has no scale for", missing))


def assign_scales(graph: Graph, steps: Sequence[Step], table: Table) -> dict[str, np.float32]:
    """The scale of every tensor that a step reads or writes, by tensor name."""
    scales = {name: np.float32(table.scales[name]) for name in graph.inputs}
    for step in steps:
        if step.head.op.kind in UNSCALED or isinstance(step.head.op, Pooling):
            scales[step.output] = scales[step.head.inputs[0]]
        else:
            scales[step.output] = np.float32(table.scales[step.last.name])
    return scales
