"""SDP prepared for the kernels, and the kernel for a source in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.hw.config import Config
from nvdla_sim.hw.kernels import lut
from nvdla_sim.hw.kernels._jit import kernel
from nvdla_sim.hw.kernels._memory import ALIGNMENT, aligned, aligned_address, in_use
from nvdla_sim.hw.kernels.binding import Binding, Cube, fill
from nvdla_sim.hw.kernels.block import CUBE, SLOTS, Slots, gather
from nvdla_sim.hw.kernels.finish import ALL_STAGES, FINISH, finish
from nvdla_sim.hw.kernels.fold import fold
from nvdla_sim.hw.kernels.microkernel import GROUP, TILE_ROW
from nvdla_sim.hw.kernels.requant import TABLE, table
from nvdla_sim.hw.kernels.stages import NONE
from nvdla_sim.hw.sdp import OperandMemory, SdpLayer, XStage, YStage

Int64 = NDArray[np.int64]

SDP = np.dtype(
    [("source", CUBE), ("end", FINISH)]
    + [(name, np.int64) for name in ("width", "height", "groups", "start")]  # start: int32 [groups, GROUP]
)


@kernel()
def run_sdp(ops: NDArray[np.void]) -> None:
    """SDP of an int8 cube in memory; ``ops``: an SDP array of one element."""
    op = ops[0]
    slots = Slots(np.empty(SLOTS, np.int32), np.empty(SLOTS, np.int32), np.zeros(SLOTS, np.int32))
    room = np.empty(SLOTS * (TILE_ROW + GROUP) + ALIGNMENT, np.uint8)
    tile = aligned_address(room)
    pixels = op.width * op.height
    y, x = 0, 0
    for begin in range(0, pixels, SLOTS):
        count = min(SLOTS, pixels - begin)
        for slot in range(count):
            slots.y[slot], slots.x[slot] = y, x
            x += 1
            if x == op.width:
                x, y = 0, y + 1
        for group in range(op.groups):
            gather(op.source, group, slots, 0, count, op.start + group * TILE_ROW, tile)
            finish(op.end, group, slots, 0, count, tile, tile + SLOTS * TILE_ROW)
    in_use(room)


def groups_of(config: Config, surfaces: int) -> int:
    """How many groups of GROUP channels hold so many surfaces."""
    return -(-surfaces * config.atom // GROUP)


def fill_finish(
    config: Config, layer: SdpLayer, binding: Binding, end: Any, destination: Cube, largest: Int64 | None
) -> tuple[Int64, list[Cube]]:
    """Fill a FINISH record for int8 processing with an int8 result.

    ``largest``: for each lane of all groups the bound of |source|, None when it does not fit the fast form. Gives
    what the source has to be increased by, int64 [lane], and the cubes that the kernel reads as it runs.
    """
    surfaces = destination.surfaces
    lanes = groups_of(config, surfaces) * GROUP
    destination.fill(end["destination"])
    folded = None
    if largest is not None:
        stages = (layer.x1, layer.x2)
        operands = [s and _channel_operands(config, s, binding, surfaces, lanes) for s in stages]
        folded = fold(layer, operands, largest)
    if folded is None:
        end["form"] = ALL_STAGES
        return np.zeros(lanes, np.int64), _fill_stages(config, layer, binding, end["stages"], surfaces)
    rows, form = table(folded.low, folded.high, folded.mul, folded.shift)
    room = aligned(rows.size, TABLE)
    room[:] = rows
    end["form"], end["table"] = form, binding.keep(room)
    if folded.points is None:
        return folded.start, []
    memory = folded.points.memory
    assert memory is not None
    points = _operand_cube(config, layer, memory, binding, surfaces)
    points.fill(end["points"])
    end["points_itemsize"], end["points_shift"] = memory.itemsize, folded.points.alu_shift
    return folded.start, [points]


def _channel_operands(
    config: Config, stage: XStage, binding: Binding, surfaces: int, lanes: int
) -> tuple[Int64, Int64] | None:
    """ALU's and MUL's operand of each lane, read now; None when there is one for each element."""
    alu, mul = np.zeros(lanes, np.int64), np.zeros(lanes, np.int64)
    alu[:], mul[:] = stage.alu_operand or 0, stage.mul_operand or 0
    memory = stage.memory
    if memory is None:
        return alu, mul
    if memory.per_element:
        return None
    surface = memory.surface
    size = surfaces * memory.atom(config.atom, 1)
    raw = binding.frozen_bytes(surface.ram_type, surface.address, size)
    values = raw.view(f"<i{memory.itemsize}").reshape(-1, 2 if memory.pairs else 1)
    if stage.alu is not None and stage.alu_operand is None:
        alu[: len(values)] = values[:, 0]
    if stage.mul and stage.mul_operand is None:
        mul[: len(values)] = values[:, -1]
    return alu, mul


def _operand_cube(
    config: Config, layer: SdpLayer, memory: OperandMemory, binding: Binding, surfaces: int
) -> Cube:
    pixel = memory.atom(config.atom, 1)
    return binding.cube(memory.surface, surfaces, layer.height, layer.width, pixel, memory.per_element)


def _fill_stages(
    config: Config, layer: SdpLayer, binding: Binding, record: Any, surfaces: int
) -> list[Cube]:
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
                for entries in lut.fill(record["lut"], stage.lut):
                    binding.keep(entries)
        cube = stage.memory and _operand_cube(config, layer, stage.memory, binding, surfaces)
        if cube:
            cubes.append(cube)
        wanted = (("alu", stage.alu is not None, stage.alu_operand), ("mul", stage.mul, stage.mul_operand))
        for index, (user, used, value) in enumerate(wanted):
            operand = place[user]
            operand["value"] = value or 0
            if used and value is None:
                assert stage.memory is not None and cube is not None
                itemsize, pairs = stage.memory.itemsize, stage.memory.pairs
                cube.fill(operand["cube"])
                operand["cube"]["address"] += itemsize * index if pairs else 0
                fill(operand, {"memory": 1, "itemsize": itemsize, "step": itemsize * (1 + pairs)})
    return cubes
