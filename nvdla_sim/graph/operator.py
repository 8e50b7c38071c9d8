"""The base of all operators: it owns checking, so that an operator's file holds its meaning only.

An operator is a frozen dataclass of its attributes. Shapes are written without the batch axis; arrays have it
(``NCHW``), so axis numbers are Caffe's: 0 is the batch, 1 the channels.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from nvdla_sim.errors import ModelError

Shape = tuple[int, ...]
Array = npt.NDArray[np.float32]
Params = Mapping[str, Array]

# Far above what any net needs, far below what a hostile prototxt asks for: 1 GiB of float32 per image,
# and half of that for one parameter (the largest of VGG-16 has 103 million numbers).
MAX_ELEMENTS = 1 << 28
MAX_PARAMETER = 1 << 27


def check_size(what: str, shape: Shape) -> None:
    """``ModelError`` unless there are axes, all positive, with at most ``MAX_ELEMENTS`` elements together."""
    if not shape:
        raise ModelError(f"{what} would have no axis but the batch")
    if any(size < 1 for size in shape):
        raise ModelError(f"{what} would have the shape {shape_text(shape)}: every size must be at least 1")
    if math.prod(shape) > MAX_ELEMENTS:
        raise ModelError(
            f"{what} would have the shape {shape_text(shape)}, more than {MAX_ELEMENTS} elements per image"
        )


def shape_text(shape: Shape) -> str:
    """``(64, 7, 7)`` -> ``64x7x7``."""
    return "x".join(str(size) for size in shape) or "scalar"


class Operator(ABC):
    """One layer's meaning: how shapes follow, which parameters it has, what it computes in float32."""

    kind: ClassVar[str]
    """Caffe's word for the layer."""
    arity: ClassVar[tuple[int, int | None]] = (1, 1)
    """Least and greatest number of inputs; None: no limit."""

    def output_shapes(self, shapes: Sequence[Shape]) -> list[Shape]:
        """The shapes of the outputs (without batch); ``ModelError`` telling what does not fit."""
        self._check_arity(len(shapes))
        self._check_finite()
        outputs = self._shapes(list(shapes))
        for shape in outputs:
            check_size("its output", shape)
        return outputs

    def param_shapes(self, shapes: Sequence[Shape]) -> dict[str, Shape]:
        """Name and shape of each parameter for inputs of these shapes, in the order of Caffe's blobs."""
        self.output_shapes(shapes)
        expected = self._param_shapes(list(shapes))
        for name, shape in expected.items():
            if math.prod(shape) > MAX_PARAMETER:
                raise ModelError(
                    f"its {name} would have the shape {shape_text(shape)}, more than {MAX_PARAMETER} numbers"
                )
        return expected

    def run(self, inputs: Sequence[Array], params: Params) -> list[Array]:
        """The outputs for float32 inputs with a batch axis. An output may share memory with an input."""
        self._check_arity(len(inputs))
        return self._run(list(inputs), params)

    @abstractmethod
    def _shapes(self, shapes: list[Shape]) -> list[Shape]: ...

    def _param_shapes(self, shapes: list[Shape]) -> dict[str, Shape]:
        return {}

    @abstractmethod
    def _run(self, inputs: list[Array], params: Params) -> list[Array]: ...

    def _check_arity(self, count: int) -> None:
        least, greatest = self.arity
        if least <= count and (greatest is None or count <= greatest):
            return
        if greatest is None:
            allowed = f"{least} or more"
        else:
            allowed = f"{least} to {greatest}" if least < greatest else f"{least}"
        raise ModelError(f"{self.kind} has {count} bottoms, allowed: {allowed}")

    def _check_finite(self) -> None:
        for name, value in vars(self).items():
            for number in value if isinstance(value, tuple) else (value,):
                if isinstance(number, float) and not math.isfinite(number):
                    raise ModelError(f"{name} {value} must be finite")


class Elementwise(Operator):
    """An operator with one input whose output has the input's shape."""

    def _shapes(self, shapes: list[Shape]) -> list[Shape]:
        return shapes

    def _run(self, inputs: list[Array], params: Params) -> list[Array]:
        return [self.apply(inputs[0], params)]

    @abstractmethod
    def apply(self, x: Array, params: Params) -> Array:
        """The output for one input of any shape with a batch axis."""


def feature_shape(shape: Shape, kind: str) -> tuple[int, int, int]:
    """``shape`` as (C, H, W), or ``ModelError``: for operators that slide a window over an image."""
    if len(shape) != 3:
        raise ModelError(f"{kind} needs an input of shape CxHxW, got {shape_text(shape)}")
    return shape[0], shape[1], shape[2]


def check_axis(axis: int, shape: Shape) -> None:
    """``ModelError`` unless ``axis`` is an axis of ``shape`` other than the batch."""
    if not 1 <= axis <= len(shape):
        raise ModelError(f"axis {axis} is not an axis of {shape_text(shape)}, allowed: 1 to {len(shape)}")


def check_equal(shapes: Sequence[Shape]) -> None:
    """``ModelError`` unless all shapes are the same."""
    if len(set(shapes)) > 1:
        raise ModelError(f"its bottoms have different shapes: {', '.join(map(shape_text, shapes))}")


def along(values: Array, axis: int, rank: int) -> Array:
    """``values`` reshaped so that they lie on the axes from ``axis`` on of an array with ``rank`` axes."""
    return values.reshape((1,) * axis + values.shape + (1,) * (rank - axis - values.ndim))
