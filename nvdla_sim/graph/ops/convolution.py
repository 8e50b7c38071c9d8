"""Convolution: y[k] = sum over (c, r, s) of w[k, c, r, s] * x[c, oh*S + r*D - P, ow*S + s*D - P] + b[k]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nvdla_sim.errors import ModelError
from nvdla_sim.graph.operator import Array, Operator, Params, Shape, check_size, feature_shape

Pair = tuple[int, int]

# Columns are unfolded in blocks of output rows of about this many floats, so that they stay in the cache.
BLOCK_ELEMENTS = 1 << 20


@dataclass(frozen=True)
class Convolution(Operator):
    """Pairs are (height, width). ``group`` = input channels is depthwise.

    Parameters: weight (num_output, C / group, kernel height, kernel width); bias (num_output,) if ``bias``.
    """

    kind: ClassVar[str] = "Convolution"
    num_output: int
    kernel: Pair
    stride: Pair = (1, 1)
    pad: Pair = (0, 0)
    dilation: Pair = (1, 1)
    group: int = 1
    bias: bool = True

    def __post_init__(self) -> None:
        check_window(self.kernel, self.stride, self.pad, self.dilation)
        check_groups(self.num_output, self.group)

    def _shapes(self, shapes: list[Shape]) -> list[Shape]:
        channels, *size = feature_shape(shapes[0], self.kind)
        check_channels(channels, self.group)
        check_size("its padded input", (channels, *(n + 2 * p for n, p in zip(size, self.pad, strict=True))))
        height, width = (
            (n + 2 * p - ((k - 1) * d + 1)) // s + 1
            for n, p, k, d, s in zip(size, self.pad, self.kernel, self.dilation, self.stride, strict=True)
        )
        return [(self.num_output, height, width)]

    def _param_shapes(self, shapes: list[Shape]) -> dict[str, Shape]:
        weight = (self.num_output, shapes[0][0] // self.group, *self.kernel)
        return {"weight": weight, **({"bias": (self.num_output,)} if self.bias else {})}

    def _run(self, inputs: list[Array], params: Params) -> list[Array]:
        x, weight = inputs[0], params["weight"]
        (top, left), (step_y, step_x), (dilate_y, dilate_x) = self.pad, self.stride, self.dilation
        if top or left:
            x = np.pad(x, ((0, 0), (0, 0), (top, top), (left, left)))
        extent = ((self.kernel[0] - 1) * dilate_y + 1, (self.kernel[1] - 1) * dilate_x + 1)
        # windows[n, c, oh, ow, r, s]: a view, nothing is copied
        windows = sliding_window_view(x, extent, axis=(2, 3))[
            :, :, ::step_y, ::step_x, ::dilate_y, ::dilate_x
        ]
        if weight.shape[1] == 1 and self.group > 1:
            y = _depthwise(windows, weight)
        else:
            y = _grouped(windows, weight, self.group)
        if self.bias:
            y += params["bias"][:, None, None]
        return [y]


def _grouped(windows: Array, weight: Array, group: int) -> Array:
    """One matrix product per image, group and block of output rows."""
    batch, channels, height, width = windows.shape[:4]
    kernels, taps = weight.shape[0], int(np.prod(weight.shape[1:]))
    matrix = weight.reshape(group, kernels // group, taps)
    y = np.empty((batch, group, kernels // group, height, width), np.float32)
    part = channels // group
    rows = max(1, BLOCK_ELEMENTS // (taps * width))
    for n in range(batch):
        for g in range(group):
            for top in range(0, height, rows):
                block = windows[n, g * part : (g + 1) * part, top : top + rows]
                columns = np.ascontiguousarray(block.transpose(0, 3, 4, 1, 2)).reshape(taps, -1)
                product = matrix[g] @ columns
                y[n, g, :, top : top + rows] = product.reshape(kernels // group, -1, width)
    return y.reshape(batch, kernels, height, width)


def _depthwise(windows: Array, weight: Array) -> Array:
    """One multiply-add of whole planes per tap; each channel has its own ``multiplier`` kernels."""
    batch, channels, height, width = windows.shape[:4]
    multiplier = weight.shape[0] // channels
    taps = weight.reshape(channels, multiplier, *weight.shape[2:])
    y = np.zeros((batch, channels, multiplier, height, width), np.float32)
    for r, s in np.ndindex(*weight.shape[2:]):
        y += windows[:, :, None, :, :, r, s] * taps[None, :, :, r, s, None, None]
    return y.reshape(batch, channels * multiplier, height, width)


def check_window(kernel: Pair, stride: Pair, pad: Pair, dilation: Pair = (1, 1)) -> None:
    """``ModelError`` naming every impossible value of a sliding window."""
    least = {"kernel": (kernel, 1), "stride": (stride, 1), "pad": (pad, 0), "dilation": (dilation, 1)}
    problems = [
        f"{word} {pair[0]}x{pair[1]} must be at least {low}"
        for word, (pair, low) in least.items()
        if min(pair) < low
    ]
    if problems:
        raise ModelError("; ".join(problems))


def check_groups(num_output: int, group: int) -> None:
    """``ModelError`` unless the kernels can be shared out among the groups."""
    if num_output < 1:
        raise ModelError(f"num_output {num_output} must be at least 1")
    if group < 1 or num_output % group:
        raise ModelError(f"num_output {num_output} cannot be divided into {group} groups")


def check_channels(channels: int, group: int) -> None:
    """``ModelError`` unless the input's channels can be shared out among the groups."""
    if channels % group:
        raise ModelError(f"the input's {channels} channels cannot be divided into {group} groups")
