"""Rubik: moves data between layouts. It exists in nv_full only.

Source: hardware-facts 5.3, checked against the chip's model.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from nvdla_sim.errors import UnsupportedError
from nvdla_sim.hw.config import Config
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
