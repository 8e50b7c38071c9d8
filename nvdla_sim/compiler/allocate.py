"""Places for the work buffers in one pool: buffers that are never needed at the same time share memory."""

from __future__ import annotations

from nvdla_sim.compiler.program import Buffer, Program, Role
from nvdla_sim.hw.formats import round_up

ALIGNMENT = 256  # bytes; the engines need an atom (8 to 32), batched writes 64


def allocate(program: Program, reuse: bool = True) -> int:
    """Set the ``offset`` of every work buffer; returns the pool's size in bytes, a multiple of ``ALIGNMENT``.

    Largest buffers first, each at the lowest place that is free during its whole life. Without ``reuse``
    every buffer has a place of its own, so that all intermediate values are there after a run.
    """
    lives = _lives(program)
    placed: list[Buffer] = []
    for buffer in sorted(lives, key=lambda b: (-b.size, lives[b])):
        first, last = lives[buffer]
        neighbours = [
            other for other in placed if not reuse or (lives[other][0] <= last and first <= lives[other][1])
        ]
        buffer.offset = _lowest_gap(neighbours, buffer.size)
        placed.append(buffer)
    return round_up(max((buffer.offset + buffer.size for buffer in placed), default=0), ALIGNMENT)


def _lives(program: Program) -> dict[Buffer, tuple[int, int]]:
    """First and last unit that touches each work buffer."""
    lives: dict[Buffer, tuple[int, int]] = {}
    for index, unit in enumerate(program.units):
        for cube in [cube for op in unit for cube in (*op.reads, op.dst)]:
            if cube.buffer is not None and cube.buffer.role is Role.WORK:
                first, _ = lives.get(cube.buffer, (index, index))
                lives[cube.buffer] = (first, index)
    return lives


def _lowest_gap(neighbours: list[Buffer], size: int) -> int:
    start = 0
    for other in sorted(neighbours, key=lambda b: b.offset):
        if start + size <= other.offset:
            break
        start = max(start, round_up(other.offset + other.size, ALIGNMENT))
    return start
