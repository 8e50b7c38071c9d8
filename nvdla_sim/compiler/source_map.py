"""What a loadable does not need to run: which layer each operation is of, where each tensor of the net lies.

The content of the blob ``SOURCE_MAP``; ``nvdla_sim.runtime.source_map`` reads it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from nvdla_sim._version import __version__
from nvdla_sim.compiler.encode import Bytes, Place
from nvdla_sim.compiler.program import Buffer, Cube, Program, Role, Tensor
from nvdla_sim.compiler.schedule import CpuTask, Task
from nvdla_sim.hw.config import Config
from nvdla_sim.hw.formats import feature_extent


def source_map(
    program: Program, tasks: Sequence[Task], batch: int, locate: Callable[[Cube], Place], config: Config
) -> Bytes:
    """``locate`` tells a cube's memory and offset there. Tensors of a batch are left out."""
    operations = []
    for number, task in enumerate(tasks):
        ops = task.ops if isinstance(task, CpuTask) else [slot.op for slot in task.slots]
        operations += [{"task": number, "op": index, "layer": op.layer} for index, op in enumerate(ops)]
    content = {
        "producer": f"nvdla-sim {__version__}",
        "target": config.name,
        "tensors": {port.name: {"scale": port.scale} for port in (*program.inputs, *program.outputs)},
        "operations": operations,
        "memory": _memory(program, batch),
        "cubes": list(_cubes(program, locate, config)) if batch == 1 else [],
    }
    return np.frombuffer(json.dumps(content, separators=(",", ":")).encode(), np.uint8)


def _memory(program: Program, batch: int) -> dict[str, int]:
    """Bytes of the tensors between the layers, and of the pool that they share."""
    written = {op.dst.buffer for op in program.ops}
    buffers = [buffer for buffer in written if buffer is not None and buffer.role is Role.WORK]
    return {
        "tensors": batch * sum(buffer.size for buffer in buffers),
        "pool": batch * max((buffer.offset + buffer.size for buffer in buffers), default=0),
    }


def _cubes(program: Program, locate: Callable[[Cube], Place], config: Config) -> Iterator[dict[str, Any]]:
    """Each tensor that the program writes; ``step`` is the number of the unit after which it is complete.

    A tensor that is an earlier one's memory in another shape is left out.
    """
    written = [(unit[-1].dst.buffer, _extent(unit[-1].dst, config)) for unit in program.units]
    told: dict[Buffer | None, list[range]] = {}
    for name, tensor in program.tensors.items():
        cube, extent = tensor.cube, _extent(tensor.cube, config)
        steps = [
            step
            for step, (buffer, part) in enumerate(written)
            if buffer is cube.buffer and part.start < extent.stop and extent.start < part.stop
        ]
        earlier = told.setdefault(cube.buffer, [])
        if not steps or any(e.start <= extent.start and extent.stop <= e.stop for e in earlier):
            continue
        earlier.append(extent)
        memory, offset = locate(cube)
        yield {
            "tensor": name,
            "step": steps[-1],
            "scale": float(tensor.scale),
            "memory": memory,
            "offset": offset,
            "lanes": _runs(tensor),
            "height": cube.height,
            "width": cube.width,
            "line": cube.line,
            "surf": cube.surf,
        }


def _extent(cube: Cube, config: Config) -> range:
    """The bytes of its buffer that the cube lies in."""
    size = feature_extent(cube.channels, cube.height, cube.width, config.atom, cube.line, cube.surf)
    return range(cube.offset, cube.offset + size)


def _runs(tensor: Tensor) -> list[tuple[int, int]]:
    """The lanes of the channels in order, as (first lane, count)."""
    if tensor.lanes is None:
        return [(0, tensor.cube.channels)]
    starts = np.flatnonzero(np.diff(tensor.lanes, prepend=-2) != 1)
    counts = np.diff(starts, append=tensor.lanes.size)
    return [(int(tensor.lanes[start]), int(count)) for start, count in zip(starts, counts, strict=True)]
