"""SDP's registers decoded into one layer.

Source: hardware-facts 2.8, 4 and 6.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from nvdla_sim.hw.config import Config
from nvdla_sim.hw.lut import Lut, LutTables, decode_sdp
from nvdla_sim.hw.program import Group, Problems, Registers, group, itemsize, require_same
from nvdla_sim.hw.surface import Surface


class AluOp(IntEnum):
    """What an ALU does with the value and its operand. EQL exists in stage Y only."""

    MAX = 0
    MIN = 1
    SUM = 2
    EQL = 3


@dataclass(frozen=True)
class Converter:
    """``(x - offset) * scale / 2^truncate``, rounded to nearest and saturated."""

    offset: int
    scale: int
    truncate: int


@dataclass(frozen=True)
class OperandMemory:
    """Operands of a stage in memory; all batches share them.

    An operand atom holds one operand of ``itemsize`` bytes for each channel of a surface, or, where both ALU
    and MUL read memory, the pair (ALU operand, MUL operand) for each channel.
    """

    surface: Surface  # strides matter per element only: per channel, one operand atom follows the other
    per_element: bool
    itemsize: int
    pairs: bool

    def atom(self, atom: int, itemsize: int) -> int:
        """Bytes of an operand atom, for memory atoms of ``atom`` bytes and processing ``itemsize``."""
        return atom // itemsize * self.itemsize * (2 if self.pairs else 1)


@dataclass(frozen=True)
class XStage:
    """X1 (BS) or X2 (BN): ALU, then MUL, then shift, then ReLU."""

    alu: AluOp | None
    alu_operand: int | None  # None: in memory, or no ALU
    alu_shift: int  # the operand is shifted left by it
    mul: bool
    mul_operand: int | None  # None: in memory, or no MUL
    prelu: bool  # values >= 0 are neither multiplied nor shifted
    truncate: int
    relu: bool
    memory: OperandMemory | None


@dataclass(frozen=True)
class YStage:
    """Y (EW): MUL and shift, then ALU, then tables."""

    mul: bool
    mul_operand: int | None
    mul_cvt: Converter | None  # of an operand in memory
    prelu: bool
    truncate: int
    alu: AluOp | None
    alu_operand: int | None
    alu_cvt: Converter | None
    lut: Lut | None
    memory: OperandMemory | None


@dataclass(frozen=True)
class SdpLayer:
    """One SDP layer. Sizes are elements, strides and item sizes bytes; a stage that is bypassed is None."""

    width: int
    height: int
    channels: int
    batches: int
    source: Surface | None  # None: the accumulator's stream
    source_itemsize: int
    itemsize: int  # the processing precision: it decides how many channels an atom of lanes has
    x1: XStage | None
    x2: XStage | None
    y: YStage | None
    cvt: Converter
    out_itemsize: int
    destination: Surface | None  # None: PDP, on the fly; or nowhere when ``compares``
    destination_batch_stride: int
    to_pdp: bool
    winograd: bool
    count_saturation: bool
    count_lut: bool

    @property
    def compares(self) -> bool:
        """Stage Y compares the source with its operand: the result is one status bit and no cube."""
        return self.y is not None and self.y.alu is AluOp.EQL


def decode(config: Config, sdp: Registers, rdma: Registers | None, tables: LutTables) -> SdpLayer:
    """The layer in SDP's register group and its read DMA's (None: it was not enabled).

    Raises ``ProgramError`` with everything the chip would refuse, hang on or compute nonsense with, and
    ``UnsupportedError`` for fp16.
    """
    problems = Problems("SDP")
    core = group(config, "SDP", sdp)
    read = None if rdma is None else group(config, "SDP_RDMA", rdma)
    mode = "D_FEATURE_MODE_CFG"
    proc = itemsize(config, core["D_DATA_FORMAT.PROC_PRECISION"], "SDP PROC_PRECISION", problems)
    program = _Program(config, core, read, proc, problems)
    flying = core[f"{mode}.FLYING_MODE"] == 1
    problems.require(flying or read is not None, "the source is in memory but SDP_RDMA is not enabled")
    source, source_itemsize = None, proc
    if read is not None:
        _compare(program, read)
        if not flying:
            source = read.surface("SRC", "D_SRC_DMA_CFG.SRC_RAM_TYPE")
            code = read[f"{mode}.IN_PRECISION"]
            source_itemsize = itemsize(config, code, "SDP_RDMA IN_PRECISION", problems)
    y = _y_stage(program, tables)
    to_pdp = core[f"{mode}.OUTPUT_DST"] == 1
    in_memory = not to_pdp and not (y is not None and y.alu is AluOp.EQL)
    layer = SdpLayer(
        width=core.size("D_DATA_CUBE_WIDTH.WIDTH"),
        height=core.size("D_DATA_CUBE_HEIGHT.HEIGHT"),
        channels=core.size("D_DATA_CUBE_CHANNEL.CHANNEL"),
        batches=core.size(f"{mode}.BATCH_NUMBER"),
        source=source,
        source_itemsize=source_itemsize,
        itemsize=proc,
        x1=_x_stage(program, "BS", "B"),
        x2=_x_stage(program, "BN", "N"),
        y=y,
        cvt=Converter(
            core.signed("D_CVT_OFFSET.CVT_OFFSET", 32),
            core.signed("D_CVT_SCALE.CVT_SCALE", 16),
            core["D_CVT_SHIFT.CVT_SHIFT"],
        ),
        out_itemsize=itemsize(config, core["D_DATA_FORMAT.OUT_PRECISION"], "SDP OUT_PRECISION", problems),
        destination=core.surface("DST", "D_DST_DMA_CFG.DST_RAM_TYPE") if in_memory else None,
        destination_batch_stride=core.stride("D_DST_BATCH_STRIDE", "DST_BATCH_STRIDE"),
        to_pdp=to_pdp,
        winograd=core[f"{mode}.WINOGRAD"] == 1,
        count_saturation=core["D_PERF_ENABLE.PERF_SAT_EN"] == 1,
        count_lut=core["D_PERF_ENABLE.PERF_LUT_EN"] == 1,
    )
    _check(config, layer, problems)
    problems.stop()
    return layer


@dataclass(frozen=True)
class _Program:
    """What the decoding of a stage looks at."""

    config: Config
    core: Group
    read: Group | None
    itemsize: int  # of the processing precision
    problems: Problems


def _compare(program: _Program, read: Group) -> None:
    """The read DMA must be programmed for the same cube and modes as the core."""
    core = program.core
    sizes = ("D_DATA_CUBE_WIDTH.WIDTH", "D_DATA_CUBE_HEIGHT.HEIGHT", "D_DATA_CUBE_CHANNEL.CHANNEL")
    modes = (f"D_FEATURE_MODE_CFG.{name}" for name in ("FLYING_MODE", "WINOGRAD", "BATCH_NUMBER"))
    require_same(read, core, (*sizes, *modes), program.problems)
    code = read["D_FEATURE_MODE_CFG.PROC_PRECISION"]
    read_itemsize = itemsize(program.config, code, "SDP_RDMA PROC_PRECISION", program.problems)
    program.problems.require(
        read_itemsize == program.itemsize,
        f"PROC_PRECISION: SDP_RDMA processes {8 * read_itemsize} bits, SDP {8 * program.itemsize}",
    )


def _check(config: Config, layer: SdpLayer, problems: Problems) -> None:
    """What does not go together."""
    atom, batches, flying = config.atom, layer.batches, layer.source is None
    single = layer.width * layer.height == 1
    cube = f"{layer.width}x{layer.height}x{layer.channels}"
    surfaces = -(-layer.channels * layer.itemsize // atom)
    converts = layer.out_itemsize != layer.itemsize
    problems.require(
        batches <= config.max_batch, f"BATCH_NUMBER: {batches} batches, {config.name} has {config.max_batch}"
    )
    problems.require(batches == 1 or flying, f"{batches} batches from memory: batches come on the fly only")
    problems.require(batches == 1 or not layer.to_pdp, f"{batches} batches to PDP: it takes one")
    problems.require(flying or not layer.winograd, "WINOGRAD needs a convolution on the fly")
    for side, surface, itemsize_there in (
        ("SRC", layer.source, layer.source_itemsize),
        ("DST", layer.destination, layer.out_itemsize),
    ):
        if surface is None:
            continue
        problems.require(
            not single or batches > 1 or surface.surf_stride == atom,
            f"D_{side}_SURFACE_STRIDE: a 1x1 cube is packed, {atom} bytes, not {surface.surf_stride}",
        )
        problems.require(
            not surface.overlaps_itself(
                -(-surfaces * itemsize_there // layer.itemsize), layer.height, layer.width, atom
            ),
            f"D_{side}: the {cube} cube at {surface} overlaps itself",
        )
    for dma, unit, stage in (("N", "BN", layer.x2), ("E", "EW", layer.y)):
        one_byte = stage is not None and stage.memory is not None and stage.memory.itemsize == 1
        problems.require(
            flying or layer.itemsize == 1 or not one_byte,
            f"{dma}RDMA_DATA_SIZE = ONE_BYTE: int16 from memory takes two-byte operands in {unit}",
        )
    problems.require(
        layer.source_itemsize >= layer.itemsize, "an int8 source cannot be processed in int16: IN_PRECISION"
    )
    if converts:
        problems.require(batches == 1, f"{batches} batches with OUT_PRECISION other than PROC_PRECISION")
        problems.require(not layer.winograd, "WINOGRAD with OUT_PRECISION other than PROC_PRECISION")
        problems.require(not layer.to_pdp, "PDP takes no output whose precision is not PROC_PRECISION")
    if layer.out_itemsize < layer.itemsize and layer.destination is not None:
        problems.require(single, f"int16 to int8 output works for 1x1 cubes only, this is {cube}")
        problems.require(
            surfaces % 2 == 0,
            f"int16 to int8 output takes pairs of surfaces, {layer.channels} channels have {surfaces}",
        )
    if layer.compares:
        problems.require(
            layer.cvt == Converter(0, 1, 0),
            "EW_ALU_ALGO = EQL needs CVT_OFFSET 0, CVT_SCALE 1, CVT_SHIFT 0, not "
            f"{layer.cvt.offset}, {layer.cvt.scale}, {layer.cvt.truncate}",
        )
        problems.require(batches == 1, f"EW_ALU_ALGO = EQL with {batches} batches")
        problems.require(not layer.winograd, "EW_ALU_ALGO = EQL with WINOGRAD")
        problems.require(not layer.to_pdp, "EW_ALU_ALGO = EQL has no result for PDP")


def _x_stage(program: _Program, unit: str, dma: str) -> XStage | None:
    """X1 (``unit`` "BS", ``dma`` "B") or X2 ("BN", "N"); None when it is bypassed."""
    core = program.core
    cfg = f"D_DP_{unit}_CFG.{unit}_"
    bypassed = core[f"{cfg}BYPASS"] == 1
    algo = AluOp(min(core[f"{cfg}ALU_ALGO"], AluOp.SUM))  # code 3 adds, too
    alu = algo if core[f"{cfg}ALU_BYPASS"] == 0 and not bypassed else None
    mul = core[f"{cfg}MUL_BYPASS"] == 0 and not bypassed
    alu_in_memory = alu is not None and core[f"D_DP_{unit}_ALU_CFG.{unit}_ALU_SRC"] == 1
    mul_in_memory = mul and core[f"D_DP_{unit}_MUL_CFG.{unit}_MUL_SRC"] == 1
    memory = _operand_memory(program, unit, dma, alu_in_memory, mul_in_memory)
    if bypassed:
        return None
    alu_value = core.signed(f"D_DP_{unit}_ALU_SRC_VALUE.{unit}_ALU_OPERAND", 16)
    mul_value = core.signed(f"D_DP_{unit}_MUL_SRC_VALUE.{unit}_MUL_OPERAND", 16)
    return XStage(
        alu=alu,
        alu_operand=alu_value if alu is not None and not alu_in_memory else None,
        alu_shift=core[f"D_DP_{unit}_ALU_CFG.{unit}_ALU_SHIFT_VALUE"],
        mul=mul,
        mul_operand=mul_value if mul and not mul_in_memory else None,
        prelu=mul and core[f"{cfg}MUL_PRELU"] == 1,
        truncate=core[f"D_DP_{unit}_MUL_CFG.{unit}_MUL_SHIFT_VALUE"] & 63,
        relu=core[f"{cfg}RELU_BYPASS"] == 0,
        memory=memory,
    )


def _y_stage(program: _Program, tables: LutTables) -> YStage | None:
    core = program.core
    bypassed = core["D_DP_EW_CFG.EW_BYPASS"] == 1
    algo = AluOp(core["D_DP_EW_CFG.EW_ALU_ALGO"])
    alu = algo if core["D_DP_EW_CFG.EW_ALU_BYPASS"] == 0 and not bypassed else None
    mul = core["D_DP_EW_CFG.EW_MUL_BYPASS"] == 0 and not bypassed
    alu_in_memory = alu is not None and core["D_DP_EW_ALU_CFG.EW_ALU_SRC"] == 1
    mul_in_memory = mul and core["D_DP_EW_MUL_CFG.EW_MUL_SRC"] == 1
    memory = _operand_memory(program, "EW", "E", alu_in_memory, mul_in_memory)
    if bypassed:
        return None

    def converter(unit: str, in_memory: bool) -> Converter | None:
        if not in_memory or core[f"D_DP_EW_{unit}_CFG.EW_{unit}_CVT_BYPASS"] == 1:
            return None
        return Converter(
            core.signed(f"D_DP_EW_{unit}_CVT_OFFSET_VALUE.EW_{unit}_CVT_OFFSET", 32),
            core.signed(f"D_DP_EW_{unit}_CVT_SCALE_VALUE.EW_{unit}_CVT_SCALE", 16),
            core[f"D_DP_EW_{unit}_CVT_TRUNCATE_VALUE.EW_{unit}_CVT_TRUNCATE"],
        )

    alu_value = core.signed("D_DP_EW_ALU_SRC_VALUE.EW_ALU_OPERAND", 32)
    mul_value = core.signed("D_DP_EW_MUL_SRC_VALUE.EW_MUL_OPERAND", 32)
    return YStage(
        mul=mul,
        mul_operand=mul_value if mul and not mul_in_memory else None,
        mul_cvt=converter("MUL", mul_in_memory),
        prelu=mul and core["D_DP_EW_CFG.EW_MUL_PRELU"] == 1,
        truncate=core["D_DP_EW_TRUNCATE_VALUE.EW_TRUNCATE"],
        alu=alu,
        alu_operand=alu_value if alu is not None and not alu_in_memory else None,
        alu_cvt=converter("ALU", alu_in_memory),
        lut=decode_sdp(tables, program.problems) if core["D_DP_EW_CFG.EW_LUT_BYPASS"] == 0 else None,
        memory=memory,
    )


def _operand_memory(program: _Program, unit: str, dma: str, alu: bool, mul: bool) -> OperandMemory | None:
    """Where the operands of the stage's ALU and MUL lie, None when neither reads memory.

    ``alu``, ``mul``: whether its operand is in memory. The read DMA must fetch exactly these: less leaves the
    stage waiting, more is never taken.
    """
    core, read, problems = program.core, program.read, program.problems
    cfg = f"D_{dma}RDMA_CFG.{dma}RDMA_"
    wanted = alu or mul
    fetched = read is not None and read[f"{cfg}DISABLE"] == 0
    problems.require(not wanted or fetched, f"{unit} takes operands from memory but {dma}RDMA is disabled")
    problems.require(wanted or not fetched, f"{dma}RDMA fetches operands that {unit} does not take")
    if read is None or not (wanted and fetched):
        return None
    use = read[f"{cfg}DATA_USE"]
    needed = 2 if alu and mul else int(alu)
    names = ("MUL", "ALU", "BOTH", "reserved")
    problems.require(use == needed, f"{cfg}DATA_USE = {names[use]}, but {unit} takes {names[needed]}")
    memory = OperandMemory(
        surface=read.surface(unit, f"{cfg}RAM_TYPE"),
        per_element=read[f"{cfg}DATA_MODE"] == 1,
        itemsize=1 + read[f"{cfg}DATA_SIZE"],
        pairs=alu and mul,
    )
    single = core["D_DATA_CUBE_WIDTH.WIDTH"] == 0 == core["D_DATA_CUBE_HEIGHT.HEIGHT"]
    atom, stride = memory.atom(program.config.atom, program.itemsize), memory.surface.surf_stride
    problems.require(
        not single or stride == atom,
        f"D_{unit}_SURFACE_STRIDE: operands of a 1x1 cube are packed, {atom} bytes, not {stride}",
    )
    return memory
