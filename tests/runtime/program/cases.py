"""Operations to program: real ones and blank ones, their fields changed, and the registers they end in."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from nvdla_sim.hw.config import CONFIGS, Config
from nvdla_sim.hw.registers import register_map
from nvdla_sim.loadable import descriptors as d
from nvdla_sim.loadable.enums import OpEvent, OpType
from nvdla_sim.loadable.lists import DlaTask, read_task
from nvdla_sim.runtime import program
from nvdla_sim.runtime.operation import NOBODY, Edge, Operation, fields, read_operation
from nvdla_sim.runtime.program.writes import Writes
from tests.runtime.editing import committed

FULL, SMALL, LARGE = (CONFIGS[name] for name in ("nv_full", "nv_small", "nv_large"))


def locate(index: int, offset: int) -> int:
    """Above 4 GB, so that high address words show."""
    return 0x1_8000_0000 + 0x10000 * index + offset


def real(net: str, stem: str, index: int) -> Operation:
    """An operation of a committed loadable's first task."""
    loadable = committed(net, stem)
    task = read_task(loadable, loadable.tasks[0])
    assert isinstance(task, DlaTask)
    return read_operation(task, index)


def blank(kind: OpType) -> Operation:
    """An operation with everything 0 but its cubes, which are 1x1x1."""
    op, surface = (fields(np.zeros((), structs[kind])[()]) for structs in (d.OPS, d.SURFACES))
    for cube in vars(surface).values():
        if hasattr(cube, "channel"):
            cube.width = cube.height = cube.channel = 1
    nobody = Edge(NOBODY, OpEvent.NONE)
    return Operation(0, kind, op, surface, None, NOBODY, (nobody,) * 6, nobody, 0)


def change(operation: Operation, **values: Any) -> Operation:
    """``src__type`` is the field ``type`` of the cube ``src``, ``x1__act`` the field ``act`` of the stage."""
    for path, value in values.items():
        *outer, last = path.split("__")
        places = [functools.reduce(_part, outer, root) for root in (operation.op, operation.surface)]
        setattr(next(place for place in places if hasattr(place, last)), last, value)
    return operation


def _part(place: Any, name: str) -> Any:
    return getattr(place, name, None)


def problems(operation: Operation, config: Config = FULL) -> list[str]:
    """What the firmware refuses."""
    writes = Writes(config, locate)
    program.PROGRAM[operation.type](operation, writes)
    return writes.problems


def written(operation: Operation, config: Config = FULL) -> dict[str, int]:
    """ "UNIT.REGISTER" -> the value it is left with."""
    writes = Writes(config, locate)
    program.PROGRAM[operation.type](operation, writes)
    assert not writes.problems
    registers = register_map(config)
    return {".".join(registers.decode(address)): value for address, value in writes.writes}
