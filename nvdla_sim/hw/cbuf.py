"""The convolution buffer: what a layer leaves in it for the next one.

Source: hardware-facts 3.4.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.errors import ProgramError
from nvdla_sim.hw.conv_layer import ConvLayer
from nvdla_sim.hw.memory import Bytes

# Converted data as it lies in the buffer: [slice, column, channel], or [line, element] for pixels. A slice is
# one line of one batch; the batches of a line follow each other.
Slices = NDArray[np.int16]
Layout = tuple[bool, bool, int, int]


class ConvBuffer:
    """Data slices and weights that outlive a layer; nothing after a reset.

    A layer releases its first ``release_slices`` slices, or with ``skip_data_release`` none. A next layer
    with ``data_reuse`` finds those left in front of what it fetches; if none were released it fetches none.
    Weights stay as a whole (``skip_weight_release``) or not at all. A layer of another input format or with
    other banks finds nothing.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._data_layout: Layout | None = None
        self._slices: Slices | None = None
        self._none_released = False
        self._weight_layout: Layout | None = None
        self._weights: Bytes | None = None
        self._compressed = False

    def data(self, layer: ConvLayer, fetch: Callable[[], Slices]) -> Slices:
        """The layer's ``ext_height * batches`` slices, left by the layer before or fetched.

        ``ProgramError`` when those left are of another shape, or when with those fetched they are not as many
        as the layer takes.
        """
        needed = layer.ext_height * layer.batches
        left = self._slices if layer.data_reuse and self._data_layout == _layout(layer) else None
        if left is not None and len(left) == 0:
            left = None
        if left is not None and left.shape[1:] != layer.slice_shape:
            shapes = f"{left.shape[1:]}, this layer's are {layer.slice_shape}"
            raise ProgramError(f"DATA_REUSE: the slices left are {shapes}")
        whole = left is not None and self._none_released
        # before anything is fetched: only a layer whose slices fit the buffer is small
        fetched = 0 if whole else (layer.ext_height if layer.winograd else layer.height) * layer.batches
        count = fetched + (0 if left is None else len(left))
        if count < needed or (count > needed and not whole):
            raise ProgramError(
                f"DATAIN_HEIGHT_EXT: {needed} slices are taken, those left and fetched are {count}"
            )
        if left is None:
            slices = fetch()
        else:
            slices = left if whole else np.concatenate([left, fetch()])
        self._data_layout = _layout(layer)
        self._none_released = layer.skip_data_release
        self._slices = slices if layer.skip_data_release else slices[layer.release_slices :]
        return slices[:needed]

    def weights(self, layer: ConvLayer, fetch: Callable[[], Bytes]) -> Bytes:
        """The layer's uncompressed weight stream, left by the layer before or fetched.

        ``ProgramError`` when the layer before left none, or a stream of another format or too short.
        """
        same = self._weight_layout == _layout(layer)
        stream = self._weights if layer.weight_reuse and same else fetch()
        needed = layer.kernels * layer.kernel_bytes
        if stream is None:
            raise ProgramError("WEIGHT_REUSE: the layer before did not keep its weights (SKIP_WEIGHT_RLS)")
        if layer.weight_reuse and same and self._compressed != layer.compressed:
            raise ProgramError("WEIGHT_REUSE: one layer's weights are compressed, the other's are not")
        if stream.size < needed:
            raise ProgramError(f"WEIGHT_REUSE: {stream.size} bytes of weights are left, {needed} needed")
        self._weight_layout = _layout(layer)
        self._compressed = layer.compressed
        self._weights = stream.copy() if layer.skip_weight_release else None
        return stream


def _layout(layer: ConvLayer) -> Layout:
    return layer.winograd, layer.pixels is not None, layer.data_banks, layer.weight_banks
