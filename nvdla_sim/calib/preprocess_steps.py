"""The steps that preprocessing is made of: each takes CHW pixels and gives CHW pixels.

Sizes are height, width. A step's text is its part of the printed formula.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.calib.resize import resize
from nvdla_sim.errors import OptionError
from nvdla_sim.graph.operator import Array, shape_text

Pixels = NDArray[Any]  # uint8 or float32
MAX_SIDE = 1 << 14


class Step(Protocol):
    def apply(self, pixels: Pixels) -> Pixels: ...


def _resized(pixels: Pixels, height: int, width: int) -> Pixels:
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        raise OptionError(f"it would be resized to {height}x{width}, allowed: 1 to {MAX_SIDE} a side")
    return resize(pixels, height, width)


@dataclass(frozen=True)
class Resize:
    """To this size, whatever the aspect was."""

    height: int
    width: int

    def apply(self, pixels: Pixels) -> Pixels:
        return _resized(pixels, self.height, self.width)

    def __str__(self) -> str:
        return f"resize to {self.height}x{self.width}"


@dataclass(frozen=True)
class ResizeSide:
    """The shorter side becomes ``side``, the aspect stays."""

    side: int

    def apply(self, pixels: Pixels) -> Pixels:
        _, height, width = pixels.shape
        shorter = min(height, width)
        return _resized(pixels, height * self.side // shorter, width * self.side // shorter)

    def __str__(self) -> str:
        return f"resize the shorter side to {self.side}"


@dataclass(frozen=True)
class ResizeFit:
    """SSD's policies, the aspect stays: cover the size (``pad`` None), or lie in it with ``pad`` around."""

    height: int
    width: int
    pad: tuple[float, ...] | None

    def apply(self, pixels: Pixels) -> Pixels:
        channels, height, width = pixels.shape
        aspect = width / height
        wider = aspect > self.width / self.height
        if (self.pad is None) == wider:
            size = (self.height, int(self.height * aspect))
        else:
            size = (int(self.width / aspect), self.width)
        fitted = _resized(pixels, *size)
        if self.pad is None:
            return fitted
        top, left = (self.height - size[0]) // 2, (self.width - size[1]) // 2
        result = np.empty((channels, self.height, self.width), pixels.dtype)
        result[:] = _per_channel(np.clip(self.pad, 0, 255), channels, "pad_value")
        result[:, top : top + size[0], left : left + size[1]] = fitted
        return result

    def __str__(self) -> str:
        how = "resize to cover" if self.pad is None else "resize to fit and pad to"
        return f"{how} {self.height}x{self.width}"


@dataclass(frozen=True)
class CentreCrop:
    """The middle of the picture; of an odd rest, the smaller half is above and to the left."""

    height: int
    width: int

    def apply(self, pixels: Pixels) -> Pixels:
        _, height, width = pixels.shape
        if self.height > height or self.width > width:
            raise OptionError(
                f"the crop {self.height}x{self.width} is larger than the picture {height}x{width}"
            )
        top, left = (height - self.height) // 2, (width - self.width) // 2
        return pixels[:, top : top + self.height, left : left + self.width]

    def __str__(self) -> str:
        return f"centre crop {self.height}x{self.width}"


@dataclass(frozen=True)
class CentreCropFraction:
    """The middle of the picture with this part of its height and width."""

    fraction: float

    def apply(self, pixels: Pixels) -> Pixels:
        if not 0 < self.fraction <= 1:
            raise OptionError(f"crop_fraction {self.fraction:g} must be above 0 and at most 1")
        _, height, width = pixels.shape
        size = (max(1, int(side * self.fraction)) for side in (height, width))
        return CentreCrop(*size).apply(pixels)

    def __str__(self) -> str:
        return f"centre crop of {self.fraction:g} of each side"


@dataclass(frozen=True, eq=False)
class Standardise:
    """x = (pixel - mean[c]) * scale[c] / div in float32, the channels first swapped to RGB if ``rgb``.

    ``mean``: float32, one number, one for each channel, or an image CHW. ``OptionError`` for numbers that
    make no sense.
    """

    mean: Array
    scale: tuple[float, ...] = (1.0,)
    div: float = 1.0
    rgb: bool = False

    def __post_init__(self) -> None:
        if not (np.isfinite(self.mean).all() and np.isfinite(self.scale).all() and np.isfinite(self.div)):
            raise OptionError("mean, scale and normalize must be finite numbers")
        if self.div == 0:
            raise OptionError("normalize (div) must not be 0")

    @classmethod
    def of(
        cls,
        mean: Sequence[float] | Array,
        scale: tuple[float, ...] = (1.0,),
        div: float = 1.0,
        rgb: bool = False,
    ) -> Standardise | None:
        """None where it would change nothing."""
        values = np.asarray(mean if len(mean) else (0.0,), np.float32)
        if not values.any() and scale == (1.0,) and div == 1 and not rgb:
            return None
        return cls(values, scale, div, rgb)

    def apply(self, pixels: Pixels) -> Pixels:
        values = pixels.astype(np.float32)
        if self.rgb:
            if values.shape[0] != 3:
                raise OptionError(f"channel order RGB needs 3 channels, there are {values.shape[0]}")
            values = values[::-1]
        if self.mean.ndim == 3:
            if self.mean.shape != values.shape:
                raise OptionError(
                    f"the mean image is {shape_text(self.mean.shape)}, the picture there is "
                    f"{shape_text(values.shape)}"
                )
            values = values - self.mean
        else:
            values = values - _per_channel(self.mean, values.shape[0], "mean")
        scale = np.asarray(self.scale, np.float32)
        if (scale != 1).any():
            values *= _per_channel(scale, values.shape[0], "scale")
        if self.div != 1:
            values /= np.float32(self.div)
        return values

    def __str__(self) -> str:
        if self.mean.ndim == 3:
            mean = f"mean image of average {self.mean.mean():.6g}"
        else:
            mean = _numbers(self.mean.tolist())
        text = f"(pixel - {mean})" if self.mean.any() else "pixel"
        if any(factor != 1 for factor in self.scale):
            text += f" * {_numbers(self.scale)}"
        if self.div != 1:
            text += f" / {self.div:g}"
        return f"x = {text} ({'RGB' if self.rgb else 'BGR'})"


def _per_channel(values: NDArray[Any], channels: int, what: str) -> NDArray[Any]:
    """As an array that spreads over CHW."""
    if values.size not in (1, channels):
        allowed = "1" if channels == 1 else f"1 or {channels}"
        raise OptionError(f"{values.size} {what} numbers for {channels} channels, allowed: {allowed}")
    return values.reshape(-1, 1, 1)


def _numbers(values: Sequence[float]) -> str:
    texts = [f"{value:.9g}" for value in values]
    return texts[0] if len(texts) == 1 else f"({', '.join(texts)})"
