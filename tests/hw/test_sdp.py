from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvdla_sim.errors import ProgramError
from nvdla_sim.hw.config import CONFIGS
from nvdla_sim.hw.sdp import (
    AluOp,
    Converter,
    OperandMemory,
    SdpLayer,
    XStage,
    YStage,
    output_converter,
    reference,
    x_stage,
    y_stage,
)
from nvdla_sim.hw.surface import Surface
from tests.hw import exact
from tests.hw.layer_case import DESTINATION, OPERANDS, SOURCE, Bench, packed

SMALL, FULL = CONFIGS["nv_small"], CONFIGS["nv_full"]

# --- one value through one stage ---


def alu(op: AluOp, v: int, a: int) -> int:
    return {AluOp.MAX: max(v, a), AluOp.MIN: min(v, a), AluOp.SUM: v + a, AluOp.EQL: int(v != a)}[op]


def x_exactly(stage: XStage, v: int, a: int, m: int) -> int:
    if stage.alu is not None:
        v = alu(stage.alu, v, exact.saturate(a << stage.alu_shift, 32))
    if stage.prelu and v >= 0:
        v = exact.wrap(v, 32)
    else:
        v = exact.saturate(exact.nearest(v * m if stage.mul else v, stage.truncate), 32)
    return max(v, 0) if stage.relu else v


def convert(cvt: Converter | None, value: int, bits: int) -> int:
    if cvt is None:
        return value
    return exact.saturate(exact.nearest((value - cvt.offset) * cvt.scale, cvt.truncate), bits)


def y_exactly(stage: YStage, v: int, a: int, m: int) -> int:
    if stage.mul and not (stage.prelu and v >= 0):
        v = exact.saturate(exact.nearest(v * convert(stage.mul_cvt, m, 32), stage.truncate), 32)
    if stage.alu is not None:
        v = exact.saturate(alu(stage.alu, v, convert(stage.alu_cvt, a, 32)), 32)
    return v


def x_stages() -> st.SearchStrategy[XStage]:
    def build(alu: AluOp | None, shift: int, mul: bool, prelu: bool, truncate: int, relu: bool) -> XStage:
        return XStage(alu, None, shift, mul, None, prelu and mul, truncate, relu, None)

    ops = st.sampled_from([None, AluOp.MAX, AluOp.MIN, AluOp.SUM])
    flag, shift = st.booleans(), st.integers(0, 63)
    return st.builds(build, ops, shift, flag, flag, shift, flag)


def converters() -> st.SearchStrategy[Converter | None]:
    return st.none() | st.builds(Converter, exact.signed(32), exact.signed(16), st.integers(0, 63))


def y_stages() -> st.SearchStrategy[YStage]:
    def build(
        mul: bool,
        cvts: tuple[Converter | None, Converter | None],
        prelu: bool,
        truncate: int,
        alu: AluOp | None,
    ) -> YStage:
        return YStage(mul, None, cvts[0], prelu and mul, truncate, alu, None, cvts[1], None, None)

    truncate = st.sampled_from([0, 1, 31, 62, 63, 64, 1023]) | st.integers(0, 63)
    ops = st.none() | st.sampled_from(AluOp)
    return st.builds(
        build, st.booleans(), st.tuples(converters(), converters()), st.booleans(), truncate, ops
    )


def vectors(bits: int) -> st.SearchStrategy[list[int]]:
    return st.lists(exact.signed(bits), min_size=8, max_size=8)


@given(x_stages(), vectors(32), vectors(16), vectors(16))
def test_x_stage(stage: XStage, v: list[int], a: list[int], m: list[int]) -> None:
    got = x_stage(stage, *(np.array(operand, np.int64) for operand in (v, a, m)))
    assert got.tolist() == [x_exactly(stage, *one) for one in zip(v, a, m, strict=True)]


@given(y_stages(), vectors(32), st.sampled_from([16, 32]), st.data())
def test_y_stage(stage: YStage, v: list[int], operand_bits: int, data: st.DataObject) -> None:
    """Operands from memory have 16 bits, and are converted; registers have 32 and are not."""
    if operand_bits == 32:
        stage = replace(stage, mul_cvt=None, alu_cvt=None)
    a, m = data.draw(vectors(operand_bits)), data.draw(vectors(operand_bits))
    got = y_stage(stage, *(np.array(operand, np.int64) for operand in (v, a, m)), False, {})
    assert got.tolist() == [y_exactly(stage, *one) for one in zip(v, a, m, strict=True)]


@given(converters().filter(lambda cvt: cvt is not None), vectors(32), st.sampled_from([8, 16]))
def test_output_converter(cvt: Converter, v: list[int], bits: int) -> None:
    got, saturated = output_converter(cvt, np.array(v, np.int64), bits)
    assert got.tolist() == [exact.saturate(convert(cvt, one, 17), bits) for one in v]
    assert saturated == sum(convert(cvt, one, 17) != convert(cvt, one, 64) for one in v)


