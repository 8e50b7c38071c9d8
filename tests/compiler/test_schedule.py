"""The dependency graph, edge by edge, and a firmware in ten lines that must finish every graph."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from nvdla_sim.compiler.program import (
    NO_PADS,
    Buffer,
    Conv,
    Cube,
    Pdp,
    Post,
    Role,
    Sdp,
    Softmax,
    Stage,
    Unit,
    packed,
)
from nvdla_sim.compiler.schedule import CpuTask, DlaTask, schedule
from nvdla_sim.loadable.enums import OpEvent, OpType, PoolMode

CUBE = packed(Buffer(Role.WORK, 8), 8, 1, 1, 8)


def conv(operand: Cube | None = None) -> Unit:
    core = Conv("conv", CUBE, CUBE.flying, np.zeros(8, np.uint8), (1, 1), (1, 1), (1, 1), NO_PADS, 1, 1, 1)
    post = Post(x2=Stage(alu=operand)) if operand else Post()
    return core, Sdp("conv", CUBE.flying, CUBE, post)


def pool() -> Unit:
    return (Pdp("pool", CUBE, CUBE, PoolMode.MAX, (1, 1), (1, 1), NO_PADS),)


def eltwise() -> Unit:
    return (Sdp("sum", CUBE, CUBE, Post(Stage(alu=CUBE))),)


def softmax() -> Unit:
    return (Softmax("softmax", CUBE, CUBE, 1.0, 1.0),)


def test_the_chain_of_the_facts() -> None:
    """conv0 sdp1 pdp2 conv3 sdp4 as in compiler-facts section 4.2."""
    (task,) = schedule([conv(), pool(), conv()])
    assert isinstance(task, DlaTask)
    programmed, completed = OpEvent.OP_PROGRAMMED, OpEvent.OP_COMPLETED
    assert [slot.consumers for slot in task.slots] == [
        {OpType.CONV: (3, programmed), OpType.SDP: (1, programmed)},
        {OpType.SDP: (4, programmed), OpType.PDP: (2, completed)},
        {OpType.CONV: (3, completed)},
        {OpType.SDP: (4, programmed)},
        {},
    ]
    assert [slot.dependency_count for slot in task.slots] == [1, 1, 1, 3, 2]
    assert [slot.fused_parent for slot in task.slots] == [
        None, (0, OpEvent.OP_ENABLED), None, None, (3, OpEvent.OP_ENABLED),
    ]  # fmt: skip


@pytest.mark.parametrize("before", [conv, pool, eltwise])
def test_a_fused_sdp_waits_for_its_operand(before) -> None:
    (task,) = schedule([before(), conv(operand=CUBE)])
    assert isinstance(task, DlaTask)
    last = task.slots[len(before()) - 1]
    assert last.consumers[OpType.SDP] == (len(task.slots) - 1, OpEvent.OP_COMPLETED)


def test_tasks_change_with_the_processor_and_never_link() -> None:
    tasks = schedule([conv(), softmax(), softmax(), conv(), pool()])
    assert [type(task) for task in tasks] == [DlaTask, CpuTask, DlaTask]
    assert len(tasks[1].ops) == 2
    for task in tasks:
        if isinstance(task, DlaTask):
            edges = [edge.op for slot in task.slots for edge in slot.consumers.values()]
            assert all(0 < op < len(task.slots) for op in edges)


UNITS = {"c": conv, "p": pool, "e": eltwise, "x": lambda: conv(operand=CUBE)}


@pytest.mark.parametrize("program", ["".join(p) for p in itertools.product(UNITS, repeat=4)])
def test_the_firmware_finishes_in_order(program: str) -> None:
    """Units complete in program order, and nothing is read from memory while an earlier unit runs."""
    units = [UNITS[letter]() for letter in program]
    (task,) = schedule(units)
    assert isinstance(task, DlaTask)
    unit_of = [number for number, unit in enumerate(units) for _ in unit]
    assert _completion_order(task, unit_of) == sorted(unit_of)


def _completion_order(task: DlaTask, unit_of: list[int]) -> list[int]:
    """The firmware of compiler-facts section 4.1 with unlimited register groups."""
    count = [slot.dependency_count for slot in task.slots]
    fetched: set[int] = set()
    enabled: set[int] = set()
    done: list[int] = []

    def fire(index: int, event: OpEvent) -> None:
        slot = task.slots[index]
        for edge in [*slot.consumers.values(), *([slot.fused_parent] if slot.fused_parent else [])]:
            if edge.event == event:
                assert count[edge.op] > 0
                count[edge.op] -= 1
                try_enable(edge.op)

    def try_enable(index: int) -> None:
        if index in fetched and index not in enabled and count[index] == 0:
            enabled.add(index)
            op = task.slots[index].op
            if task.slots[index].fused_parent is None or op.post.cubes:
                assert len(done) == sum(unit < unit_of[index] for unit in unit_of), "an earlier unit runs"
            fire(index, OpEvent.OP_ENABLED)

    def fetch(index: int) -> None:
        fetched.add(index)
        fire(index, OpEvent.OP_PROGRAMMED)
        try_enable(index)
        following = task.slots[index].consumers.get(task.slots[index].op.type)
        if following:
            fetch(following.op)

    heads: dict[OpType, int] = {}
    for index, slot in enumerate(task.slots):
        heads.setdefault(slot.op.type, index)
    for kind in sorted(heads):
        fetch(heads[kind])
    while len(done) < len(task.slots):
        running = sorted(
            index
            for index in enabled - set(done)
            if (parent := task.slots[index].fused_parent) is None or parent.op in done
        )
        assert running, "the firmware waits for ever"
        done.append(running[0])
        fire(running[0], OpEvent.OP_COMPLETED)
    return [unit_of[index] for index in done]
