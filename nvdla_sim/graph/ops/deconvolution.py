"""Deconvolution: every input element adds its kernel to the output.

y[k, h*S + r*D - P, w*S + s*D - P] += x[c, h, w] * weight[c, k, r, s], then + bias[k].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nvdla_sim.graph.operator import Array, Operator, Params, Shape, check_size, feature_shape
from nvdla_sim.graph.ops.convolution import Pair, check_channels, check_groups, check_window


@dataclass(frozen=True)
class Deconvolution(Operator):
    """Pairs are (height, width).

    Parameters: weight (C, num_output / group, kernel height, kernel width); bias (num_output,) if ``bias``.
    """

    kind: ClassVar[str] = "Deconvolution"
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

    def _full_size(self, size: tuple[int, ...]) -> list[int]:
        """Output height and width before the padding is cut off."""
        return [
            (n - 1) * s + (k - 1) * d + 1
            for n, s, k, d in zip(size, self.stride, self.kernel, self.dilation, strict=True)
        ]

    def _shapes(self, shapes: list[Shape]) -> list[Shape]:
        channels, *size = feature_shape(shapes[0], self.kind)
        check_channels(channels, self.group)
        full = self._full_size(tuple(size))
        check_size("its output before cropping", (self.num_output, *full))
        return [(self.num_output, *(n - 2 * p for n, p in zip(full, self.pad, strict=True)))]

    def _param_shapes(self, shapes: list[Shape]) -> dict[str, Shape]:
        weight = (shapes[0][0], self.num_output // self.group, *self.kernel)
        return {"weight": weight, **({"bias": (self.num_output,)} if self.bias else {})}

    def _run(self, inputs: list[Array], params: Params) -> list[Array]:
        batch, channels, height, width = inputs[0].shape
        x = inputs[0].reshape(batch, self.group, channels // self.group, height * width)
        weight = params["weight"].reshape(self.group, channels // self.group, -1, *self.kernel)
        taps = np.ascontiguousarray(weight.transpose(3, 4, 0, 2, 1))
        full_height, full_width = self._full_size((height, width))
        y = np.zeros((batch, self.num_output, full_height, full_width), np.float32)
        for r, s in np.ndindex(*self.kernel):
            top, left = r * self.dilation[0], s * self.dilation[1]
            rows = slice(top, top + (height - 1) * self.stride[0] + 1, self.stride[0])
            columns = slice(left, left + (width - 1) * self.stride[1] + 1, self.stride[1])
            y[:, :, rows, columns] += (taps[r, s] @ x).reshape(batch, self.num_output, height, width)
        (top, left) = self.pad
        y = y[:, :, top : full_height - top, left : full_width - left]
        if self.bias:
            y = y + params["bias"][:, None, None]
        return [np.ascontiguousarray(y)]
