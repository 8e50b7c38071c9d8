"""Kernels against references, on random launches and on those at the edges."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvdla_sim.errors import ProgramError
from nvdla_sim.hw.config import CONFIGS
from nvdla_sim.hw.conv import ConvLayer
from nvdla_sim.hw.execute import reference_executor
from nvdla_sim.hw.kernels import conv_plan
from nvdla_sim.hw.kernels import launch as launches
from nvdla_sim.hw.kernels.launch import bind, runs
from nvdla_sim.hw.kernels.microkernel import Isa, best_isa, isa_named
from nvdla_sim.hw.launch import Launch
from nvdla_sim.hw.sdp import AluOp, Converter, OperandMemory, SdpLayer, XStage, YStage
from tests.hw.kernels.launches import (
    Bench,
    Drawn,
    Random,
    Size,
    compare,
    ports_of,
    random_cdp,
    random_conv,
    random_pdp,
    random_sdp,
)

# atoms of 8, 16 and 32 bytes, channel blocks of 8, 32 and 64
ATOMS = ("nv_small", "nv_small_256", "nv_medium_512", "nv_large", "nv_full")
ISAS = sorted({"portable", best_isa().name})
SIZES = (
    (1, 1, 1),
    (1, 1, 7),
    (3, 1, 8),
    (8, 5, 3),
    (33, 4, 9),
    (64, 7, 29),
    (70, 1, 1),
    (1, 1, 8192),
    (5, 300, 2),
)


@pytest.fixture(params=ISAS, scope="module")
def isa(request: pytest.FixtureRequest) -> Isa:
    return isa_named(request.param)


@pytest.mark.parametrize("pixels", [False, True], ids=["cube", "pixels"])
@pytest.mark.parametrize("config", ATOMS)
@settings(max_examples=40)
@given(data=st.data())
def test_convolutions(config: str, pixels: bool, isa: Isa, data: st.DataObject) -> None:
    chip, random = CONFIGS[config], Drawn(data)
    bench = Bench(random)
    conv = random_conv(random, chip, bench, pixels)
    size = (conv.kernels, conv.out_height, conv.out_width)
    sdp = random_sdp(random, chip, bench, size, flying=True, simple=random.integers(0, 4) != 0)
    compare(chip, Launch(conv=conv, sdp=sdp), bench, isa)


def random_size(random: Random, atom: int) -> Size:
    if random.integers(0, 3) == 0:
        return SIZES[int(random.integers(0, len(SIZES)))]
    return (
        int(random.integers(1, 3 * atom)),
        int(random.integers(1, 12)),
        int(random.integers(1, 40)),
    )


@pytest.mark.parametrize("simple", [False, True], ids=["any", "simple"])
@pytest.mark.parametrize("config", ATOMS)
@settings(max_examples=50)
@given(data=st.data())
def test_sdp_from_memory(config: str, simple: bool, data: st.DataObject) -> None:
    chip, random = CONFIGS[config], Drawn(data)
    bench = Bench(random, size=1 << 22)
    sdp = random_sdp(random, chip, bench, random_size(random, chip.atom), flying=False, simple=simple)
    compare(chip, Launch(sdp=sdp), bench, best_isa())


@pytest.mark.parametrize("flying", [False, True], ids=["memory", "sdp"])
@pytest.mark.parametrize("config", ATOMS)
@settings(max_examples=40)
@given(data=st.data())
def test_pooling(config: str, flying: bool, data: st.DataObject) -> None:
    chip, random = CONFIGS[config], Drawn(data)
    bench = Bench(random, size=1 << 22)
    size, sdp = random_size(random, chip.atom), None
    if flying:
        sdp = random_sdp(random, chip, bench, size, flying=False, simple=True, to_pdp=True)
    compare(chip, Launch(sdp=sdp, pdp=random_pdp(random, chip, bench, size, flying)), bench, best_isa())


@pytest.mark.parametrize("config", ATOMS)
@settings(max_examples=40)
@given(data=st.data())
def test_normalisation(config: str, data: st.DataObject) -> None:
    chip, random = CONFIGS[config], Drawn(data)
    bench = Bench(random)
    size = (int(random.integers(1, 70)), int(random.integers(1, 5)), int(random.integers(1, 9)))
    compare(chip, Launch(cdp=random_cdp(random, chip, bench, size)), bench, best_isa())


@settings(max_examples=20)
@given(data=st.data())
def test_convolution_before_sdp_before_pooling(isa: Isa, data: st.DataObject) -> None:
    chip, random = CONFIGS["nv_small"], Drawn(data)
    bench = Bench(random)
    conv = random_conv(random, chip, bench, pixels=False)
    size = (conv.kernels, conv.out_height, conv.out_width)
    simple = bool(random.integers(0, 2))
    sdp = random_sdp(random, chip, bench, size, flying=True, simple=simple, to_pdp=True)
    pdp = random_pdp(random, chip, bench, size, flying=True)
    compare(chip, Launch(conv=conv, sdp=sdp, pdp=pdp), bench, isa)


@pytest.mark.parametrize("pixels", [False, True], ids=["cube", "pixels"])
@settings(max_examples=20)
@given(data=st.data())
def test_chunks_of_rows(isa: Isa, pixels: bool, data: st.DataObject) -> None:
    chip, random = CONFIGS["nv_large"], Drawn(data)
    bench = Bench(random)
    conv = random_conv(random, chip, bench, pixels)
    size = (conv.kernels, conv.out_height, conv.out_width)
    sdp = random_sdp(random, chip, bench, size, flying=True, simple=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conv_plan, "CHUNK_BYTES", random.choice([1, 512, 4096, 20000]))
        compare(chip, Launch(conv=conv, sdp=sdp), bench, isa)


def resized(conv: ConvLayer, bench: Bench, **sizes: int) -> ConvLayer:
    """A convolution of another geometry: packed input and weights in places of their own."""
    plain = {"stride_x": 1, "stride_y": 1, "dilation_x": 1, "dilation_y": 1}
    plain |= {"pad_left": 0, "pad_right": 0, "pad_top": 0, "pad_bottom": 0}
    conv = replace(conv, **{**plain, **sizes})  # type: ignore[arg-type]
    source = bench.cube(CONFIGS["nv_small"], (conv.channels, conv.height, conv.width), gaps=False)
    rows = conv.pad_top + conv.height + conv.pad_bottom - (conv.kernel_height - 1) * conv.dilation_y
    columns = conv.pad_left + conv.width + conv.pad_right - (conv.kernel_width - 1) * conv.dilation_x
    conv = replace(conv, kernel_channels=conv.channels)
    size = conv.kernels * conv.kernel_bytes
    return replace(
        conv,
        address=source.address, line_stride=source.line_stride, surf_stride=source.surf_stride,
        ext_width=conv.width, ext_height=conv.height, ext_channels=conv.channels, release_slices=conv.height,
        weight_bytes=size, weight_address=bench.place(size),
        out_width=sizes.get("out_width", (columns - 1) // conv.stride_x + 1),
        out_height=sizes.get("out_height", (rows - 1) // conv.stride_y + 1),
    )  # fmt: skip


def geometry(channels: int, height: int, width: int, rows: int, columns: int, **more: int) -> dict[str, int]:
    """An input and a kernel of ``rows`` x ``columns``."""
    sizes = {"channels": channels, "height": height, "width": width}
    return {"kernels": 70, **sizes, "kernel_height": rows, "kernel_width": columns, **more}


GEOMETRIES = {
    "fully connected": geometry(9, 3, 2, 3, 2),
    "one pixel, one channel": geometry(1, 1, 1, 1, 1),
    "one pixel, many channels": geometry(300, 1, 1, 1, 1),
    "one kernel": geometry(3, 4, 9, 1, 3, kernels=1),
    "the widest line": geometry(3, 1, 8192, 1, 1, kernels=9),
    "lines above": geometry(8, 4, 9, 3, 1, pad_top=2),
    "lines below": geometry(8, 4, 9, 3, 1, pad_bottom=2),
    "a column to the left, the last one left out": geometry(8, 4, 9, 1, 1, pad_left=1, out_width=9),
    "stride beyond the kernel": geometry(20, 20, 30, 2, 2, stride_x=5, stride_y=8),
}


@pytest.mark.parametrize("name", GEOMETRIES)
@settings(max_examples=6)
@given(data=st.data())
def test_geometries_at_the_edges(name: str, isa: Isa, data: st.DataObject) -> None:
    chip, random = CONFIGS["nv_small"], Drawn(data)
    bench = Bench(random, size=1 << 21)
    conv = resized(random_conv(random, chip, bench, pixels=False), bench, **GEOMETRIES[name])
    size = (conv.kernels, conv.out_height, conv.out_width)
    sdp = random_sdp(random, chip, bench, size, flying=True, simple=True)
    compare(chip, Launch(conv=conv, sdp=sdp), bench, isa)


# ---- the forms that compilers make


def compiled_sdp(form: str, bench: Bench, size: Size, flying: bool) -> SdpLayer:
    """What the stages do in networks; the multipliers leave live values behind a convolution."""
    chip = CONFIGS["nv_small"]
    channel = OperandMemory(bench.cube(chip, (size[0], 1, 1), 2 * chip.atom), False, 2, False)
    pairs = OperandMemory(bench.cube(chip, (size[0], 1, 1), 4 * chip.atom), False, 2, True)
    points = OperandMemory(bench.cube(chip, size), True, 1, False)
    none = XStage(None, None, 0, False, None, False, 0, False, None)
    bias = replace(none, alu=AluOp.SUM, memory=channel)
    both = replace(none, alu=AluOp.SUM, mul=True, truncate=24 if flying else 16, memory=pairs)
    scale = replace(none, mul=True, mul_operand=21001, truncate=22 if flying else 12)
    add = replace(none, alu=AluOp.SUM, memory=points)
    least = replace(none, alu=AluOp.MIN, alu_operand=3, alu_shift=4)
    huge = replace(none, mul=True, mul_operand=32767, truncate=1)  # sums behind a convolution saturate
    lower, higher = (replace(none, alu=AluOp.SUM, alu_operand=a, alu_shift=16) for a in (-32768, 32767))
    identity, cvt = Converter(0, 1, 0), Converter(0, 1 << 14, 22 if flying else 14)
    x1, x2, out = {
        "per kernel": (replace(bias, relu=True), None, cvt),
        "per kernel, saturating": (bias, None, Converter(0, 32767, 8)),
        "per filter": (replace(both, relu=True), None, identity),
        "batch normalisation": (scale, replace(both, truncate=14, relu=True), identity),
        "bias and clip": (replace(bias, relu=True), least, cvt),
        "addition": (replace(add, relu=True), None, Converter(1, 30133, 15)),
        "falling addition": (add, None, Converter(0, -30133, 15)),
        "per filter and addition": (both, replace(add, alu_shift=3, relu=True), Converter(0, 21001, 17)),
        "scale and addition": (replace(scale, relu=True), add, Converter(-7, -21001, 15)),
        "addition and scale": (add, replace(scale, relu=True), Converter(5, 3, 1)),
        "sums below 32 bits": (huge, lower, Converter(0, 1, 26)),
        "sums above 32 bits": (huge, higher, Converter(0, 1, 26)),
        "long shift": (replace(bias, alu_shift=16), None, Converter(0, 32767, 38)),
        "nothing": (None, None, identity),
    }[form]
    layer = random_sdp(bench.random, chip, bench, size, flying, simple=True)
    return replace(layer, x1=x1, x2=x2, y=None, cvt=out)


FORMS = (
    "per kernel", "per kernel, saturating", "per filter", "batch normalisation", "bias and clip", "addition",
    "falling addition", "per filter and addition", "scale and addition", "addition and scale",
    "sums below 32 bits", "sums above 32 bits", "long shift", "nothing",
)  # fmt: skip


@pytest.mark.parametrize("flying", [False, True], ids=["memory", "convolution"])
@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=6)
@given(data=st.data())
def test_compiled_forms_need_no_general_path(form: str, flying: bool, isa: Isa, data: st.DataObject) -> None:
    chip, random = CONFIGS["nv_small"], Drawn(data)
    bench = Bench(random)
    # off the ends: an operand of two bytes moved by 16 bits leaves room for sums, or the general path is due
    bench.memory = random.integers(-112, 113, bench.size, np.int8).view(np.uint8)
    conv, size = None, random_size(random, chip.atom)
    if flying:
        conv = replace(random_conv(random, chip, bench, pixels=False), clip_truncate=0)
        size = (conv.kernels, conv.out_height, conv.out_width)
    sdp = compiled_sdp(form, bench, size, flying)
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr("nvdla_sim.hw.kernels.sdp.run_stages")
        compare(chip, Launch(conv=conv, sdp=sdp), bench, isa)


@pytest.mark.parametrize(("truncate", "result"), [(62, 1), (63, 1), (64, 0)])
def test_the_largest_product_of_y(truncate: int, result: int) -> None:
    """-2^31 times -2^31, the product of 2^62 that all sums of rounding must have room for."""
    chip, random = CONFIGS["nv_small"], np.random.default_rng(0)
    bench = Bench(random)
    bench.memory[:] = 0
    lowest = XStage(AluOp.SUM, -32768, 16, False, None, False, 0, False, None)
    y = YStage(
        mul=True, mul_operand=-(1 << 31), mul_cvt=None, prelu=False, truncate=truncate,
        alu=None, alu_operand=None, alu_cvt=None, lut=None, memory=None,
    )  # fmt: skip
    sdp = random_sdp(random, chip, bench, (8, 1, 1), flying=False, simple=True)
    launch = Launch(sdp=replace(sdp, x1=lowest, x2=None, y=y, cvt=Converter(0, 1, 0)))
    compare(chip, launch, bench, best_isa())
    reference_executor(chip, ports_of(bench.memory))(launch)
    assert bench.memory[bench.memory != 0].tolist() == [result] * 8 * (result != 0)


# ---- in place


@pytest.mark.parametrize("form", ["addition", "per filter and addition", "scale and addition"])
@settings(max_examples=10)
@given(data=st.data())
def test_addition_into_its_operand(form: str, isa: Isa, data: st.DataObject) -> None:
    chip, random = CONFIGS["nv_small"], Drawn(data)
    bench = Bench(random)
    conv = replace(random_conv(random, chip, bench, pixels=False), clip_truncate=0)
    size = (conv.kernels, conv.out_height, conv.out_width)
    sdp = compiled_sdp(form, bench, size, flying=True)
    operand = next(s.memory for s in (sdp.x1, sdp.x2) if s and s.memory and s.memory.per_element)
    compare(chip, Launch(conv=conv, sdp=replace(sdp, destination=operand.surface)), bench, isa)
    sdp = compiled_sdp("addition", bench, size, flying=False)
    compare(chip, Launch(sdp=replace(sdp, destination=sdp.source)), bench, isa)


@settings(max_examples=20)
@given(data=st.data())
def test_general_stages_in_place(data: st.DataObject) -> None:
    chip, random = CONFIGS["nv_medium_512"], Drawn(data)
    bench = Bench(random)
    sdp = random_sdp(random, chip, bench, (40, 5, 9), flying=False, simple=False)
    compare(chip, Launch(sdp=replace(sdp, destination=sdp.source)), bench, best_isa())


@settings(max_examples=20)
@given(data=st.data())
def test_normalisation_in_place(data: st.DataObject) -> None:
    chip, random = CONFIGS["nv_small"], Drawn(data)
    bench = Bench(random)
    cdp = random_cdp(random, chip, bench, (21, 3, 5))
    compare(chip, Launch(cdp=replace(cdp, destination=cdp.source)), bench, best_isa())


@settings(max_examples=10)
@given(data=st.data())
def test_convolution_over_its_input(isa: Isa, data: st.DataObject) -> None:
    """All of the input is read before the first byte is written, whatever is a chunk otherwise."""
    chip, random = CONFIGS["nv_small"], Drawn(data)
    bench = Bench(random)
    conv = replace(random_conv(random, chip, bench, pixels=False), clip_truncate=0)
    size = (conv.kernels, conv.out_height, conv.out_width)
    sdp = compiled_sdp("per kernel", bench, size, flying=True)
    assert sdp.destination is not None
    bench.place(1 << 16)  # the output may be larger than the input
    onto = replace(sdp.destination, address=conv.address + 40)
    moved = replace(conv, weight_address=bench.place(conv.weight_bytes))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conv_plan, "CHUNK_BYTES", 1)
        compare(chip, Launch(conv=moved, sdp=replace(sdp, destination=onto)), bench, isa)


@pytest.mark.parametrize("shift", [-40, 8, 24])
def test_other_overlaps_are_left_to_the_reference(shift: int) -> None:
    chip = CONFIGS["nv_small"]
    random = np.random.default_rng(1)
    bench = Bench(random)
    size = (20, 6, 7)
    sdp = random_sdp(random, chip, bench, size, flying=False, simple=True)
    pdp = random_pdp(random, chip, bench, size, flying=False)
    cdp = random_cdp(random, chip, bench, size)
    assert sdp.source is not None
    assert pdp.source is not None
    for launch in (
        Launch(sdp=replace(sdp, destination=replace(sdp.source, address=sdp.source.address + shift))),
        Launch(pdp=replace(pdp, destination=replace(pdp.destination, address=pdp.source.address + shift))),
        Launch(cdp=replace(cdp, destination=replace(cdp.source, address=cdp.source.address + shift))),
    ):
        assert bind(chip, launch, ports_of(bench.memory), best_isa()) is None


# ---- refusals


def test_kernels_need_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    launch = Launch(pdp=random_pdp(random, CONFIGS["nv_small"], Bench(random), (8, 4, 4), flying=False))
    assert runs(launch)
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
    assert not runs(launch)


def test_a_launch_outside_of_its_memory_is_refused_before_it_runs() -> None:
    chip = CONFIGS["nv_small"]
    random = np.random.default_rng(5)
    bench = Bench(random, size=1 << 16)
    sdp = random_sdp(random, chip, bench, (9, 3, 5), flying=False, simple=True)
    assert sdp.destination is not None
    for field in ("source", "destination"):
        outside = replace(sdp.destination, address=sdp.destination.address + (1 << 16))
        with pytest.raises(ProgramError, match="leaves the mapped memory"):
            bind(chip, Launch(sdp=replace(sdp, **{field: outside})), ports_of(bench.memory), best_isa())


def test_a_buffer_beyond_reason_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launches, "LARGEST_BUFFER", 1000)
    chip = CONFIGS["nv_small"]
    random = np.random.default_rng(5)
    bench = Bench(random)
    size = (9, 8, 9)
    sdp = random_sdp(random, chip, bench, size, flying=False, simple=True, to_pdp=True)
    pdp = random_pdp(random, chip, bench, size, flying=True)
    with pytest.raises(ProgramError, match="9x8x9 needs a buffer of 1152 bytes"):
        bind(chip, Launch(sdp=sdp, pdp=pdp), ports_of(bench.memory), best_isa())
