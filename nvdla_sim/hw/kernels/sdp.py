"""SDP prepared for the kernels, and the kernel for a source in memory and any mode."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.hw.config import Config
from nvdla_sim.hw.kernels import lut
from nvdla_sim.hw.kernels._jit import kernel
from nvdla_sim.hw.kernels._memory import ALIGNMENT, aligned, aligned_address, in_use
from nvdla_sim.hw.kernels._record import Arguments, fill, integers, one
from nvdla_sim.hw.kernels.binding import Binding, Cube
from nvdla_sim.hw.kernels.block import CUBE, SLOTS, Slots, gather
from nvdla_sim.hw.kernels.finish import ALL_STAGES, BLOCK_BYTES, FINISH, finish
from nvdla_sim.hw.kernels.flat import FLAT, run_flat
from nvdla_sim.hw.kernels.fold import Segment, fold
from nvdla_sim.hw.kernels.microkernel import GROUP
from nvdla_sim.hw.kernels.requant import TABLE, table
from nvdla_sim.hw.kernels.stages import NONE
from nvdla_sim.hw.sdp import OperandMemory, SdpLayer, XStage, YStage

Int64 = NDArray[np.int64]
Call = tuple[Any, NDArray[np.void]]  # a kernel and what it takes

SDP = np.dtype([("source", CUBE), ("end", FINISH), *integers("width", "height", "groups")])
_LARGEST = 128  # of an int8 source


@kernel()
def run_sdp(ops: Arguments) -> None:
    """SDP of an int8 cube in memory; ``ops``: an SDP array of one element."""
    op = ops[0]
    slots = Slots(np.empty(SLOTS, np.int32), np.empty(SLOTS, np.int32), np.empty(SLOTS, np.int64))
    room = np.empty(BLOCK_BYTES + ALIGNMENT, np.uint8)
    block = aligned_address(room)
    pixels = op.width * op.height
    y, x = 0, 0
    for begin in range(0, pixels, SLOTS):
        count = min(SLOTS, pixels - begin)
        for slot in range(count):
            slots.y[slot], slots.x[slot] = y, x
            slots.out[slot] = y * op.end.destination.line + x * op.end.destination.pixel
            x += 1
            if x == op.width:
                x, y = 0, y + 1
        for group in range(op.groups):
            gather(op.source, group, slots, 0, count, block)
            finish(op.end, group, slots, 0, count, block)
    in_use(room)


def bind_sdp(
    config: Config, layer: SdpLayer, binding: Binding, source: Cube, destination: Cube
) -> tuple[Call, list[Cube]]:
    """The kernel call for a source in memory, and the cubes that it reads beside the source."""
    surfaces, atom = source.surfaces, config.atom
    segments = _folded(config, layer, binding, surfaces, np.full(surfaces * atom, _LARGEST))
    points = segments and _points(config, layer, binding, segments, surfaces)
    if segments is None or (points and points.itemsize != 1):
        ops = one(SDP)
        op = ops[0]
        source.fill(op["source"])
        fill(op, {"width": layer.width, "height": layer.height, "groups": groups_of(config, surfaces)})
        read = _fill_stages(config, layer, binding, op["end"], destination)
        return (run_sdp, ops), read

    def by_slot(values: Int64) -> Int64:
        return np.tile(values.reshape(surfaces, atom), (1, GROUP // atom)).ravel()

    ops = one(FLAT)
    op = ops[0]
    cubes = [source, destination, *([points.cube] if points else [])]
    line = layer.width * atom
    lines, line_bytes = layer.height, line
    if all(cube.line == line for cube in cubes):
        lines, line_bytes = 1, layer.height * line
    for name, cube in zip(("source", "destination", "points"), cubes, strict=False):
        cube.fill(op[name])
    arranged = [segment.arranged(by_slot) for segment in segments]
    form = _keep_table(binding, op, arranged)
    fill(
        op,
        {"lines": lines, "line_bytes": line_bytes, "form": form}
        | {"start": keep_starts(binding, arranged[0].start)}
        | {"points_segment": points.segment if points else -1, "points_shift": points.shift if points else 0},
    )
    return (run_flat, ops), [points.cube] if points else []


def bind_end(
    config: Config, layer: SdpLayer, binding: Binding, end: Any, destination: Cube, largest: Int64 | None
) -> tuple[Int64, list[Cube]]:
    """Fill the FINISH record of a convolution.

    ``largest``: for each lane of all groups the bound of |accumulator|; None when it has to be shifted first.
    Gives what the accumulators have to start at beside what they do anyway, int64 [lane], and the cubes that
    are read.
    """
    surfaces = destination.surfaces
    lanes = groups_of(config, surfaces) * GROUP
    used = surfaces * config.atom
    segments = None if largest is None else _folded(config, layer, binding, surfaces, largest[:used])
    if segments is None:
        return np.zeros(lanes, np.int64), _fill_stages(config, layer, binding, end, destination)
    destination.fill(end["destination"])
    arranged = [segment.arranged(lambda v: np.pad(v, (0, lanes - used), mode="edge")) for segment in segments]
    end["form"] = _keep_table(binding, end, arranged)
    points = _points(config, layer, binding, segments, surfaces)
    if points is not None:
        points.cube.fill(end["points"])
        fill(
            end,
            {
                "points_itemsize": points.itemsize,
                "points_shift": points.shift,
                "points_segment": points.segment,
            },
        )
    return arranged[0].start, [points.cube] if points else []


def groups_of(config: Config, surfaces: int) -> int:
    """How many groups of GROUP channels hold so many surfaces."""
    return -(-surfaces * config.atom // GROUP)


def keep_starts(binding: Binding, values: Int64) -> int:
    """The address of int32 starts; beyond 32 bits they wrap, as the sums do that they are part of."""
    starts = aligned(values.size, np.int32)
    starts[:] = values
    return binding.keep(starts)


def _keep_table(binding: Binding, record: Any, segments: list[Segment]) -> int:
    rows, form = table(segments)
    room = aligned(rows.size, TABLE)
    room[:] = rows
    record["table"] = binding.keep(room)
    return form


def _folded(
    config: Config, layer: SdpLayer, binding: Binding, surfaces: int, largest: Int64
) -> list[Segment] | None:
    """The layer in segments with ``surfaces * atom`` lanes, None where it needs all stages."""
    stages = (layer.x1, layer.x2)
    operands = [None if s is None else _channel_operands(config, s, binding, surfaces) for s in stages]
    return fold(layer, operands, largest)


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


class _Points(NamedTuple):
    """Values to be added element by element, before the multiplication of a segment."""

    cube: Cube
    itemsize: int
    shift: int
    segment: int


def _points(
    config: Config, layer: SdpLayer, binding: Binding, segments: list[Segment], surfaces: int
) -> _Points | None:
    for index, segment in enumerate(segments):
        if segment.points is not None:
            memory = segment.points.memory
            assert memory is not None
            cube = _operand_cube(config, layer, memory, binding, surfaces)
            return _Points(cube, memory.itemsize, segment.points.alu_shift, index)
    return None


def _operand_cube(
    config: Config, layer: SdpLayer, memory: OperandMemory, binding: Binding, surfaces: int
) -> Cube:
    pixel = memory.atom(config.atom, 1)
    return binding.cube(memory.surface, surfaces, layer.height, layer.width, pixel, memory.per_element)


def _fill_stages(
    config: Config, layer: SdpLayer, binding: Binding, end: Any, destination: Cube
) -> list[Cube]:
    """Fill a FINISH record that runs all stages; the operand cubes."""
    destination.fill(end["destination"])
    end["form"] = ALL_STAGES
    record = end["stages"]
    record["atom"] = config.atom
    fill(record["cvt"], vars(layer.cvt))
    cubes = []
    for name in ("x1", "x2", "y"):
        stage: XStage | YStage | None = getattr(layer, name)
        if stage is None:
            continue
        place = record[name]
        fill(place, {"used": 1, "alu_op": NONE if stage.alu is None else stage.alu, "mul_used": stage.mul})
        fill(place, {"prelu": stage.prelu, "truncate": stage.truncate})
        if isinstance(stage, XStage):
            fill(place, {"alu_shift": stage.alu_shift, "relu": stage.relu})
        else:
            for operand, cvt in ((place["alu"], stage.alu_cvt), (place["mul"], stage.mul_cvt)):
                if cvt is not None:
                    operand["convert"] = 1
                    fill(operand["converter"], vars(cvt))
            if stage.lut is not None:
                place["lookup"] = 1
                for entries in lut.fill_lut(record["lut"], stage.lut):
                    binding.keep(entries)
        memory, cube = stage.memory, None
        if memory is not None:
            cube = _operand_cube(config, layer, memory, binding, destination.surfaces)
            cubes.append(cube)
        wanted = (("alu", stage.alu is not None, stage.alu_operand), ("mul", stage.mul, stage.mul_operand))
        for index, (user, used, value) in enumerate(wanted):
            operand = place[user]
            operand["value"] = value or 0
            if used and value is None and memory is not None and cube is not None:
                cube.fill(operand["cube"])
                operand["cube"]["address"] += memory.itemsize * index if memory.pairs else 0
                step = memory.itemsize * (1 + memory.pairs)
                fill(operand, {"memory": 1, "itemsize": memory.itemsize, "step": step})
    return cubes
