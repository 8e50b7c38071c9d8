"""CDP, the cross-channel data processor: local response normalisation.

Source: hardware-facts 5.2, checked against the chip's model.
"""

from __future__ import annotations

from dataclasses import dataclass

from nvdla_sim.hw.config import Config
from nvdla_sim.hw.lut import Lut, LutTables, decode_cdp
from nvdla_sim.hw.program import Problems, Registers, group, itemsize
from nvdla_sim.hw.surface import Surface


@dataclass(frozen=True)
class CdpLayer:
    """One CDP layer. Sizes are elements, strides and item sizes bytes.

    Both converters compute ``(x - offset) * scale / 2^shift``, rounded to nearest and saturated.
    """

    width: int
    height: int
    channels: int
    itemsize: int
    reach: int  # the window is the channel and as many on each side: 1..4
    square_sum: bool  # False: the table is asked for the value itself
    multiply: bool  # by the value; False: the table's answer is the result
    in_offset: int
    in_scale: int
    in_shift: int
    out_offset: int
    out_scale: int
    out_shift: int
    lut: Lut
    source: Surface
    destination: Surface
    count_lut: bool


def decode(config: Config, cdp: Registers, rdma: Registers | None, tables: LutTables) -> CdpLayer:
    """The layer in CDP's register group and its read DMA's (None: it was not enabled).

    Raises ``ProgramError`` with everything the chip would refuse or hang on, and ``UnsupportedError`` for
    fp16.
    """
    problems = Problems("CDP")
    problems.require(rdma is not None, "CDP_RDMA is not enabled")
    problems.stop()
    assert rdma is not None
    core, read = group(config, "CDP", cdp), group(config, "CDP_RDMA", rdma)
    code = core["D_DATA_FORMAT.INPUT_DATA_TYPE"]
    item = itemsize(config, code, "CDP INPUT_DATA_TYPE", problems)
    problems.require(
        read["D_DATA_FORMAT.INPUT_DATA"] == code,
        f"INPUT_DATA: CDP_RDMA has {read['D_DATA_FORMAT.INPUT_DATA']}, CDP {code}",
    )
    width = read.size("D_DATA_CUBE_WIDTH.WIDTH")
    height = read.size("D_DATA_CUBE_HEIGHT.HEIGHT")
    channels = read.size("D_DATA_CUBE_CHANNEL.CHANNEL")
    destination = core.surface("DST", "D_DST_DMA_CFG.DST_RAM_TYPE")
    surfaces = -(-channels * item // config.atom)
    problems.require(
        not destination.overlaps_itself(surfaces, height, width, config.atom),
        f"the destination {destination} of {width}x{height}x{channels} overlaps itself",
    )
    problems.stop()
    return CdpLayer(
        width=width,
        height=height,
        channels=channels,
        itemsize=item,
        reach=core["D_LRN_CFG.NORMALZ_LEN"] + 1,
        square_sum=core["D_FUNC_BYPASS.SQSUM_BYPASS"] == 0,
        multiply=core["D_FUNC_BYPASS.MUL_BYPASS"] == 0,
        in_offset=core.signed("D_DATIN_OFFSET.DATIN_OFFSET", 8 * item),
        in_scale=core.signed("D_DATIN_SCALE.DATIN_SCALE", 16),
        in_shift=core["D_DATIN_SHIFTER.DATIN_SHIFTER"],
        out_offset=core.signed("D_DATOUT_OFFSET.DATOUT_OFFSET", 25 if item == 1 else 32),
        out_scale=core.signed("D_DATOUT_SCALE.DATOUT_SCALE", 16),
        out_shift=core["D_DATOUT_SHIFTER.DATOUT_SHIFTER"],
        lut=decode_cdp(tables, item),
        source=read.surface("SRC", "D_SRC_DMA_CFG.SRC_RAM_TYPE"),
        destination=destination,
        count_lut=core["D_PERF_ENABLE.LUT_EN"] == 1,
    )
