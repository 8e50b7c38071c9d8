"""How many channels a network takes from its 4-byte pixels: the tensor descriptor says 4 for all of them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from nvdla_sim.hw.conv import ConvLayer
from nvdla_sim.hw.memory import Ports
from nvdla_sim.runtime.tensor import PIXEL_BYTES


def pixel_channels(layers: Iterable[ConvLayer], ports: Ports, address: int, size: int) -> int:
    """Of the pixels in ``size`` bytes from ``address``: 1 + the last component that a layer has weights for.

    0 where no layer reads them.
    """
    channels = 0
    for layer in layers:
        inside = layer.pixels is not None and address <= layer.address < address + size
        if inside and not layer.compressed and not layer.weight_reuse:
            raw = ports.port(layer.weight_ram_type).view(layer.weight_address, layer.weight_bytes)
            weights = raw[: layer.kernels * layer.kernel_bytes // PIXEL_BYTES * PIXEL_BYTES]
            # the components of a pixel lie side by side in weights, too
            used = np.flatnonzero(weights.reshape(-1, PIXEL_BYTES).any(axis=0))
            channels = max(channels, int(used[-1]) + 1 if used.size else 0)
    return channels
