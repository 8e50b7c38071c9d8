"""A compiled net: the chip's operations on cubes in buffers. Lowering makes it, emission writes it down.

Sizes are elements, strides and offsets bytes. Constants (weights, operands) stay arrays here.

Source: compiler-facts section 2 (what a descriptor can say), hardware-facts section 2 (formats).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.loadable.enums import AluType, OpType, PoolMode, SdpAct, SdpMode, SdpOpType

IntArray = NDArray[np.int64]
Pair = tuple[int, int]  # (y, x)


class Role(Enum):
    """What a buffer is for."""

    INPUT = "input"
    OUTPUT = "output"
    WORK = "work"


@dataclass(eq=False)
class Buffer:
    """A stretch of memory; ``offset`` is its place in the pool of work buffers, given by the allocator."""

    role: Role
    size: int
    offset: int = 0


@dataclass(frozen=True)
class Cube:
    """A feature cube: element (c, y, x) is byte ``offset + c//M*surf + y*line + x*M + c%M`` of its buffer,
    M being the configuration's atom. Without a buffer it is on the fly between two engines.

    A picture is a cube with 4 channels and ``surf`` 0: element (c, y, x) is byte ``y*line + x*4 + c``.
    """

    buffer: Buffer | None
    channels: int
    height: int
    width: int
    line: int
    surf: int
    offset: int = 0

    @property
    def flying(self) -> Cube:
        """The same cube on the fly."""
        return replace(self, buffer=None, offset=0)

    def rows(self, first: int, count: int) -> Cube:
        """``count`` rows from row ``first`` on."""
        return replace(self, height=count, offset=self.offset + first * self.line)

    def columns(self, first: int, count: int, atom: int) -> Cube:
        """``count`` columns from column ``first`` on, of a feature cube."""
        return replace(self, width=count, offset=self.offset + first * atom)

    def lanes(self, first: int, count: int, atom: int) -> Cube:
        """``count`` channels from channel ``first`` on, which must be a surface's first."""
        return replace(self, channels=count, offset=self.offset + first // atom * self.surf)


def packed(buffer: Buffer | None, channels: int, height: int, width: int, atom: int, offset: int = 0) -> Cube:
    """A cube without gaps between lines and surfaces."""
    return Cube(buffer, channels, height, width, width * atom, width * height * atom, offset)


def packed_size(channels: int, height: int, width: int, atom: int) -> int:
    """Bytes of a cube without gaps."""
    return -(-channels // atom) * atom * height * width


@dataclass(frozen=True)
class Tensor:
    """A tensor in memory: ``real = scale * int8``.

    ``lanes``: for each channel its lane of the cube, None where channel i is lane i. Lanes that no channel
    uses hold anything. ``image``: 4-byte pixels.
    """

    cube: Cube
    scale: np.float32
    lanes: IntArray | None = None
    image: bool = False


@dataclass(frozen=True)
class Converter:
    """``(v - offset) * scale / 2^truncate``."""

    scale: int = 1
    truncate: int = 0
    offset: int = 0


IDENTITY = Converter()


@dataclass(frozen=True)
class Stage:
    """One SDP stage: ALU first, then multiplier, then activation (X1, X2, Y).

    An operand is None (that half is idle), a number, an array [C] (one for each channel) or [C, H, W], or a
    cube of int8 values in memory, which has one value for each channel if it is 1x1 and ``broadcast``.
    The ALU operand is shifted left by ``shift``; the product is shifted right by ``truncate``. In Y an ALU
    operand from memory goes through ``converter`` instead, and the activation can be a table, not ReLU.
    """

    alu: int | IntArray | Cube | None = None
    mul: int | IntArray | Cube | None = None
    function: AluType = AluType.SUM
    act: SdpAct = SdpAct.NONE
    shift: int = 0
    truncate: int = 0
    broadcast: bool = False
    converter: Converter | None = None

    @property
    def type(self) -> SdpOpType:
        add = SdpOpType.NONE if self.alu is None else SdpOpType.ADD
        mul = SdpOpType.NONE if self.mul is None else SdpOpType.MUL
        return SdpOpType(add | mul)

    @property
    def operand(self) -> int | IntArray | Cube | None:
        """The first operand there is: both are of one form."""
        return self.mul if self.alu is None else self.alu

    @property
    def mode(self) -> SdpMode:
        operand = self.operand
        if operand is None or isinstance(operand, int):
            return SdpMode.PER_LAYER
        if isinstance(operand, Cube):
            return SdpMode.PER_KERNEL if self.broadcast else SdpMode.PER_POINT
        return SdpMode.PER_KERNEL if operand.ndim == 1 else SdpMode.PER_POINT

    def part(self, lanes: slice, rows: slice, columns: slice, atom: int) -> Stage:
        """The stage for a part of the channels, rows and columns of its cube."""

        def cut(operand: int | IntArray | Cube | None) -> int | IntArray | Cube | None:
            if operand is None or isinstance(operand, int):
                return operand
            if isinstance(operand, Cube):
                piece = operand.lanes(lanes.start, lanes.stop - lanes.start, atom)
                if self.broadcast:
                    return piece
                piece = piece.rows(rows.start, rows.stop - rows.start)
                return piece.columns(columns.start, columns.stop - columns.start, atom)
            return operand[lanes] if operand.ndim == 1 else operand[lanes, rows, columns]

        return replace(self, alu=cut(self.alu), mul=cut(self.mul))


@dataclass(frozen=True)
class Post:
    """What the SDP does to each value: X1, X2, Y (whose activation ``lut`` is for), the output converter."""

    x1: Stage | None = None
    x2: Stage | None = None
    out: Converter = IDENTITY
    y: Stage | None = None
    lut: Lut | None = None

    @property
    def stages(self) -> dict[str, Stage]:
        """Those that are used, in the order of the work."""
        named = {"x1": self.x1, "x2": self.x2, "y": self.y}
        return {name: stage for name, stage in named.items() if stage is not None}

    def part(self, lanes: slice, rows: slice, columns: slice, atom: int) -> Post:
        """The same work for a part of the channels, rows and columns."""
        return self._each(lambda stage: stage.part(lanes, rows, columns, atom))

    def in_lanes(self, lanes: IntArray | None) -> Post:
        """The same work on a cube that has channel i in lane ``lanes[i]``; operands of other lanes are 0."""
        if lanes is None:
            return self

        def spread(operand: int | IntArray | Cube | None) -> int | IntArray | Cube | None:
            if not isinstance(operand, np.ndarray):
                return operand
            wide = np.zeros((int(lanes.max()) + 1, *operand.shape[1:]), operand.dtype)
            wide[lanes] = operand
            return wide

        return self._each(lambda stage: replace(stage, alu=spread(stage.alu), mul=spread(stage.mul)))

    def moved(self, place: Callable[[Cube], Cube]) -> Post:
        """The same work with the cubes that another operation wrote in other places."""

        def put(operand: int | IntArray | Cube | None) -> int | IntArray | Cube | None:
            return place(operand) if isinstance(operand, Cube) else operand

        return self._each(lambda stage: replace(stage, alu=put(stage.alu), mul=put(stage.mul)))

    @property
    def cubes(self) -> list[Cube]:
        """Operands in memory that another operation wrote."""
        operands = [operand for stage in self.stages.values() for operand in (stage.alu, stage.mul)]
        return [operand for operand in operands if isinstance(operand, Cube)]

    def _each(self, change: Callable[[Stage], Stage]) -> Post:
        changed: dict[str, Any] = {name: change(stage) for name, stage in self.stages.items()}
        return replace(self, **changed)


@dataclass(frozen=True)
class Pads:
    """Elements of padding on the four sides."""

    top: int = 0
    left: int = 0
    bottom: int = 0
    right: int = 0


NO_PADS = Pads()


@dataclass(frozen=True)
class Conv:
    """A convolution; its SDP follows on the fly. ``weights``: bytes in the order the core reads them.

    ``kernel`` is the kernel's size in pixels. ``extension`` rows of an image's kernel go into one step.
    """

    layer: str
    src: Cube
    dst: Cube
    weights: NDArray[np.uint8]
    kernel: Pair
    stride: Pair
    dilation: Pair
    pads: Pads
    entries: int  # convolution buffer entries of one row of the source
    data_banks: int
    weight_banks: int
    image: bool = False
    extension: int = 1
    reuse_weights: bool = False  # they are in the buffer already
    keep_weights: bool = False  # leave them there

    type = OpType.CONV

    @property
    def reads(self) -> list[Cube]:
        return [self.src]


@dataclass(frozen=True)
class Sdp:
    """Work on each value of a stream (``src`` on the fly) or of a cube."""

    layer: str
    src: Cube
    dst: Cube
    post: Post

    type = OpType.SDP

    @property
    def reads(self) -> list[Cube]:
        return [self.src, *self.post.cubes]


@dataclass(frozen=True)
class Pdp:
    """Pooling. ``parts``: (source, destination) widths of the parts of a row that is too long at once."""

    layer: str
    src: Cube
    dst: Cube
    mode: PoolMode
    kernel: Pair
    stride: Pair
    pads: Pads
    parts: tuple[Pair, ...] = ()

    type = OpType.PDP

    @property
    def reads(self) -> list[Cube]:
        return [self.src]


@dataclass(frozen=True, eq=False)
class Lut:
    """The two tables of CDP or of SDP's stage Y, both linear.

    Entry i is the result for ``start + (i << select)``; between entries they interpolate. Where both could
    answer, or the argument lies below both, LO does; above both LE does if ``le_beyond``.
    """

    le: IntArray  # 65 entries
    lo: IntArray  # 257 entries
    le_start: int
    le_select: int
    lo_start: int
    lo_select: int
    le_beyond: bool


@dataclass(frozen=True)
class Cdp:
    """A table's value for each element, or the element times the value for the sum of squares around it.

    ``window``: channels that are summed, None for no sum. ``out``: the conversion of the result.
    """

    layer: str
    src: Cube
    dst: Cube
    lut: Lut
    window: int | None = None
    out: Converter = IDENTITY

    type = OpType.CDP

    @property
    def reads(self) -> list[Cube]:
        return [self.src]


@dataclass(frozen=True)
class Softmax:
    """Softmax over the channels of a 1x1 cube, on the CPU. Scales: ``real = scale * int8``."""

    layer: str
    src: Cube
    dst: Cube
    in_scale: float
    out_scale: float

    @property
    def reads(self) -> list[Cube]:
        return [self.src]


DlaOp = Conv | Sdp | Pdp | Cdp
CpuOp = Softmax
Op = DlaOp | CpuOp
Unit = tuple[Op, ...]  # operations that run together: each after the first takes its source on the fly


@dataclass(frozen=True)
class Port:
    """A network input or output. ``image``: 4-byte pixels. ``scale``: ``real = scale * int8``."""

    name: str
    cube: Cube
    scale: float
    image: bool = False


@dataclass
class Program:
    """``units`` run one after another. ``tensors``: where those of the graph are, by name."""

    inputs: list[Port] = field(default_factory=list)
    outputs: list[Port] = field(default_factory=list)
    units: list[Unit] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)

    @property
    def ops(self) -> Iterator[Op]:
        return (op for unit in self.units for op in unit)