def test_the_largest_product_of_y_is_exact() -> None:
    lowest = np.array([-(1 << 31)])
    for truncate, result in ((62, 1), (63, 1), (64, 0), (31, (1 << 31) - 1)):
        stage = YStage(True, None, None, False, truncate, None, None, None, None, None)
        assert y_stage(stage, lowest, 0, lowest, False, {}) == result


def test_prelu_lets_a_33_bit_sum_wrap_and_a_multiplication_saturate() -> None:
    stage = XStage(AluOp.SUM, 1, 0, True, 1, True, 0, False, None)
    highest = np.array([(1 << 31) - 1])
    assert x_stage(stage, highest, 1, 1) == -(1 << 31)
    assert x_stage(replace(stage, prelu=False), highest, 1, 1) == (1 << 31) - 1


def test_x_shifts_also_what_it_does_not_multiply() -> None:
    stage = XStage(None, None, 0, False, None, False, 1, False, None)
    assert x_stage(stage, np.array([5, -5]), None, None).tolist() == [3, -3]


# --- whole layers ---

IDENTITY = Converter(0, 1, 0)


def layer_of(width: int, height: int, channels: int, atom: int = 8, itemsize: int = 1) -> SdpLayer:
    """A copy of int8 or int16 elements from packed surface to packed surface."""
    return SdpLayer(
        width=width,
        height=height,
        channels=channels,
        batches=1,
        source=packed(SOURCE, height, width, atom),
        source_itemsize=itemsize,
        itemsize=itemsize,
        x1=None,
        x2=None,
        y=None,
        cvt=IDENTITY,
        out_itemsize=itemsize,
        destination=packed(DESTINATION, height, width, atom),
        destination_batch_stride=0,
        to_pdp=False,
        winograd=False,
        count_saturation=True,
        count_lut=True,
    )


