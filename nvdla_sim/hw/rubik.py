"""Rubik: moves data between layouts. It exists in nv_full only.

Source: hardware-facts 5.3, checked against the chip's model.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np

from nvdla_sim.errors import UnsupportedError
from nvdla_sim.hw.config import Config
from nvdla_sim.hw.memory import Ports
from nvdla_sim.hw.program import Group, Problems, Registers
from nvdla_sim.hw.surface import Surface, overlaps


class RubikMode(IntEnum):
    """CONTRACT gathers a deconvolution's phases, SPLIT makes planes of a feature cube, MERGE the inverse."""

    CONTRACT = 0
    SPLIT = 1
    MERGE = 2


@dataclass(frozen=True)
class RubikLayer:
    """One Rubik layer. Sizes are elements; addresses, strides and item sizes bytes.

    A planar side's ``surf_stride`` is the distance of its planes.
    """

    mode: RubikMode
    itemsize: int
    width: int  # of the input
    height: int
    channels: int
    out_channels: int
    source: Surface
    destination: Surface
    stride_x: int  # of the deconvolution, contract only
    stride_y: int
    row_stride: int  # contract: destination bytes from one input row's output to the next


def decode(config: Config, rbk: Registers) -> RubikLayer:
    """The layer in Rubik's register group.

    Raises ``ProgramError`` with everything the chip would refuse, ``UnsupportedError`` where the chip has no
    Rubik.
    """
    if not config.rubik:
        raise UnsupportedError(f"{config.name} has no Rubik engine; only nv_full has")
    problems = Problems("Rubik")
    core = Group("RBK", rbk, reserved_bits=5)
    mode, precision = core["D_MISC_CFG.RUBIK_MODE"], core["D_MISC_CFG.IN_PRECISION"]
    problems.require(mode <= RubikMode.MERGE, f"RUBIK_MODE = {mode}: contract 0, split 1, merge 2")
    problems.require(precision <= 2, f"IN_PRECISION = {precision}: INT8 0, INT16 1, FP16 2")
    problems.stop()

    def stride(name: str) -> int:
        return core.stride(f"D_{name}", name)

    layer = RubikLayer(
        mode=RubikMode(mode),
        itemsize=1 if precision == 0 else 2,
        width=core.size("D_DATAIN_SIZE_0.DATAIN_WIDTH"),
        height=core.size("D_DATAIN_SIZE_0.DATAIN_HEIGHT"),
        channels=core.size("D_DATAIN_SIZE_1.DATAIN_CHANNEL"),
        out_channels=core.size("D_DATAOUT_SIZE_1.DATAOUT_CHANNEL"),
        source=Surface(
            core.address("DAIN_ADDR"),
            stride("DAIN_LINE_STRIDE"),
            stride("DAIN_PLANAR_STRIDE" if mode == RubikMode.MERGE else "DAIN_SURF_STRIDE"),
            core["D_DAIN_RAM_TYPE.DATAIN_RAM_TYPE"],
        ),
        destination=Surface(
            core.address("DAOUT_ADDR"),
            stride("DAOUT_LINE_STRIDE"),
            stride("DAOUT_PLANAR_STRIDE" if mode == RubikMode.SPLIT else "DAOUT_SURF_STRIDE"),
            core["D_DAOUT_RAM_TYPE.DATAOUT_RAM_TYPE"],
        ),
        stride_x=core.size("D_DECONV_STRIDE.DECONV_X_STRIDE"),
        stride_y=core.size("D_DECONV_STRIDE.DECONV_Y_STRIDE"),
        row_stride=stride("CONTRACT_STRIDE_1"),
    )
    _check(config.atom, layer, stride("CONTRACT_STRIDE_0"), problems)
    problems.stop()
    return layer


