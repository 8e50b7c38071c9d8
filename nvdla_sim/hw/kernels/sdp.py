"""SDP prepared for the kernels: folded where that is possible, else all its stages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.hw.config import Config
from nvdla_sim.hw.kernels import lut
from nvdla_sim.hw.kernels._memory import aligned
from nvdla_sim.hw.kernels._record import Arguments, fill, one
from nvdla_sim.hw.kernels.binding import Binding, Cube
from nvdla_sim.hw.kernels.flat import FLAT, run_flat
from nvdla_sim.hw.kernels.fold import Segment, fold
from nvdla_sim.hw.kernels.microkernel import GROUP
from nvdla_sim.hw.kernels.requant import TABLE, table
from nvdla_sim.hw.kernels.stages import NONE, STAGES, run_stages
from nvdla_sim.hw.sdp import Converter, OperandMemory, SdpLayer, XStage, YStage

Int64 = NDArray[np.int64]
Call = tuple[Callable[[Arguments], None], Arguments]

_LARGEST = 128  # of an int8 source


class Bound(NamedTuple):
    """A kernel's call, and the cubes in memory that it reads as it runs."""

    call: Call
    read: list[Cube]


def bind_memory(config: Config, layer: SdpLayer, binding: Binding, source: Cube, destination: Cube) -> Bound:
    """SDP of an int8 cube in memory."""
    folded = fold_layer(
        config, layer, binding, source.surfaces, np.full(source.surfaces * config.atom, _LARGEST)
    )
    if folded is None or (folded.points and folded.points.itemsize != 1):
        return bind_stages(config, layer, binding, source, destination)
    ops = one(FLAT)
    op = ops[0]
    cubes = {"source": source, "destination": destination}
    if folded.points:
        cubes["points"] = folded.points.cube
        fill(op, {"points_segment": folded.points.segment, "points_shift": folded.points.shift})
    else:
        op["points_segment"] = -1
    for name, cube in cubes.items():
        cube.fill(op[name])
    line = layer.width * config.atom
    whole = all(cube.line == line for cube in cubes.values())
    fill(op, {"lines": 1 if whole else layer.height, "line_bytes": line * (layer.height if whole else 1)})

    def by_slot(values: Int64) -> Int64:
        return np.tile(values.reshape(-1, config.atom), (1, GROUP // config.atom)).ravel()

    op["start"] = keep_starts(binding, folded.keep_table(binding, op, by_slot))
    return Bound((run_flat, ops), [source, *([folded.points.cube] if folded.points else [])])


def bind_stages(
    config: Config, layer: SdpLayer, binding: Binding, source: Cube, destination: Cube, clip_truncate: int = 0
) -> Bound:
    """All stages, of an int8 cube or (its pixels are longer) raw accumulators, which are shifted first."""
    ops = one(STAGES)
    op = ops[0]
    raw = source.pixel != config.atom
    source.fill(op["source"])
    destination.fill(op["destination"])
    fill(op, {"raw": raw, "width": layer.width, "height": layer.height, "clip_truncate": clip_truncate})
    op["groups"] = groups_of(config, destination.surfaces)
    fill(op["cvt"], vars(layer.cvt))
    read = [] if raw else [source]
    for name in ("x1", "x2", "y"):
        stage: XStage | YStage | None = getattr(layer, name)
        if stage is not None:
            cube = None
            if stage.memory is not None:
                cube = _operand_cube(config, layer, stage.memory, binding, destination.surfaces)
                read.append(cube)
            _fill_stage(stage, cube, op[name])
    if layer.y is not None and layer.y.lut is not None:
        for entries in lut.fill_lut(op["lut"], layer.y.lut):
            binding.keep(entries)
    return Bound((run_stages, ops), read)


def groups_of(config: Config, surfaces: int) -> int:
    """How many groups of GROUP channels hold so many surfaces."""
    return -(-surfaces * config.atom // GROUP)


def keep_starts(binding: Binding, values: Int64) -> int:
    """The address of int32 starts; beyond 32 bits they wrap, as the sums do that they are part of."""
    starts = aligned(values.size, np.int32)
    starts[:] = values
    return binding.keep(starts)


class Points(NamedTuple):
    """Values to be added element by element, before the multiplication of a segment."""

    cube: Cube
    itemsize: int
    shift: int
    segment: int


class FoldedLayer(NamedTuple):
    """A layer as one or two multiplications; lanes are all channels of all surfaces."""

    segments: list[Segment]
    points: Points | None

    def keep_table(self, binding: Binding, record: Any, arrange: Callable[[Int64], Int64]) -> Int64:
        """Set ``form`` and ``table`` of a record for lanes in the given arrangement; their starts."""
        arranged = [segment.arranged(arrange) for segment in self.segments]
        rows, form = table(arranged)
        room = aligned(rows.size, TABLE)
        room[:] = rows
        fill(record, {"form": form, "table": binding.keep(room)})
        return arranged[0].start


def fold_layer(
    config: Config, layer: SdpLayer, binding: Binding, surfaces: int, largest: Int64
) -> FoldedLayer | None:
    """The layer folded, None where it needs all stages. ``largest``: bound of |source| for each lane."""
    stages = (layer.x1, layer.x2)
    operands = [None if s is None else _channel_operands(config, s, binding, surfaces) for s in stages]
    segments = fold(layer, operands, largest)
    if segments is None:
        return None
    for index, segment in enumerate(segments):
        if segment.points is not None and segment.points.memory is not None:
            memory = segment.points.memory
            cube = _operand_cube(config, layer, memory, binding, surfaces)
            return FoldedLayer(segments, Points(cube, memory.itemsize, segment.points.alu_shift, index))
    return FoldedLayer(segments, None)


def _channel_operands(
    config: Config, stage: XStage, binding: Binding, surfaces: int
) -> tuple[Int64, Int64] | None:
    """ALU's and MUL's operand of each lane, read now; None when there is one for each element."""
    lanes, memory = surfaces * config.atom, stage.memory
    values: NDArray[Any] = np.zeros((lanes, 2), np.int64)
    if memory is not None:
        if memory.per_element:
            return None
        surface = memory.surface
        raw = binding.frozen_bytes(surface.ram_type, surface.address, surfaces * memory.atom(config.atom, 1))
        values = raw.view(f"<i{memory.itemsize}").reshape(lanes, -1).astype(np.int64)
    alu, mul = (
        values[:, i] if value is None else np.full(lanes, value)
        for i, value in ((0, stage.alu_operand), (-1, stage.mul_operand))
    )
    return alu, mul


def _operand_cube(
    config: Config, layer: SdpLayer, memory: OperandMemory, binding: Binding, surfaces: int
) -> Cube:
    pixel = memory.atom(config.atom, 1)
    return binding.cube(memory.surface, surfaces, layer.height, layer.width, pixel, memory.per_element)


def _fill_stage(stage: XStage | YStage, cube: Cube | None, record: Any) -> None:
    """Fill a STAGE record; ``cube``: the stage's operands in memory."""
    alu_op = NONE if stage.alu is None else stage.alu
    fill(record, {"used": 1, "alu_op": alu_op, "mul_used": stage.mul})
    fill(record, {"prelu": stage.prelu, "truncate": stage.truncate})
    converters: tuple[Converter | None, ...] = (None, None)
    if isinstance(stage, XStage):
        fill(record, {"alu_shift": stage.alu_shift, "relu": stage.relu})
    else:
        record["lookup"] = stage.lut is not None
        converters = stage.alu_cvt, stage.mul_cvt
    used = stage.alu is not None, stage.mul
    values = stage.alu_operand, stage.mul_operand
    for index, name in enumerate(("alu", "mul")):
        operand, converter, value = record[name], converters[index], values[index]
        operand["value"] = value or 0
        if converter is not None:
            operand["convert"] = 1
            fill(operand["converter"], vars(converter))
        if used[index] and value is None and stage.memory is not None and cube is not None:
            memory = stage.memory
            cube.fill(operand["cube"])
            operand["cube"]["address"] += memory.itemsize * index if memory.pairs else 0
            fill(
                operand,
                {"memory": 1, "itemsize": memory.itemsize, "step": memory.itemsize * (1 + memory.pairs)},
            )
