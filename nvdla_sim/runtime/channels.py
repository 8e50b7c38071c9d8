"""How many channels a network takes from its 4-byte pixels: the tensor descriptor says 4 for all of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nvdla_sim.hw.memory import Bytes
from nvdla_sim.loadable.enums import OpType, PixelFormat, WeightFormat
from nvdla_sim.loadable.lists import DlaTask
from nvdla_sim.loadable.loadable import Loadable, Task
from nvdla_sim.runtime.buffers import Buffers
from nvdla_sim.runtime.tensor import PIXEL_BYTES


def pixel_channels(loadable: Loadable, entry: Task, task: DlaTask, buffers: Buffers, memory: int) -> int:
    """Of the pixels in ``memory``: 1 + the last component that a convolution of the task has weights for.

    0 where no convolution of this task reads them.
    """
    weights = _pixel_weights(loadable, entry, task, buffers, memory)
    # the components of a pixel lie side by side in weights, too
    used = [np.flatnonzero(raw.reshape(-1, PIXEL_BYTES).any(axis=0)) for raw in weights]
    return max((int(components[-1]) + 1 for components in used if components.size), default=0)


def _pixel_weights(
    loadable: Loadable, entry: Task, task: DlaTask, buffers: Buffers, memory: int
) -> Iterator[Bytes]:
    """The uncompressed weights of each convolution whose pixels are in ``memory``."""
    for i, (op, surface) in enumerate(zip(task.ops, task.surfaces, strict=True)):
        if task.op_type(i) is not OpType.CONV or op["data_format"] == PixelFormat.FEATURE:
            continue
        source, weight = surface["src"], surface["weight"]
        if (
            loadable.addresses[entry.address_list[source["address"]]].mem_id == memory
            and op["weight_format"] == WeightFormat.UNCOMPRESSED
        ):
            size = int(op["bytes_per_kernel"]) * int(surface["dst"]["channel"])
            address = buffers.locate(entry, int(weight["address"]), int(weight["offset"]))
            yield buffers.ports.dram.view(address, size - size % PIXEL_BYTES)