def _check(atom: int, layer: RubikLayer, phase_stride: int, problems: Problems) -> None:
    """What does not go together."""
    surfaces, out_surfaces = (-(-c * layer.itemsize // atom) for c in (layer.channels, layer.out_channels))
    line_atoms = -(-layer.width * layer.itemsize // atom)
    line, surf = layer.destination.line_stride, layer.destination.surf_stride
    match layer.mode:
        case RubikMode.CONTRACT:
            problems.require(
                phase_stride == out_surfaces * layer.source.surf_stride,
                f"CONTRACT_STRIDE_0 = {phase_stride}: a phase has {out_surfaces} surfaces, "
                f"{out_surfaces * layer.source.surf_stride} bytes",
            )
            run = layer.width * layer.stride_x * atom
            steps = [(line, layer.stride_y), (layer.row_stride, layer.height), (surf, out_surfaces)]
        case RubikMode.SPLIT:
            problems.require(
                surfaces == out_surfaces,
                f"DATAOUT_CHANNEL = {layer.out_channels}: the input has {layer.channels} channels",
            )
            run, steps = line_atoms * atom, [(line, layer.height), (surf, layer.out_channels)]
        case RubikMode.MERGE:
            run, steps = layer.width * atom, [(line, layer.height), (surf, surfaces)]
    problems.require(not overlaps(run, *steps), f"the destination at {layer.destination} overlaps itself")


def reference(config: Config, layer: RubikLayer, ports: Ports) -> None:
    """Run one layer. ``ProgramError`` when it leaves the mapped memory: nothing is written then."""
    match layer.mode:
        case RubikMode.CONTRACT:
            _contract(config.atom, layer, ports)
        case RubikMode.SPLIT:
            _split(config.atom, layer, ports)
        case RubikMode.MERGE:
            _merge(config.atom, layer, ports)


def _contract(atom: int, layer: RubikLayer, ports: Ports) -> None:
    """out[surface, y * SY + sy, x * SX + sx] = in[(sy * SX + sx) * surfaces + surface, y, x], whole atoms."""
    surfaces = -(-layer.out_channels * layer.itemsize // atom)
    first, phase_stride = layer.destination, surfaces * layer.source.surf_stride
    shape = (surfaces, layer.height, layer.width, atom)
    out_shape = (surfaces, layer.height, layer.width * layer.stride_x, atom)
    rows = [
        replace(first, address=first.address + sy * first.line_stride, line_stride=layer.row_stride)
        for sy in range(layer.stride_y)
    ]
    for row in rows:
        row.view(ports, *out_shape)
    phases = [
        layer.source.view(ports, *shape, phase * phase_stride).copy()
        for phase in range(layer.stride_y * layer.stride_x)
    ]
    for phase, atoms in enumerate(phases):
        sy, sx = divmod(phase, layer.stride_x)
        rows[sy].view(ports, *out_shape)[:, :, sx :: layer.stride_x] = atoms


def _split(atom: int, layer: RubikLayer, ports: Ports) -> None:
    """Feature cube -> planes; lines are written in whole atoms, filled up with zeros."""
    surfaces = -(-layer.out_channels * layer.itemsize // atom)
    line_atoms = -(-layer.width * layer.itemsize // atom)
    out_shape = (layer.out_channels, layer.height, line_atoms, atom)
    layer.destination.view(ports, *out_shape)
    items = layer.source.read(ports, surfaces, layer.height, layer.width, atom, layer.itemsize)
    lines = np.zeros(
        (layer.out_channels, layer.height, line_atoms * atom // layer.itemsize), f"<i{layer.itemsize}"
    )
    lines[:, :, : layer.width] = items[: layer.out_channels]
    layer.destination.view(ports, *out_shape)[:] = lines.view(np.uint8).reshape(out_shape)


def _merge(atom: int, layer: RubikLayer, ports: Ports) -> None:
    """Planes -> feature cube; lanes beyond the last plane are zero."""
    surfaces = -(-layer.channels * layer.itemsize // atom)
    line_atoms = -(-layer.width * layer.itemsize // atom)
    layer.destination.view(ports, surfaces, layer.height, layer.width, atom)
    planes = layer.source.view(ports, layer.channels, layer.height, line_atoms, atom)
    lines = planes.reshape(layer.channels, layer.height, -1).view(f"<i{layer.itemsize}")
    items = np.zeros((surfaces * (atom // layer.itemsize), layer.height, layer.width), np.int64)
    items[: layer.channels] = lines[:, :, : layer.width]
    layer.destination.write(ports, items, atom, layer.itemsize)
