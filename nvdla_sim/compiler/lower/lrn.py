"""LRN -> CDP: the element times a table's value for the sum of squares around it.

The table holds ``f(s) = (k + alpha/n * S_i^2 * s)^-beta * 2^p`` for sums s of squares of int8 values. Its
fine half LO covers the small sums with 256 intervals of ``2^F``, its coarse half LE the rest with 64; F is
the one with the smallest error in the output.

Source: compiler-facts section 8.10, recipes section 1 ("LRN", the linear form).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.compiler.lower import unary
from nvdla_sim.compiler.lower.convolve import features
from nvdla_sim.compiler.lower.lowering import Lowering
from nvdla_sim.compiler.program import Cdp, Converter, Lut
from nvdla_sim.compiler.scaling import ScaleError, multiplier
from nvdla_sim.compiler.steps import Step
from nvdla_sim.graph.ops.lrn import LRN

SQUARE = 128 * 128  # the largest of an int8 value
MAX_ENTRY = 32767

Function = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def lower(step: Step, to: Lowering) -> None:
    """A window of one channel is a function of one value."""
    node, op = step.head, step.head.op
    assert isinstance(op, LRN)
    if op.local_size == 1:
        unary.lower(step, to)
        return
    source = features(to, node.inputs[0], in_order=True)
    dest = to.destination(step.output)
    strength = op.alpha / op.local_size * float(source.scale) ** 2

    def function(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        return (op.k + strength * sums) ** -op.beta

    most = op.local_size * SQUARE
    peak = float(function(np.array([0.0, most])).max())
    if not 0 < peak < np.inf:
        raise ScaleError(
            f'layer "{node.name}": k {op.k:g} and beta {op.beta:g} make a factor of {peak:g} for the input '
            f"scale {float(source.scale):g}, which no table holds"
        )
    bits = int(np.floor(np.log2(MAX_ENTRY / peak)))
    lut = best_table(lambda sums: function(sums) * 2.0**bits, most)
    out = Converter(
        *multiplier(float(source.scale) / (float(dest.scale) * 2.0**bits), f'layer "{node.name}"')
    )
    src = replace(source.cube, channels=dest.cube.channels)
    to.emit(Cdp(node.name, src, dest.cube, lut, op.local_size, out))


def best_table(function: Function, most: int) -> Lut:
    """The tables of ``function`` over 0 .. ``most`` with the smallest error of the products they make."""
    sums = np.arange(most + 1, dtype=np.float64)
    exact = function(sums)
    largest = np.sqrt(np.minimum(sums, SQUARE))  # of an element among the squares
    candidates = [_table(function, most, select) for select in range(int(most).bit_length() - 7)]
    return min(candidates, key=lambda lut: float(np.max(np.abs(_read(lut, sums) - exact) * largest)))


def _table(function: Function, most: int, select: int) -> Lut:
    start = 256 << select
    coarse = 0
    while start + (64 << coarse) <= most:
        coarse += 1
    return Lut(
        le=_entries(function, start + (np.arange(65) << coarse)),
        lo=_entries(function, np.arange(257) << select),
        le_start=start,
        le_select=coarse,
        lo_start=0,
        lo_select=select,
        le_beyond=True,
    )


def _entries(function: Function, sums: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.rint(function(sums.astype(np.float64))).astype(np.int64)


def _read(lut: Lut, sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the tables give, but for the rounding between entries."""
    fine = np.interp(sums, lut.lo_start + (np.arange(257) << lut.lo_select), lut.lo)
    coarse = np.interp(sums, lut.le_start + (np.arange(65) << lut.le_select), lut.le)
    return np.where(sums < 256 << lut.lo_select, fine, coarse)
