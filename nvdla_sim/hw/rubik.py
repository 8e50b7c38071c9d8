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
from nvdla_sim.hw.surface import Surface


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
    phase_stride: int  # contract: source bytes from one phase (kernel set) to the next
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

    return RubikLayer(
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
        phase_stride=stride("CONTRACT_STRIDE_0"),
        row_stride=stride("CONTRACT_STRIDE_1"),
    )


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
    """out[surface, y * SY + sy, x * SX + sx] = in[phase sy * SX + sx][surface, y, x], whole atoms."""
    surfaces = -(-layer.out_channels * layer.itemsize // atom)
    phases = layer.stride_x * layer.stride_y
    shape = (surfaces, layer.height, layer.width, atom)
    whole_lines = replace(layer.destination, line_stride=layer.row_stride)
    gathered = [
        layer.source.view(ports, *shape, phase * layer.phase_stride).copy() for phase in range(phases)
    ]
    targets = [
        whole_lines.view(
            ports,
            surfaces,
            layer.height,
            layer.width * layer.stride_x,
            atom,
            sy * layer.destination.line_stride,
        )
        for sy in range(layer.stride_y)
    ]
    for phase, atoms in enumerate(gathered):
        sy, sx = divmod(phase, layer.stride_x)
        targets[sy][:, :, sx :: layer.stride_x] = atoms


def _split(atom: int, layer: RubikLayer, ports: Ports) -> None:
    """Feature cube -> planes; lines are written in whole atoms, filled up with zeros."""
    surfaces = -(-layer.out_channels * layer.itemsize // atom)
    line_atoms = -(-layer.width * layer.itemsize // atom)
    cube = layer.source.view(ports, surfaces, layer.height, layer.width, atom)
    planes = layer.destination.view(ports, layer.out_channels, layer.height, line_atoms, atom)
    items = cube.view(f"u{layer.itemsize}").transpose(0, 3, 1, 2).reshape(-1, layer.height, layer.width)
    lines = np.zeros((layer.out_channels, layer.height, line_atoms * atom // layer.itemsize), items.dtype)
    lines[:, :, : layer.width] = items[: layer.out_channels]
    planes[:] = lines.view(np.uint8).reshape(planes.shape)


def _merge(atom: int, layer: RubikLayer, ports: Ports) -> None:
    """Planes -> feature cube; lanes beyond the last plane are zero."""
    surfaces = -(-layer.channels * layer.itemsize // atom)
    line_atoms = -(-layer.width * layer.itemsize // atom)
    planes = layer.source.view(ports, layer.channels, layer.height, line_atoms, atom)
    cube = layer.destination.view(ports, surfaces, layer.height, layer.width, atom)
    lines = planes.reshape(layer.channels, layer.height, -1).view(f"u{layer.itemsize}")
    per_atom = atom // layer.itemsize
    items = np.zeros((surfaces * per_atom, layer.height, layer.width), lines.dtype)
    items[: layer.channels] = lines[:, :, : layer.width]
    blocks = items.reshape(surfaces, per_atom, layer.height, layer.width).transpose(0, 2, 3, 1)
    cube.view(items.dtype)[:] = blocks
