"""Reading a layer's fields: what must be there, pairs that are written in several ways, axes."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from nvdla_sim.errors import ModelError, UnsupportedError
from nvdla_sim.graph.operator import Shape
from nvdla_sim.graph.ops.convolution import Pair


def required(param: Message, name: str) -> Any:
    """The field's value; ``ModelError`` when it is not given."""
    if not param.HasField(name):
        raise ModelError(f"{name} is missing")
    return getattr(param, name)


def pair(param: Message, name: str, stem: str, default: int | None = None) -> Pair:
    """(height, width) from ``stem_h`` and ``stem_w``, or from ``name`` given once or twice (height first)."""
    sides = (f"{stem}_h", f"{stem}_w")
    given = [side for side in sides if side in param.DESCRIPTOR.fields_by_name and param.HasField(side)]
    value = getattr(param, name)
    values = [value] * param.HasField(name) if isinstance(value, int) else list(value)
    if given and values:
        raise ModelError(f"{name} and {given[0]} exclude each other")
    if given:
        values = [getattr(param, side) if side in given else default for side in sides]
    elif not values:
        values = [default]
    if None in values:
        raise ModelError(f"{' and '.join(sides) if given else name} must be given")
    if len(values) > 2:
        raise ModelError(f"{name} is given {len(values)} times, allowed: once, or twice (height, width)")
    return values[0], values[-1]


def batch_free_axis(axis: int, shapes: list[Shape], word: str = "axis") -> int:
    """The axis of the first bottom counted from the front; the batch axis is refused."""
    rank = len(shapes[0])
    index = axis + rank if axis < 0 else axis
    if not 0 <= index < rank:
        raise ModelError(f"{word} {axis} is not an axis of a bottom with {rank} axes")
    if index == 0:
        raise UnsupportedError(f"{word} {axis} mixes the images of a batch, allowed: 1 to {rank - 1}")
    return index


def image_size(shapes: list[Shape]) -> Pair:
    """Height and width of the first bottom; ``ModelError`` when it is not NxCxHxW."""
    if len(shapes[0]) != 4:
        raise ModelError(f"needs a bottom with 4 axes (NxCxHxW), got {len(shapes[0])}")
    return shapes[0][2], shapes[0][3]
