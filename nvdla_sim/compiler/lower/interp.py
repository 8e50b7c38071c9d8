"""Interp (bilinear) by whole factors -> a depthwise deconvolution with whole-numbered weights, rounded once.

With n output steps from one source pixel to the next the weights along an axis are ``n - |distance|``; the
product of both axes' weights is divided by n_y * n_x.
"""

from __future__ import annotations

import numpy as np

from nvdla_sim.compiler.lower.convolve import features
from nvdla_sim.compiler.lower.deconvolution import deconvolve
from nvdla_sim.compiler.lower.lowering import Lowering
from nvdla_sim.compiler.program import Converter, IntArray, Post
from nvdla_sim.compiler.scaling import multiplier
from nvdla_sim.compiler.steps import Step


def lower(step: Step, to: Lowering) -> None:
    node = step.head
    source = features(to, node.inputs[0])
    channels, *sizes = to.graph.tensors[node.inputs[0]].chw
    _, *outputs = to.graph.tensors[step.output].chw
    (rows, stride_y, pad_y), (columns, stride_x, pad_x) = (
        _axis(size, output) for size, output in zip(sizes, outputs, strict=True)
    )
    window = np.outer(rows, columns).astype(np.int8)
    weights = np.broadcast_to(window, (channels, 1, *window.shape))
    factor = source.scale / (to.scales[step.output] * np.float32(rows.max() * columns.max()))
    post = Post(out=Converter(*multiplier(float(factor), f'layer "{node.name}"')))
    deconvolve(
        to, node.name, source, weights, (stride_y, stride_x), (pad_y, pad_x), post, step.output, channels
    )


def steps_between(size: int, output: int) -> int | None:
    """Output steps from one source pixel to the next; None where they are not whole."""
    if size == 1:
        return 1
    return (output - 1) // (size - 1) if (output - 1) % (size - 1) == 0 and output > 1 else None


def _axis(size: int, output: int) -> tuple[IntArray, int, int]:
    """Weights, stride and pad along one axis. A single pixel goes everywhere."""
    steps = steps_between(size, output)
    assert steps is not None
    if size == 1:
        return np.ones(output, np.int64), output, 0
    return steps - np.abs(np.arange(1 - steps, steps)), steps, steps - 1
