"""Any function of one value -> CDP's table with an entry for each of the 256 int8 values: an exact map.

Serves Sigmoid, TanH, Swish, ELU, BNLL, Threshold, AbsVal, Exp, Log, Power, Clip and leaky ReLU, on every
configuration.

Behind a convolution functions that end flat need no int8 in between where the SDP has the stage Y: its table
has 257 points over +-8, between which it interpolates.

Source: compiler-facts section 8.8, recipes section 1.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nvdla_sim.compiler.lower.convolve import features_for
from nvdla_sim.compiler.lower.lowering import Lowering
from nvdla_sim.compiler.lower.values import Values
from nvdla_sim.compiler.program import Cdp, Converter, IntArray, Lut, Post, Stage
from nvdla_sim.compiler.scaling import multiplier
from nvdla_sim.compiler.steps import Step
from nvdla_sim.graph.operator import Operator
from nvdla_sim.loadable.enums import SdpAct

NEVER = 1000  # where the other table begins: above all arguments

ONE = 2**15  # a result of 1 in the table of stage Y
BEGIN = -(2**15)  # its first argument
SPACING = 8  # bits between its points
STEP = np.float32(8 / ONE)  # what 1 of its argument is worth


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


def post(values: Values, op: Operator, scale: np.float32) -> Post:
    """A function between -1 and 1 that is flat beyond +-8, in stage Y; ``values`` must fit ``STEP``."""
    points = (BEGIN + (np.arange(257, dtype=np.float32) * (1 << SPACING)))[None] * STEP
    entries = np.rint(op.run([points], {})[0][0].astype(np.float64) * ONE)
    lo = np.clip(entries, -ONE, ONE - 1).astype(np.int64)
    lut = Lut(
        le=np.full(65, lo[-1]),
        lo=lo,
        le_start=1 << 30,
        le_select=0,
        lo_start=BEGIN,
        lo_select=SPACING,
        le_beyond=False,
    )
    out = Converter(*multiplier(1 / (ONE * float(scale)), values.what))
    return replace(values.in_steps(STEP), y=Stage(act=SdpAct.LUT), lut=lut, out=out)