SHAPES = [(1, 1, 1), (1, 1, 17), (5, 3, 1), (4, 2, 19), (8192, 1, 1)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_copy_takes_all_lanes_and_no_byte_more(shape: tuple[int, int, int]) -> None:
    bench, layer = Bench(), layer_of(*shape)
    width, height, channels = shape
    size = -(-channels // 8) * 8 * width * height
    before, counters = bench.areas[DESTINATION].copy(), {}
    assert reference(SMALL, layer, bench.ports, None, counters) is None
    assert np.array_equal(bench.areas[DESTINATION][:size], bench.areas[SOURCE][:size])
    assert np.array_equal(bench.areas[DESTINATION][size:], before[size:])
    assert counters == {"SDP.D_PERF_OUT_SATURATION": 0}


@pytest.mark.parametrize("itemsize", [1, 2])
@pytest.mark.parametrize("per_element", [False, True])
@pytest.mark.parametrize("used", ["alu", "mul", "both"])
@pytest.mark.parametrize("shape", [(1, 1, 11), (3, 2, 20)], ids=str)
def test_operands_from_memory(
    itemsize: int, per_element: bool, used: str, shape: tuple[int, int, int]
) -> None:
    width, height, channels = shape
    alu_there, mul_there = used != "mul", used != "alu"
    atom = 8 * itemsize * (2 if used == "both" else 1)
    line, surf = width * atom + 16, (width * atom + 16) * height + 8
    memory = OperandMemory(Surface(OPERANDS, line, surf, 1), per_element, itemsize, used == "both")
    stage = XStage(
        AluOp.SUM, None if alu_there else 3, 2, True, None if mul_there else -7, False, 4, False, memory
    )
    bench, layer = Bench(), replace(layer_of(*shape), x1=stage)
    reference(SMALL, layer, bench.ports, None, {})
    for s, y, x, lane in product(range(-(-channels // 8)), range(height), range(width), range(8)):
        offset = s * surf + y * line + x * atom if per_element else s * atom
        offset += lane * itemsize * (2 if used == "both" else 1)
        a = bench.at(OPERANDS + offset, itemsize) if alu_there else 3
        m = bench.at(OPERANDS + offset + (itemsize if used == "both" else 0), itemsize) if mul_there else -7
        at = ((s * height + y) * width + x) * 8 + lane
        expected = exact.saturate(x_exactly(stage, bench.at(SOURCE + at, 1), a, m), 8)
        assert bench.at(DESTINATION + at, 1) == expected, (s, y, x, lane)


@settings(max_examples=50)
@given(x_stages(), x_stages(), y_stages(), converters(), st.integers(0, 1 << 32))
def test_stages_follow_each_other(
    x1: XStage, x2: XStage, y: YStage, cvt: Converter | None, seed: int
) -> None:
    numbers = np.random.default_rng(seed)
    operands = [int(v) for v in numbers.integers(-300, 300, 6)]
    x1, x2 = (
        replace(stage, alu_operand=operands[2 * i], mul_operand=operands[2 * i + 1])
        for i, stage in enumerate((x1, x2))
    )
    y = replace(y, alu_operand=operands[4], mul_operand=operands[5], alu_cvt=None, mul_cvt=None)
    cvt = cvt or IDENTITY
    stream = numbers.integers(-(1 << 31), 1 << 31, (1, 8, 1, 2)) >> numbers.integers(0, 32, (1, 8, 1, 2))
    layer = replace(layer_of(2, 1, 8), source=None, x1=x1, x2=x2, y=y, cvt=cvt, destination=None, to_pdp=True)
    counters: dict[str, int] = {}
    got = reference(SMALL, layer, Bench().ports, stream, counters)
    unequal = False
    for index, value in np.ndenumerate(stream):
        v = x_exactly(x2, x_exactly(x1, int(value), *operands[:2]), *operands[2:4])
        v = y_exactly(y, v, *operands[4:])
        unequal |= v != 0
        if not layer.compares:
            assert got is not None
            assert got[index] == exact.saturate(convert(cvt, v, 17), 8)
    if layer.compares:
        assert got is None
        assert counters == {"SDP.D_STATUS": int(unequal)}


def test_int8_processing_gives_pairs_of_int16_surfaces() -> None:
    """Up to whole pairs, even where the channels would need only one surface."""
    bench, layer = Bench(), replace(layer_of(3, 2, 5, atom=32), out_itemsize=2)
    before = bench.areas[DESTINATION].copy()
    reference(FULL, layer, bench.ports, None, {})
    for at in range(3 * 2 * 32):
        pixel, lane = divmod(at, 32)
        out = lane // 16 * 192 + pixel * 32 + lane % 16 * 2
        assert bench.at(DESTINATION + out, 2) == bench.at(SOURCE + at, 1)
    assert np.array_equal(bench.areas[DESTINATION][2 * 192 :], before[2 * 192 :])


def test_int16_source_fills_int8_lanes_from_pairs_of_surfaces() -> None:
    bench, layer = Bench(), replace(layer_of(3, 2, 20, atom=32), source_itemsize=2, cvt=Converter(0, 1, 8))
    reference(FULL, layer, bench.ports, None, {})
    for at in range(3 * 2 * 32):
        pixel, lane = divmod(at, 32)
        value = bench.at(SOURCE + lane // 16 * 192 + pixel * 32 + lane % 16 * 2, 2)
        assert bench.at(DESTINATION + at, 1) == exact.saturate(exact.nearest(value, 8), 8)


def test_batches_share_operands_and_go_to_their_own_cubes() -> None:
    memory = OperandMemory(Surface(OPERANDS, 64, 64, 1), True, 1, False)
    stage = XStage(AluOp.SUM, None, 0, False, None, False, 0, False, memory)
    layer = replace(layer_of(2, 1, 32, atom=32), source=None, x1=stage, batches=3)
    layer = replace(layer, destination_batch_stride=1024)
    bench = Bench()
    stream = np.arange(3 * 32 * 2).reshape(3, 32, 1, 2)
    before = bench.areas[DESTINATION].copy()
    reference(FULL, layer, bench.ports, stream, {})
    for batch, x, lane in product(range(3), range(2), range(32)):
        expected = exact.saturate(int(stream[batch, lane, 0, x]) + bench.at(OPERANDS + x * 32 + lane, 1), 8)
        assert bench.at(DESTINATION + batch * 1024 + x * 32 + lane, 1) == expected
    for batch, following in pairwise([0, 1024, 2048, 3072]):
        assert np.array_equal(
            bench.areas[DESTINATION][batch + 64 : following], before[batch + 64 : following]
        )


def test_nothing_is_written_when_the_last_batch_is_outside() -> None:
    bench = Bench()
    layer = replace(layer_of(2, 1, 32, atom=32), source=None, batches=2, destination_batch_stride=1 << 16)
    before = bench.areas[DESTINATION].copy()
    with pytest.raises(ProgramError, match="leaves the mapped memory"):
        reference(FULL, layer, bench.ports, np.zeros((2, 32, 1, 2), np.int64), {})
    assert np.array_equal(bench.areas[DESTINATION], before)


@pytest.mark.parametrize("element", [0, 7, 30])
def test_a_single_unequal_lane_sets_the_status(element: int) -> None:
    """Unused lanes count, too: here 20 channels leave 4 of them."""
    memory = OperandMemory(Surface(OPERANDS, 16, 16, 1), True, 1, False)
    y = YStage(False, None, None, False, 0, AluOp.EQL, None, None, None, memory)
    layer = replace(layer_of(2, 1, 20), y=y, destination=None)
    bench = Bench()
    bench.areas[OPERANDS][:48] = bench.areas[SOURCE][:48]
    for status in (0, 1):
        counters: dict[str, int] = {}
        assert reference(SMALL, layer, bench.ports, None, counters) is None
        assert counters == {"SDP.D_STATUS": status}
        bench.areas[OPERANDS][element] ^= 1
