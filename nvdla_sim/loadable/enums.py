"""The numbers that loadables and descriptors use, by name.

Source: compiler-facts sections 1 (container) and 2 (descriptors), hardware-facts section 2.2 (pixels).
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

# --- container ---------------------------------------------------------------------------------------------


class Interface(IntEnum):
    """Who executes a task or reads a blob."""

    NONE = 0
    DLA1 = 1
    EMU1 = 2


class DlaSubInterface(IntEnum):
    """What a blob of interface ``DLA1`` holds."""

    NETWORK = 1
    DEP_GRAPH = 2
    OPS = 3
    SURFACES = 4
    LUTS = 5


class EmuSubInterface(IntEnum):
    """What a blob of interface ``EMU1`` holds."""

    NETWORK = 1
    OPS = 3
    BUFFERS = 4


class Domain(IntEnum):
    """Which memory an entry of the memory list lives in."""

    SYSTEM = 0
    SRAM = 1


class MemoryFlags(IntFlag):
    """What the runtime does with an entry of the memory list."""

    NONE = 0
    ALLOC = 1
    SET = 2
    INPUT = 4
    OUTPUT = 8
    DEBUG = 16


class EventOp(IntEnum):
    """What an entry of the event list does."""

    WAIT = 0
    SIGNAL = 1


class DataFormat(IntEnum):
    """Order of a bound tensor's dimensions in memory."""

    UNKNOWN = 0
    NCHW = 1
    NHWC = 2
    NCXHWX = 3  # feature format; written by NVIDIA's compiler although its schema does not name it


class DataType(IntEnum):
    """Element type of a bound tensor."""

    UNKNOWN = 0
    FLOAT = 1
    HALF = 2
    INT16 = 3
    INT8 = 4


class DataCategory(IntEnum):
    """Role of a bound tensor."""

    IMAGE = 0
    WEIGHT = 1
    FEATURE = 2
    PLANAR = 3
    BIAS = 4


class PixelFormat(IntEnum):
    """Pixel formats of the convolution core (0..35), then the two feature formats of bound tensors."""

    R8 = 0
    R10 = 1
    R12 = 2
    R16 = 3
    R16_I = 4
    R16_F = 5
    A16B16G16R16 = 6
    X16B16G16R16 = 7
    A16B16G16R16_F = 8
    A16Y16U16V16 = 9
    V16U16Y16A16 = 10
    A16Y16U16V16_F = 11
    A8B8G8R8 = 12
    A8R8G8B8 = 13
    B8G8R8A8 = 14
    R8G8B8A8 = 15
    X8B8G8R8 = 16
    X8R8G8B8 = 17
    B8G8R8X8 = 18
    R8G8B8X8 = 19
    A2B10G10R10 = 20
    A2R10G10B10 = 21
    B10G10R10A2 = 22
    R10G10B10A2 = 23
    A2Y10U10V10 = 24
    V10U10Y10A2 = 25
    A8Y8U8V8 = 26
    V8U8Y8A8 = 27
    Y8_U8V8_N444 = 28
    Y8_V8U8_N444 = 29
    Y10_U10V10_N444 = 30
    Y10_V10U10_N444 = 31
    Y12_U12V12_N444 = 32
    Y12_V12U12_N444 = 33
    Y16_U16V16_N444 = 34
    Y16_V16U16_N444 = 35
    FEATURE = 36  # atom 32; also a convolution's data_format for any feature input
    FEATURE_X8 = 37  # atom 8


class PixelMapping(IntEnum):
    """Pixel order inside an image."""

    PITCH_LINEAR = 0


class RelocType(IntEnum):
    """Which stride of a cube a relocation entry names."""

    LINE_STRIDE = 1
    SURFACE_STRIDE = 2


# --- descriptors -------------------------------------------------------------------------------------------


class OpType(IntEnum):
    """The hardware processors; also the slot of ``consumers`` and of ``op_head``."""

    BDMA = 0
    CONV = 1
    SDP = 2
    PDP = 3
    CDP = 4
    RUBIK = 5


class OpEvent(IntEnum):
    """When an operation resolves a dependency of its consumer."""

    NONE = 0
    OP_COMPLETED = 1
    OP_PROGRAMMED = 2
    OP_ENABLED = 3
    CDMA_WEIGHT_DONE = 4
    CDMA_DATA_DONE = 5


class MemType(IntEnum):
    """Where a data cube is: DRAM, SRAM, or on the fly between two engines."""

    MC = 0
    CV = 1
    HW = 2


class Precision(IntEnum):
    """Element precision of an operation."""

    INT8 = 0
    INT16 = 1
    FP16 = 2


class ConvMode(IntEnum):
    """Convolution algorithm."""

    DIRECT = 0
    WINOGRAD = 1


class WeightFormat(IntEnum):
    """Weights as they are or with a mask of the non-zero ones."""

    UNCOMPRESSED = 0
    COMPRESSED = 1


class AluType(IntEnum):
    """Operation of an SDP stage's ALU."""

    MAX = 0
    MIN = 1
    SUM = 2
    EQL = 3


class SdpOpType(IntEnum):
    """Which halves of an SDP stage work."""

    NONE = 0
    MUL = 1
    ADD = 2
    BOTH = 3


class SdpMode(IntEnum):
    """What an SDP stage's operand varies over; ``PER_KERNEL`` is per channel."""

    PER_LAYER = 0
    PER_KERNEL = 1
    PER_POINT = 2


class SdpAct(IntEnum):
    """Activation of an SDP stage."""

    NONE = 0
    RELU = 1
    LUT = 2
    PRELU = 3


class PoolMode(IntEnum):
    """Pooling function."""

    AVG = 0
    MAX = 1
    MIN = 2


class RubikMode(IntEnum):
    """Reshape that Rubik does."""

    CONTRACT = 0
    SPLIT = 1
    MERGE = 2


class LutMethod(IntEnum):
    """How the LE table is indexed."""

    EXPONENTIAL = 0
    LINEAR = 1


class LutPriority(IntEnum):
    """Which table answers where both or none could."""

    LE = 0
    LO = 1


class EmuOpType(IntEnum):
    """Operations of the CPU emulator."""

    POWER = 0
    SOFTMAX = 1


class EmuFormat(IntEnum):
    """Element format of an emulator buffer."""

    INT8_ATOM_32 = 0
    INT8_ATOM_8 = 1
    FP16 = 3
