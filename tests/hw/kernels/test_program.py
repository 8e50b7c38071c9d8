"""Whole programs: launches that write what others have packed, and weights that stay in the buffer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvdla_sim.errors import ProgramError
from nvdla_sim.hw.config import CONFIGS, Config
from nvdla_sim.hw.conv import ConvLayer
from nvdla_sim.hw.execute import reference_executor
from nvdla_sim.hw.kernels import program
from nvdla_sim.hw.kernels.binding import Region, Regions
from nvdla_sim.hw.kernels.launch import Prepared, bind
from nvdla_sim.hw.kernels.microkernel import Isa, best_isa
from nvdla_sim.hw.kernels.program import kernel_executor, prepare, prepare_program
from nvdla_sim.hw.launch import Launch
from nvdla_sim.hw.memory import Memory, Ports
from nvdla_sim.hw.sdp import Converter, SdpLayer
from nvdla_sim.hw.surface import Surface
from tests.hw.kernels.launches import BASE, Bench, ports_of, random_conv, random_sdp

CHIP = CONFIGS["nv_small"]


def convolution(bench: Bench, seed: int = 0) -> Launch:
    random = np.random.default_rng(seed)
    conv = replace(random_conv(random, CHIP, bench, pixels=False), kernels=24, clip_truncate=0)
    conv = replace(
        conv, weight_bytes=24 * conv.kernel_bytes, weight_address=bench.place(24 * conv.kernel_bytes)
    )
    size = (conv.kernels, conv.out_height, conv.out_width)
    return Launch(conv=conv, sdp=random_sdp(random, CHIP, bench, size, flying=True, simple=True))


def copy_to(bench: Bench, address: int, size: int) -> Launch:
    """An SDP layer that writes ``size`` bytes at ``address``."""
    random = np.random.default_rng(9)
    layer = random_sdp(random, CHIP, bench, (8, 1, size // 8), flying=False, simple=True)
    layer = replace(layer, x1=None, x2=None)
    return Launch(sdp=replace(layer, destination=Surface(address, size, size, 1)))


def both_ways(bench: Bench, launches: list[Launch], given: tuple[int, int] | None = None) -> None:
    """Two runs by references and by kernels; between them ``given`` (address, bytes) changes."""
    memories = [bench.memory.copy() for _ in range(2)]
    execute = reference_executor(CHIP, ports_of(memories[0]))
    volatile = [(1, *given)] if given else []
    runs = prepare_program(CHIP, launches, ports_of(memories[1]), volatile)
    for number in range(2):
        for memory in memories:
            if given is not None:
                start = given[0] - BASE
                memory[start : start + given[1]] = np.random.default_rng(number).integers(0, 256, given[1])
        for launch, run in zip(launches, runs, strict=True):
            execute(launch)
            run()
        assert np.array_equal(*memories), number


@pytest.fixture
def bench() -> Bench:
    bench = Bench(np.random.default_rng(2))
    bench.memory = bench.random.integers(0, 256, bench.size, np.uint8)
    return bench


def conv_of(launch: Launch) -> ConvLayer:
    assert launch.conv is not None
    return launch.conv


def sdp_of(launch: Launch) -> SdpLayer:
    assert launch.sdp is not None
    return launch.sdp


def test_weights_that_an_earlier_launch_writes(bench: Bench) -> None:
    launch = convolution(bench)
    write = copy_to(bench, conv_of(launch).weight_address, 64)
    both_ways(bench, [launch, write, launch])


def test_weights_that_are_given_at_each_run(bench: Bench) -> None:
    launch = convolution(bench)
    both_ways(bench, [launch], (conv_of(launch).weight_address, 40))


@pytest.mark.parametrize("seed", range(12))
def test_channel_operands_that_are_given_at_each_run(bench: Bench, seed: int) -> None:
    launch = convolution(bench, seed)
    for stage in (sdp_of(launch).x1, sdp_of(launch).x2):
        if stage is not None and stage.memory is not None:
            both_ways(bench, [launch], (stage.memory.surface.address, 16))


def test_a_launch_that_writes_its_own_weights(bench: Bench) -> None:
    launch = convolution(bench)
    sdp = sdp_of(launch)
    assert sdp.destination is not None
    onto = replace(sdp.destination, address=conv_of(launch).weight_address + 16)
    bench.place(1 << 16)
    both_ways(bench, [replace(launch, sdp=replace(sdp, destination=onto))])


def test_packing_happens_once_where_nothing_changes(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0
    bind = program.bind

    def counting(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        return bind(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(program, "bind", counting)
    both_ways(bench, [convolution(bench, 1), convolution(bench, 2)])
    assert calls == 2


def test_what_would_take_too_much_memory_is_packed_at_each_run(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    launches = [convolution(bench, seed) for seed in (1, 2, 3)]
    ports = ports_of(bench.memory)
    sizes = [cast(Prepared, bind(CHIP, launch, ports, best_isa())).size for launch in launches]
    assert sizes[0] > 24 * conv_of(launches[0]).kernel_bytes
    monkeypatch.setattr(program, "MAX_KEPT", sizes[0] + sizes[2])
    bound: list[Launch] = []

    def noting(config: Config, launch: Launch, ports: Ports, isa: Isa) -> Prepared | None:
        bound.append(launch)
        return bind(config, launch, ports, isa)

    monkeypatch.setattr(program, "bind", noting)
    runs = prepare_program(CHIP, launches, ports)
    for run in runs:
        run()
    assert bound == [*launches, launches[1]]
    both_ways(bench, launches)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9))), st.integers(0, 70), st.integers(1, 9))
def test_regions_know_what_overlaps_them(places: list[tuple[int, int]], first: int, size: int) -> None:
    regions = [Region(start, start + length) for start, length in places]
    other = Region(first, first + size)
    assert Regions(regions).overlap(other) == any(other.overlaps(region) for region in regions)


@pytest.mark.parametrize("beyond", ["source", "destination"])
def test_memory_that_moves_while_it_is_mapped_on_demand(bench: Bench, beyond: str) -> None:
    """Binding one cube maps it, and moves the other one that may be bound already."""
    random = np.random.default_rng(4)
    layer = random_sdp(random, CHIP, bench, (20, 5, 9), flying=False, simple=True)
    cube = getattr(layer, beyond)
    launch = Launch(sdp=replace(layer, **{beyond: replace(cube, address=BASE + bench.used)}))
    results = []
    for engine in (reference_executor, kernel_executor):
        dram = Memory(grow_limit=1 << 24)
        dram.map(BASE, bench.memory[: bench.used].copy())
        engine(CHIP, Ports(dram, Memory()))(launch)
        results.append(dram.view(BASE, bench.used + 4096).copy())
    assert np.array_equal(*results)


# ---- the convolution buffer

Change = Callable[[ConvLayer, ConvLayer], tuple[ConvLayer, ConvLayer]]


def weights_kept(first: ConvLayer, second: ConvLayer) -> tuple[ConvLayer, ConvLayer]:
    """The second layer's own weight address is nonsense."""
    return replace(first, skip_weight_release=True), replace(second, weight_reuse=True, weight_address=0)


