"""From pixels to the net's input, said once for calibration, float run and int8 run.

x = (pixel - mean[c]) * scale[c] / normalize, the mean in the net's channel order: blue, green, red unless
said otherwise. An int8 net is fed q = clamp(floor(x / S_in + 1/2), -128, 127).

Source: tool-formats sections 1, 3 and 4; the order of a data layer's plain fields is that of Caffe's
data_transformer.cpp, the resize policies are SSD's.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.caffe.data_layers import Transform, TransformOp
from nvdla_sim.calib.mean_image import read_mean_image
from nvdla_sim.calib.preprocess_steps import (
    CentreCrop,
    CentreCropFraction,
    Pixels,
    Resize,
    ResizeFit,
    ResizeSide,
    Standardise,
    Step,
)
from nvdla_sim.errors import OptionError, UnsupportedError, one_of
from nvdla_sim.graph.operator import Array, Shape, shape_text

ORDERS = ("BGR", "RGB")
GREY_WEIGHTS = np.array([7471, 38470, 19595])[:, None, None]  # of blue, green, red, in 1/65536


@dataclass(frozen=True)
class Preprocess:
    """Steps in the order in which they are applied; none means x = pixel."""

    steps: tuple[Step, ...] = ()

    def apply(self, pixels: Pixels, shape: Shape, name: str = "the picture") -> Array:
        """uint8 or float32 CHW pixels (blue, green, red) -> float32 of the net input's ``shape``.

        Grey becomes colour and colour grey as the net needs it. ``OptionError`` when the steps do not fit the
        picture or lead to another size, naming ``name``.
        """
        try:
            values = with_channels(pixels, shape[0])
            for step in self.steps:
                values = step.apply(values)
        except OptionError as problem:
            raise OptionError(f"{name}: {problem}") from None
        if values.shape != shape:
            raise OptionError(
                f"{name}: preprocessing gives {shape_text(values.shape)}, the net's input is "
                f"{shape_text(shape)} (channels x height x width): say how to resize or crop"
            )
        return np.ascontiguousarray(values, dtype=np.float32)

    def unless(self, preprocessed: bool) -> Preprocess:
        """These steps; none where the values are the net's input already."""
        return Preprocess() if preprocessed else self

    @property
    def formula(self) -> str:
        """What happens to a picture, in one line."""
        texts = [str(step) for step in self.steps]
        if not any(isinstance(step, Standardise) for step in self.steps):
            texts.append("x = pixel (BGR)")
        return " -> ".join(texts)

    @classmethod
    def of(
        cls,
        mean: Sequence[float] | Array = (),
        normalize: float = 1.0,
        resize: tuple[int, int] | None = None,
        resize_side: int | None = None,
        crop: tuple[int, int] | None = None,
        order: str = "BGR",
    ) -> Preprocess:
        """Resize to (height, width) or to a shorter side, centre crop, then (pixel - mean[c]) / normalize.

        ``mean``: one number, one for each channel, or an image of the size before the crop. ``OptionError``
        for values that make no sense.
        """
        if resize is not None and resize_side is not None:
            raise OptionError("resize and resize_side exclude each other")
        if not (np.isfinite(normalize) and normalize > 0):
            raise OptionError(f"normalize {normalize:g} must be above 0")
        sides = None if resize_side is None else (resize_side,)
        for what, size in (("resize", resize), ("resize_side", sides), ("crop", crop)):
            if size is not None and min(size) < 1:
                raise OptionError(f"{what} {'x'.join(map(str, size))} must be at least 1")
        sizing: list[Step] = []
        if resize is not None:
            sizing.append(Resize(*resize))
        if resize_side is not None:
            sizing.append(ResizeSide(resize_side))
        rgb = one_of("channel order", order.upper(), ORDERS) == "RGB"
        return cls(_fixed_order(sizing, crop, Standardise.of(mean, div=normalize, rgb=rgb)))

    @classmethod
    def of_transform(cls, transform: Transform) -> Preprocess:
        """What a data layer of a prototxt does. ``UnsupportedError`` for what this project lacks."""
        if transform.ops:
            return cls(tuple(_step(op) for op in transform.ops if op.kind != "NONE"))
        sizing: list[Step] = []
        if transform.resize is not None:
            sizing.append(_resize_policy(transform, *transform.resize))
        mean = _mean(transform.mean_value, transform.mean_file)
        return cls(_fixed_order(sizing, transform.crop, Standardise.of(mean, scale=(transform.scale,))))


def quantize_input(values: Array, scale: float) -> NDArray[np.int8]:
    """``clamp(floor(x / scale + 1/2), -128, 127)``: what an int8 net with this input scale is fed."""
    steps = values.astype(np.float64) / scale
    below = np.floor(steps)
    # not floor(steps + 0.5): that sum would be rounded too
    return np.clip(below + (steps - below >= 0.5), -128, 127).astype(np.int8)


def _fixed_order(
    sizing: list[Step], crop: tuple[int, int] | None, stand: Standardise | None
) -> tuple[Step, ...]:
    """Resize, crop, standardise; a mean image is subtracted before the crop."""
    steps: list[Step | None] = [CentreCrop(*crop) if crop else None, stand]
    if stand is not None and stand.mean.ndim == 3:
        steps.reverse()
    return tuple(step for step in (*sizing, *steps) if step is not None)


def _resize_policy(transform: Transform, height: int, width: int) -> Step:
    if any(word != "LINEAR" for word in transform.interpolation):
        words = ", ".join(transform.interpolation)
        raise UnsupportedError(f"interp_mode {words} is not supported, allowed: LINEAR")
    if transform.resize_mode == "WARP":
        return Resize(height, width)
    if transform.resize_mode == "FIT_SMALL_SIZE":
        return ResizeFit(height, width, None)
    if transform.pad_mode != "CONSTANT":
        raise UnsupportedError(f"pad_mode {transform.pad_mode} is not supported, allowed: CONSTANT")
    return ResizeFit(height, width, transform.pad_value or (0.0,))


def _step(op: TransformOp) -> Step:
    """One step of a ``transform_op`` list."""
    if op.padding:
        raise UnsupportedError(f"transform_op {op.kind} with padding is not supported: leave it out")
    if op.kind == "RESIZE":
        return ResizeSide(op.resize_side) if op.resize_side else Resize(*_size(op.resize, "RESIZE"))
    if op.kind == "CROP":
        if op.crop_fraction:
            return CentreCropFraction(op.crop_fraction)
        return CentreCrop(*_size(op.crop, "CROP"))
    mean = _mean(op.mean_value, op.mean_file)
    return Standardise(np.asarray(mean or (0.0,), np.float32), op.scale or (1.0,), op.div, op.bgr2rgb)


def _size(size: tuple[int, int], kind: str) -> tuple[int, int]:
    if min(size) < 1:
        raise OptionError(f"transform_op {kind} needs a height and a width above 0")
    return size


def _mean(values: Sequence[float], path: str | os.PathLike[str]) -> Sequence[float] | Array:
    return read_mean_image(path) if path else values


def with_channels(pixels: Pixels, channels: int) -> Pixels:
    """Grey <-> colour where the net's input has the other number of channels."""
    if pixels.shape[0] == 1 and channels == 3:
        return np.repeat(pixels, 3, axis=0)
    if pixels.shape[0] == 3 and channels == 1:
        grey = (pixels * GREY_WEIGHTS).sum(axis=0, keepdims=True)
        if pixels.dtype == np.uint8:
            return ((grey + (1 << 15)) >> 16).astype(np.uint8)
        return (grey / (1 << 16)).astype(np.float32)
    return pixels
