"""Buffers that live at the same time never overlap; others share memory."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from nvdla_sim.compiler.allocate import ALIGNMENT, allocate
from nvdla_sim.compiler.program import NO_PADS, Buffer, Pdp, Program, Role, packed
from nvdla_sim.loadable.enums import PoolMode


def chain(*sizes: int) -> tuple[Program, list[Buffer]]:
    """Buffer i is read once, to make buffer i+1."""
    buffers = [Buffer(Role.WORK, size * 8) for size in sizes]
    cubes = [packed(buffer, 8, 1, buffer.size // 8, 8) for buffer in buffers]
    program = Program()
    for src, dst in itertools.pairwise(cubes):
        program.units.append((Pdp("x", src, dst, PoolMode.MAX, (1, 1), (1, 1), NO_PADS),))
    return program, buffers


def test_a_chain_needs_its_two_largest_neighbours_only() -> None:
    program, buffers = chain(96, 32, 64, 32)  # 768, 256, 512 and 256 bytes
    assert allocate(program) == 768 + 256
    assert [buffer.offset for buffer in buffers] == [0, 768, 0, 512]


@given(st.lists(st.integers(1, 300), min_size=2, max_size=12), st.booleans())
def test_neighbours_never_overlap(sizes: list[int], reuse: bool) -> None:
    program, buffers = chain(*sizes)
    total = allocate(program, reuse)
    for buffer in buffers:
        assert buffer.offset % ALIGNMENT == 0
        assert buffer.offset + buffer.size <= total
    pairs = itertools.pairwise(buffers)
    if not reuse:
        pairs = [(a, b) for i, a in enumerate(buffers) for b in buffers[:i]]
    for a, b in pairs:
        assert a.offset + a.size <= b.offset or b.offset + b.size <= a.offset


def test_inputs_and_outputs_have_no_place_in_the_pool() -> None:
    program, buffers = chain(10, 20)
    buffers[0].role = Role.INPUT
    buffers[1].role = Role.OUTPUT
    assert allocate(program) == 0
