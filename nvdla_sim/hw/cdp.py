"""CDP, the cross-channel data processor: local response normalisation.

Source: hardware-facts 5.2, checked against the chip's model.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.hw.config import Config
from nvdla_sim.hw.fixed_point import round_shift, round_shift_saturate, saturate
from nvdla_sim.hw.lut import Lut, LutTables, decode_cdp, lookup_cdp
from nvdla_sim.hw.memory import Ports
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


def decode(config: Config, cdp: Registers, rdma: Registers, tables: LutTables) -> CdpLayer:
    """The layer in CDP's register group and its read DMA's.

    Raises ``ProgramError`` with everything the chip would refuse or hang on, and ``UnsupportedError`` for
    fp16.
    """
    problems = Problems("CDP")
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
        f"the destination of {width}x{height}x{channels} at {destination} overlaps itself",
    )
    lut = decode_cdp(tables, item, problems)
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
        lut=lut,
        source=read.surface("SRC", "D_SRC_DMA_CFG.SRC_RAM_TYPE"),
        destination=destination,
    )


def reference(config: Config, layer: CdpLayer, ports: Ports, counters: dict[str, int]) -> None:
    """Run one layer. Counters go to ``counters``.

    Unused lanes of the last atom count as 0 whatever memory holds there, and are written like all others.
    ``ProgramError`` when the layer leaves the mapped memory: nothing is written then.
    """
    surfaces = -(-layer.channels * layer.itemsize // config.atom)
    bits = 8 * layer.itemsize
    shape = (surfaces, layer.height, layer.width, config.atom)
    layer.destination.view(ports, *shape)
    x = layer.source.read(ports, *shape, layer.itemsize)
    # (x - offset) is 9 bits in int8 and 17 in int16, the product 25 and 33; the result again 9 and 17
    q = round_shift_saturate((x - layer.in_offset) * layer.in_scale, layer.in_shift, bits + 1)
    q[layer.channels :] = 0
    answer, counts = lookup_cdp(layer.lut, _square_sum(q, layer.reach) if layer.square_sum else q)
    m = answer * q if layer.multiply else answer
    exact = round_shift((m - layer.out_offset) * layer.out_scale, layer.out_shift)
    result = saturate(exact, bits)
    counters["CDP.D_OUT_SATURATION"] = int(np.count_nonzero(result != exact))
    counters |= counts.registers("CDP")
    layer.destination.write(ports, result, config.atom, layer.itemsize)


def _square_sum(q: NDArray[np.int64], reach: int) -> NDArray[np.int64]:
    """For each channel the sum of the squares of it and of ``reach`` channels on each side."""
    squares = np.pad(q * q, ((reach, reach), (0, 0), (0, 0)))
    return reduce(np.add, [squares[step : step + len(q)] for step in range(2 * reach + 1)])
