"""Scale: y = x * weight + bias, both spread over the axes they do not have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nvdla_sim.errors import ModelError
from nvdla_sim.graph.operator import Array, Operator, Params, Shape, along, check_axis, shape_text


@dataclass(frozen=True)
class Scale(Operator):
    """One input: the parameters weight and (if ``bias``) bias have the input's sizes from ``axis`` on.

    Two inputs: the second one is the weight; it has the first sizes of the first one (Caffe's axis 0). No
    parameters.
    """

    kind: ClassVar[str] = "Scale"
    arity: ClassVar[tuple[int, int | None]] = (1, 2)
    axis: int = 1
    num_axes: int = 1
    bias: bool = False

    def _shapes(self, shapes: list[Shape]) -> list[Shape]:
        check_spread(shapes, self.axis, self.num_axes)
        if len(shapes) == 2 and self.bias:
            raise ModelError("a bias is not supported where the scale is a bottom")
        return shapes[:1]

    def _param_shapes(self, shapes: list[Shape]) -> dict[str, Shape]:
        if len(shapes) == 2:
            return {}
        shape = shapes[0][self.axis - 1 : self.axis - 1 + self.num_axes]
        return {"weight": shape, **({"bias": shape} if self.bias else {})}

    def _run(self, inputs: list[Array], params: Params) -> list[Array]:
        x = inputs[0]
        if len(inputs) == 2:
            return [x * along(inputs[1], 0, x.ndim)]
        y = x * along(params["weight"], self.axis, x.ndim)
        if self.bias:
            y += along(params["bias"], self.axis, x.ndim)
        return [y]


def check_spread(shapes: list[Shape], axis: int, num_axes: int) -> None:
    """``ModelError`` unless a second input, or a parameter with ``num_axes`` axes, fits the first input."""
    if len(shapes) == 2:
        if shapes[1] != shapes[0][: len(shapes[1])]:
            first, second = map(shape_text, shapes)
            by_channel = shapes[1][0] == shapes[0][0] and max(shapes[1][1:]) == 1
            hint = "; put a Flatten in front of it" if by_channel else ""
            raise ModelError(f"its second bottom {second} does not match the first sizes of {first}{hint}")
    elif num_axes:
        check_axis(axis, shapes[0])
        check_axis(axis + num_axes - 1, shapes[0])
