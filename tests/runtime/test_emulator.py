"""The CPU operations' arithmetic and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nvdla_sim.errors import LoadableError, ProgramError, UnsupportedError
from nvdla_sim.hw.formats import pack_feature, unpack_feature
from nvdla_sim.hw.memory import Memory, Ports
from nvdla_sim.loadable import descriptors as d
from nvdla_sim.loadable.enums import EmuFormat, EmuOpType
from nvdla_sim.loadable.lists import EmuTask
from nvdla_sim.runtime.emulator import power, prepare, softmax

SCALES = (0.036711134, 0.018355567)  # of a recorded power operation


def test_recorded_power_values() -> None:
    """In single precision 15 * 0.0367 / 0.0184 is a little below 30, and truncated; halves would give 30."""
    values = np.array([3, -6, 15, -15, 30, 60, 62, 64, -128], np.int8)
    assert power(values, *SCALES, 1, 1, 0).tolist() == [6, -12, 29, -29, 59, 119, 124, 127, -128]


@pytest.mark.parametrize(
    ("factors", "expected"),
    [((1, 2, 0), [-8, 0, 8]), ((1, 1, 3), [-1, 3, 7]), ((2, 1, 0), [16, 0, 16]), ((0.5, 1, 0), [0, 0, 2])],
)
def test_power(factors: tuple[float, float, float], expected: list[int]) -> None:
    """exponent, scale, shift; the root of a negative value is not a number, which becomes 0."""
    assert power(np.array([-4, 0, 4], np.int8), 1, 1, *factors).tolist() == expected


def test_recorded_softmax() -> None:
    """LeNet on a digit; output scale as its calibration table has it."""
    values = np.array([-9, -2, 10, 6, -21, -4, -44, 54, -11, 7], np.int8)
    result = softmax(values, 0.2, 1 / 127)
    assert result.tolist() == [0, 0, 0, 0, 0, 0, 0, 126, 0, 0]


def test_the_sum_is_taken_in_order() -> None:
    """As a loop in single precision has it: numpy's own sum is nearer to the truth."""
    rng = np.random.default_rng(5)
    for _ in range(3):
        values = rng.integers(-128, 128, 30000).astype(np.int8)
        real = np.float16(values.astype(np.float32) * np.float32(0.001)).astype(np.float32)
        exponentials = [np.float32(np.exp(np.float64(v - real.max()))) for v in real]
        total = np.float32(0)
        for e in exponentials:
            total = np.float32(total + e)
        wanted = [int(np.float32(np.float16(e / total)) / np.float32(3e-7)) for e in exponentials]
        assert softmax(values, 0.001, 3e-7).tolist() == np.clip(wanted, -128, 127).tolist()


@given(arrays(np.int8, st.integers(1, 40)), st.floats(1e-3, 1e-2), st.floats(1 / 127, 1))
@settings(max_examples=100, deadline=None)
def test_softmax_is_near_its_definition(values: np.ndarray, in_scale: float, out_scale: float) -> None:
    exponentials = np.exp(values * in_scale)
    error = softmax(values, in_scale, out_scale) - exponentials / exponentials.sum() / out_scale
    # truncation takes less than a step; two roundings to halves of eleven bits cost little here
    assert (error < 0.25).all()
    assert (error > -1.25).all()


def test_wild_scales_end_in_some_value() -> None:
    values = np.array([-128, 0, 127], np.int8)
    for scale in (0.0, np.inf, -np.inf, np.nan, 1e-45, 3e38):
        assert softmax(values, scale, scale).shape == (3,)
        assert power(values, scale, scale, scale, scale, scale).shape == (3,)


# --- operations in memory ---

SIZE = (11, 2, 3)  # channels, height, width: two surfaces, the second with 3 of 8 lanes


def task(kind: EmuOpType, **fields: int) -> EmuTask:
    """One operation from byte 0 to byte 512 of address 0; ``fields`` change its destination."""
    op = np.zeros((), d.EMU_OPS[kind])
    op["type"] = kind
    op["in_scale"], op["out_scale"] = 1, 1
    if kind is EmuOpType.POWER:
        op["power"], op["scale"] = 1, 2
    buffers = np.zeros((1, 2), d.EMU_BUFFER)
    buffers["format"] = EmuFormat.INT8_ATOM_8
    for name, value in zip(("channel", "height", "width"), SIZE, strict=True):
        buffers[name] = value
    buffers["line_stride"], buffers["surf_stride"] = 24, 48
    buffers[0, 1]["offset"] = 512
    for name, value in fields.items():
        buffers[0, 1][name] = value
    return EmuTask(np.zeros((), d.EMU_NETWORK), [op[()]], buffers)


def memory() -> Ports:
    dram = Memory()
    dram.map(0x1000, np.full(1024, 0x55, np.uint8))
    return Ports(dram, Memory())


def locate(index: int, offset: int) -> int:
    return 0x1000 + offset


def test_power_leaves_the_lanes_beyond_the_last_channel() -> None:
    ports = memory()
    values = np.random.default_rng(2).integers(-60, 60, SIZE).astype(np.int8)
    ports.dram.view(0x1000, 96)[:] = pack_feature(values, 8)
    (operation,) = prepare(task(EmuOpType.POWER), locate, ports, "net")
    operation.run()
    assert (operation.address, operation.size) == (0x1200, 96)
    result = ports.dram.view(0x1200, 96)
    np.testing.assert_array_equal(unpack_feature(result, *SIZE, 8, 24, 48), values * 2)
    assert (result.reshape(2, 6, 8)[1, :, 3:] == 0x55).all()
    assert (ports.dram.view(0x1260, 32) == 0x55).all()


def test_softmax_takes_as_many_bytes_as_there_are_channels() -> None:
    ports = memory()
    ports.dram.view(0x1000, 11)[:] = np.arange(11)
    (operation,) = prepare(task(EmuOpType.SOFTMAX), locate, ports, "net")
    operation.run()
    assert (operation.address, operation.size) == (0x1200, 11)
    wanted = softmax(np.arange(11, dtype=np.int8), 1, 1)
    assert ports.dram.view(0x1200, 12).tolist() == [*wanted.view(np.uint8).tolist(), 0x55]


def test_a_large_cube_is_refused_before_it_is_held() -> None:
    large = task(EmuOpType.POWER)
    large.buffers["height"] = large.buffers["width"] = 4096
    with pytest.raises(UnsupportedError, match="a cube of 268435456 elements, at most 16777216 are possible"):
        prepare(large, locate, memory(), "net")


@pytest.mark.parametrize("kind", EmuOpType)
@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"format": EmuFormat.FP16}, UnsupportedError, r"operation 0 \(\w+\): element format 3: only INT8"),
        ({"channel": 12}, LoadableError, r"source \(11, 2, 3\), destination \(12, 2, 3\)"),
        ({"offset": 1020}, ProgramError, "leaves the mapped memory"),
    ],
)
def test_refusals(kind: EmuOpType, fields: dict[str, int], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        prepare(task(kind, **fields), locate, memory(), "net")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"line_stride": 8}, "lie over each other"),
        ({"surf_stride": 0}, "lie over each other"),
        ({"format": EmuFormat.INT8_ATOM_32}, "different formats"),
    ],
)
def test_power_refusals(fields: dict[str, int], message: str) -> None:
    with pytest.raises(LoadableError, match=message):
        prepare(task(EmuOpType.POWER, **fields), locate, memory(), "net")