def data_kept(first: ConvLayer, second: ConvLayer) -> tuple[ConvLayer, ConvLayer]:
    return replace(first, skip_data_release=True), replace(second, data_reuse=True, address=0)


def pair(bench: Bench, change: Change) -> list[Launch]:
    """Two convolutions of one shape with other data and weights."""
    first = convolution(bench)
    # a plain shift: every change of data or weights shows
    conv, sdp = (
        conv_of(first),
        replace(sdp_of(first), x1=None, x2=None, y=None, cvt=Converter(0, 1 << 14, 25)),
    )
    assert sdp.destination is not None
    size = (conv.channels, conv.height, conv.width)
    other = bench.cube(CHIP, size, gaps=False)
    there = {"address": other.address, "line_stride": other.line_stride, "surf_stride": other.surf_stride}
    one, two = change(conv, replace(conv, weight_address=bench.place(conv.weight_bytes), **there))
    out = bench.cube(CHIP, (sdp.channels, sdp.height, sdp.width), gaps=False)
    return [Launch(conv=one, sdp=sdp), Launch(conv=two, sdp=replace(sdp, destination=out))]


@pytest.mark.parametrize("change", [weights_kept, data_kept])
def test_what_stays_in_the_buffer(bench: Bench, change: Change) -> None:
    launches = pair(bench, change)
    both_ways(bench, launches)
    # a layer in between that uses it and keeps it
    between = replace(conv_of(launches[1]), skip_weight_release=True, skip_data_release=True)
    both_ways(bench, [launches[0], replace(launches[1], conv=between), launches[1]])


