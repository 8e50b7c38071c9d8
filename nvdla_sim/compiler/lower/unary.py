"""Any function of one value -> CDP's table with an entry for each of the 256 int8 values: an exact map.

Serves Sigmoid, TanH, ELU, AbsVal, Exp, Log, Power and Clip, on every configuration.

Source: compiler-facts section 8.8, recipes section 1.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nvdla_sim.compiler.lower.convolve import features_for
from nvdla_sim.compiler.lower.lowering import Lowering
from nvdla_sim.compiler.program import Cdp, IntArray, Lut
from nvdla_sim.compiler.steps import Step
from nvdla_sim.graph.operator import Operator

NEVER = 1000  # where the other table begins: above all arguments


def lower(step: Step, to: Lowering) -> None:
    node = step.head
    source = features_for(to, node.inputs[0], step.output)
    dest = to.destination(step.output, source.lanes)
    results = table(node.op, source.scale, dest.scale)
    lut = Lut(
        le=np.zeros(65, np.int64),
        lo=np.append(results, results[-1]),
        le_start=NEVER,
        le_select=0,
        lo_start=-128,
        lo_select=0,
        le_beyond=False,
    )
    to.emit(Cdp(node.name, replace(source.cube, channels=dest.cube.channels), dest.cube, lut))


def table(op: Operator, in_scale: np.float32, out_scale: np.float32) -> IntArray:
    """The int8 result for each of -128 .. 127; 0 where the function has none."""
    arguments = np.arange(-128, 128, dtype=np.float32)[None] * in_scale
    with np.errstate(all="ignore"):
        results = op.run([arguments], {})[0][0].astype(np.float64) / float(out_scale)
    return np.clip(np.rint(np.nan_to_num(results, posinf=127, neginf=-128)), -128, 127).astype(np.int64)
