"""Pooling: the maximum or average of each window, with Caffe's output size and divisor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nvdla_sim.errors import ModelError
from nvdla_sim.graph.operator import Array, Operator, Params, Shape, check_size, feature_shape
from nvdla_sim.graph.ops.convolution import Pair, check_window

METHODS = ("MAX", "AVE")


@dataclass(frozen=True)
class Pooling(Operator):
    """Pairs are (height, width); ``method`` is MAX or AVE; ``ceil`` rounds the output size up, as Caffe does.

    Global pooling is a kernel of the input's size.
    """

    kind: ClassVar[str] = "Pooling"
    method: str
    kernel: Pair
    stride: Pair = (1, 1)
    pad: Pair = (0, 0)
    ceil: bool = True

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ModelError(f"pooling method {self.method} is not supported, allowed: {', '.join(METHODS)}")
        check_window(self.kernel, self.stride, self.pad)
        if any(pad >= kernel for pad, kernel in zip(self.pad, self.kernel, strict=True)):
            raise ModelError(f"pad {self.pad} must be smaller than the kernel {self.kernel}")

    def _shapes(self, shapes: list[Shape]) -> list[Shape]:
        channels, *size = feature_shape(shapes[0], self.kind)
        check_size("its padded input", (channels, *(n + 2 * p for n, p in zip(size, self.pad, strict=True))))
        return [(channels, *(self._length(n, axis) for axis, n in enumerate(size)))]

    def _length(self, size: int, axis: int) -> int:
        """Number of windows along one axis (0 height, 1 width)."""
        kernel, stride, pad = self.kernel[axis], self.stride[axis], self.pad[axis]
        room = size + 2 * pad - kernel
        if room < 0:
            raise ModelError(f"kernel {kernel} is larger than the padded input of {size + 2 * pad}")
        length = (-(-room // stride) if self.ceil else room // stride) + 1
        if any(self.pad) and (length - 1) * stride >= size + pad:
            length -= 1  # the last window would start in the padding beyond the image
        if (length - 1) * stride - pad >= size:
            raise ModelError(f"stride {stride} with kernel {kernel} puts the last window outside the input")
        return length

    def _run(self, inputs: list[Array], params: Params) -> list[Array]:
        x = inputs[0]
        lengths = [self._length(size, axis) for axis, size in enumerate(x.shape[2:])]
        if self.method == "MAX":
            for axis, length in enumerate(lengths):
                x = self._reduce(x, axis, length, np.maximum, np.float32(-np.inf))
            return [x]
        divisors = [self._divisors(size, axis, lengths[axis]) for axis, size in enumerate(x.shape[2:])]
        for axis, length in enumerate(lengths):
            x = self._reduce(x, axis, length, np.add, np.float32(0))
        return [x / (divisors[0][:, None] * divisors[1])]

    def _reduce(self, x: Array, axis: int, length: int, combine: np.ufunc, empty: np.float32) -> Array:
        """All windows of one axis at once: both methods are separable."""
        kernel, stride, pad = self.kernel[axis], self.stride[axis], self.pad[axis]
        beyond = max(0, (length - 1) * stride + kernel - pad - x.shape[2 + axis])
        if pad or beyond:
            edges = [(0, 0)] * 4
            edges[2 + axis] = (pad, beyond)
            x = np.pad(x, edges, constant_values=empty)
        x = np.moveaxis(x, 2 + axis, 0)
        if length < kernel:  # few large windows: one after the other
            starts = range(0, length * stride, stride)
            y = np.stack([combine.reduce(x[start : start + kernel]) for start in starts])
        else:  # tap by tap, for all windows at once
            span = (length - 1) * stride + 1
            y = x[:span:stride].copy()
            for tap in range(1, kernel):
                combine(y, x[tap : tap + span : stride], out=y)
        return np.moveaxis(y, 0, 2 + axis)

    def _divisors(self, size: int, axis: int, length: int) -> Array:
        """What Caffe divides by along an axis: padding counts, what lies beyond it does not."""
        start = np.arange(length) * self.stride[axis] - self.pad[axis]
        end = np.minimum(start + self.kernel[axis], size + self.pad[axis])
        return (end - start).astype(np.float32)