def test_each_run_begins_with_an_empty_buffer(bench: Bench) -> None:
    """The first layer would reuse what the last one of the run before has left."""
    keeps, reuses = pair(bench, weights_kept)
    first = replace(conv_of(reuses), weight_address=conv_of(keeps).weight_address)
    last = replace(conv_of(keeps), weight_address=conv_of(keeps).address)
    memory = bench.memory.copy()
    runs = prepare_program(CHIP, [replace(reuses, conv=first), replace(keeps, conv=last)], ports_of(memory))
    states = []
    for _ in range(2):
        for run in runs:
            run()
        states.append(memory.copy())
    assert np.array_equal(*states)


def test_kept_weights_outlive_their_memory(bench: Bench) -> None:
    """What lies at their address when they are used again does not count."""
    launches = pair(bench, weights_kept)
    write = copy_to(bench, conv_of(launches[0]).weight_address, 64)
    both_ways(bench, [launches[0], write, launches[1]])


def test_kept_weights_are_read_by_kernels(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "reference_executor", lambda *_: None)
    runs = prepare_program(CHIP, pair(bench, weights_kept), ports_of(bench.memory))
    for run in runs:
        run()


@pytest.mark.parametrize("change", [weights_kept, data_kept])
def test_the_executor_keeps_the_buffer(bench: Bench, change: Change) -> None:
    launches = pair(bench, change)
    plain = convolution(bench, 5)
    # what the layer in between leaves is nothing
    for order in ([*launches], [launches[0], plain, launches[1]]):
        results = []
        for engine in (reference_executor, kernel_executor):
            memory = bench.memory.copy()
            execute = engine(CHIP, ports_of(memory))
            try:
                counters = [dict(execute(launch)) for launch in order]
            except ProgramError as problem:  # both fail alike
                counters = [{str(problem): 0}]
            results.append((memory, counters))
        assert np.array_equal(results[0][0], results[1][0])
        assert results[0][1] == results[1][1]


@pytest.mark.parametrize("kept", [False, True])
def test_weights_that_were_not_kept_cannot_be_reused(bench: Bench, kept: bool) -> None:
    first, second = pair(bench, weights_kept)
    first = replace(first, conv=replace(conv_of(first), skip_weight_release=kept))
    runs = prepare_program(CHIP, [first, second], ports_of(bench.memory))
    runs[0]()
    if kept:
        runs[1]()
    else:
        with pytest.raises(ProgramError, match="did not keep its weights"):
            runs[1]()


def test_counters_come_with_the_bytes(bench: Bench) -> None:
    """In place, too: the reference that counts is not seen by the kernel."""
    launch = Launch(
        sdp=replace(random_sdp(bench.random, CHIP, bench, (9, 4, 5), flying=False, simple=True), y=None)
    )
    in_place = replace(sdp_of(launch), destination=sdp_of(launch).source)
    for sdp in (in_place, sdp_of(launch)):
        results = []
        for engine in (reference_executor, kernel_executor):
            memory = bench.memory.copy()
            counters = engine(CHIP, ports_of(memory))(Launch(sdp=replace(sdp, count_saturation=True)))
            results.append((memory, dict(counters)))
        assert np.array_equal(results[0][0], results[1][0])
        assert results[0][1] == results[1][1]
        assert "SDP.D_PERF_OUT_SATURATION" in results[0][1]


def test_one_launch(bench: Bench) -> None:
    launch = convolution(bench)
    memories = [bench.memory.copy() for _ in range(2)]
    reference_executor(CHIP, ports_of(memories[0]))(launch)
    prepare(CHIP, launch, ports_of(memories[1]))()
    assert np.array_equal(*memories)
