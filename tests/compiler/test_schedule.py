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


def conv(operand: Cube | None = None, image: bool = False) -> Unit:
    ones = (1, 1)
    core = Conv(
        "conv", CUBE, CUBE.flying, np.zeros(8, np.uint8), ones, ones, ones, NO_PADS, 1, 1, 1, image=image
    )
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
    (task,) = schedule([(conv(),), (pool(),), (conv(),)])
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
    (task,) = schedule([(before(),), (conv(operand=CUBE),)])
    assert isinstance(task, DlaTask)
    last = task.slots[len(before()) - 1]
    assert last.consumers[OpType.SDP] == (len(task.slots) - 1, OpEvent.OP_COMPLETED)


def test_tasks_change_with_the_processor_and_never_link() -> None:
    tasks = schedule([(make(),) for make in (conv, softmax, softmax, conv, pool)])
    assert [type(task) for task in tasks] == [DlaTask, CpuTask, DlaTask]
    assert len(tasks[1].ops) == 2
    for task in tasks:
        if isinstance(task, DlaTask):
            edges = [edge.op for slot in task.slots for edge in slot.consumers.values()]
            assert all(0 < op < len(task.slots) for op in edges)


UNITS = {"c": conv, "p": pool, "e": eltwise, "x": lambda: conv(operand=CUBE)}


@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize("program", ["".join(p) for p in itertools.product(UNITS, repeat=4)])
def test_the_firmware_finishes_in_order(program: str, batch: int) -> None:
    """Of each image units complete in program order, and no unit reads memory while an earlier one runs."""
    units = [UNITS[letter]() for letter in program]
    (task,) = schedule([(unit,) * batch for unit in units])
    assert isinstance(task, DlaTask)
    # operations of one kind lie side by side, one for each image
    place = [(number, image) for number, unit in enumerate(units) for _ in unit for image in range(batch)]
    done = _completion_order(task, place)
    for image in range(batch):
        order = [number for number, own in done if own == image]
        assert order == sorted(order)


def test_images_wait_for_their_own_data_only() -> None:
    """conv conv sdp sdp pdp pdp as NVIDIA's compiler links them for two images."""
    (task,) = schedule([(conv(), conv()), (pool(), pool())])
    assert isinstance(task, DlaTask)
    programmed, completed = OpEvent.OP_PROGRAMMED, OpEvent.OP_COMPLETED
    assert [slot.consumers for slot in task.slots] == [
        {OpType.CONV: (1, programmed), OpType.SDP: (2, programmed)},
        {OpType.SDP: (3, programmed)},
        {OpType.SDP: (3, programmed), OpType.PDP: (4, completed)},
        {OpType.PDP: (5, completed)},
        {OpType.PDP: (5, programmed)},
        {},
    ]
    assert [slot.dependency_count for slot in task.slots] == [1, 2, 1, 2, 1, 2]


def test_a_convolution_waits_for_those_of_the_layer_before() -> None:
    (task,) = schedule([(conv(), conv()), (pool(), pool()), (conv(), conv())])
    assert isinstance(task, DlaTask)
    chain = [slot.consumers.get(OpType.CONV) for slot in task.slots if slot.op.type is OpType.CONV]
    programmed, completed = OpEvent.OP_PROGRAMMED, OpEvent.OP_COMPLETED
    assert chain == [(1, programmed), (6, completed), (7, programmed), None]


def test_pixels_of_the_next_image_wait_for_those_in_the_buffer() -> None:
    """Overtaken, a convolution of 67 x 67 pixels read the next image's rows on nv_full's chip model."""
    (task,) = schedule([(conv(image=True),) * 3, (conv(),) * 3])
    assert isinstance(task, DlaTask)
    chain = [slot.consumers.get(OpType.CONV) for slot in task.slots if slot.op.type is OpType.CONV]
    programmed, completed = OpEvent.OP_PROGRAMMED, OpEvent.OP_COMPLETED
    assert chain == [(1, completed), (2, completed), (6, completed), (7, programmed), (8, programmed), None]


def test_an_engine_that_follows_itself_waits_for_all_images() -> None:
    """There is one edge from an operation to one of its own type: it leads to the next image's."""
    (task,) = schedule([(pool(), pool()), (pool(), pool())])
    assert isinstance(task, DlaTask)
    edges = [slot.consumers.get(OpType.PDP) for slot in task.slots]
    completed = OpEvent.OP_COMPLETED
    assert edges == [(1, OpEvent.OP_PROGRAMMED), (2, completed), (3, completed), None]


def _completion_order(task: DlaTask, place: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The firmware of compiler-facts section 4.1 with unlimited register groups.

    ``place``: each operation's unit and image.
    """
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
                unit, image = place[index]
                earlier = {i for i, (u, own) in enumerate(place) if own == image and u < unit}
                assert earlier <= set(done), "an earlier unit runs"
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
    waiting = {kind: [i for i, slot in enumerate(task.slots) if slot.op.type == kind] for kind in heads}
    while len(done) < len(task.slots):
        running = sorted(
            own[0]  # engines complete their operations in order
            for own in waiting.values()
            if own
            and own[0] in enabled
            and ((parent := task.slots[own[0]].fused_parent) is None or parent.op in done)
        )
        assert running, "the firmware waits for ever"
        last = running[-1]  # the image that is ahead goes on
        waiting[task.slots[last].op.type].remove(last)
        done.append(last)
        fire(last, OpEvent.OP_COMPLETED)
    return [place[index] for index in done]
