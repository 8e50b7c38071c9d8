"""Scheduling: what runs in which order, and how what never ends is explained."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from nvdla_sim.errors import LoadableError, NvdlaError, ProgramError, UnsupportedError
from nvdla_sim.hw.chip import Chip
from nvdla_sim.hw.config import config_named
from nvdla_sim.hw.launch import Launch
from nvdla_sim.hw.memory import Memory, Ports
from nvdla_sim.hw.registers import register_map
from nvdla_sim.loadable import descriptors as d
from nvdla_sim.loadable.enums import OpEvent, OpType, RubikMode
from nvdla_sim.loadable.lists import DlaTask, read_task
from nvdla_sim.loadable.loadable import Loadable
from nvdla_sim.runtime.buffers import Buffers
from nvdla_sim.runtime.firmware import Firmware
from nvdla_sim.runtime.plan import Steps, resolve
from tests.runtime.editing import change_network, change_node, change_op, change_surface, committed


def steps_of(loadable: Loadable, config: str) -> Steps:
    tasks = [read_task(loadable, task) for task in loadable.tasks]
    return resolve(loadable, tasks, config_named(config), Buffers(loadable))


def message(loadable: Loadable, config: str, error: type[NvdlaError] = LoadableError) -> str:
    with pytest.raises(error) as caught:
        steps_of(loadable, config)
    return str(caught.value)


def chain() -> Loadable:
    """CONV 0 -> SDP 1 (fused), CONV 2 -> SDP 3 (fused), then the sum of both in SDP 3."""
    return committed("eltwise_sum_relu", "nv_small.int8-pf")


def test_fused_operations_are_one_launch() -> None:
    steps = steps_of(chain(), "nv_small")
    assert [isinstance(step, Launch) and (step.conv is not None, step.sdp is not None) for step in steps] == [
        (True, True)
    ] * len(steps)


def test_a_dependency_too_many_is_explained() -> None:
    loadable = chain()
    change_node(loadable, 0, dependency_count=2)
    text = message(loadable, "nv_small")
    assert "task 0: never ends: " in text
    assert "operation 0 (CONV): dependency_count = 2; edges that lead to it: 1" in text
    assert "the chip: SDP group 0 is enabled and waits for" in text


def test_who_waits_for_whom_is_told() -> None:
    """The two convolutions wait for each other to be completed."""
    loadable = committed("two_outputs", "nv_small.int8-pk")
    first, second = 0, next_of(loadable, OpType.CONV)
    change_node(loadable, second, **{f"consumers__{OpType.CONV:d}__index": first}, dependency_count=3)
    change_node(loadable, second, **{f"consumers__{OpType.CONV:d}__event": OpEvent.OP_COMPLETED})
    change_node(loadable, first, dependency_count=2)
    text = message(loadable, "nv_small")
    assert f"operation {first} (CONV) waits for operation {second} (CONV) to be completed" in text


def next_of(loadable: Loadable, kind: OpType) -> int:
    """The second operation of a kind."""
    graph = read_task(loadable, loadable.tasks[0]).dep_graph
    return next(i for i in range(1, graph.size) if graph[i]["op_type"] == kind)


def test_an_operation_that_nobody_names_is_told() -> None:
    loadable = chain()
    second = next_of(loadable, OpType.CONV)
    change_node(loadable, 0, **{f"consumers__{OpType.CONV:d}__index": -1})
    text = message(loadable, "nv_small")
    assert f"operation {second} (CONV) is never programmed: it is not the first CONV" in text


def test_an_edge_across_tasks_is_told() -> None:
    text = message(committed("conv_softmax_conv", "nv_small.int8-pk"), "nv_small")
    assert "operation 1 (SDP) depends on itself: an edge to an operation of another task" in text


def test_an_operation_of_another_kind_is_told() -> None:
    loadable = chain()
    change_network(loadable, **{f"op_head__{OpType.PDP:d}": 0})
    assert "operation 0 (CONV) is named as an operation of type PDP" in message(loadable, "nv_small")


def test_long_lists_are_cut() -> None:
    loadable = committed("mini_mobilenet", "nv_small.int8-pf")
    change_node(loadable, 0, dependency_count=255)
    text = message(loadable, "nv_small")
    assert "  - and " in text
    assert len(text.splitlines()) < 30


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"num_rois": 2}, "num_rois = 2: only 1 is supported"),
        ({"num_rois": 2}, "compile without them, a loadable for each region"),
        ({"dynamic_roi": 1}, "dynamic_roi = 1: only 0"),
        ({"roi_array": 1}, "roi_array = 1: only -1"),
        ({"stat_list": 3}, "stat_list = 3: only -1"),
    ],
)
def test_regions_and_statistics_are_refused(fields: dict[str, int], text: str) -> None:
    loadable = chain()
    change_network(loadable, **fields)
    assert text in message(loadable, "nv_small", UnsupportedError)


def test_what_the_chip_refuses_names_the_operation() -> None:
    loadable = chain()
    change_op(loadable, 0, OpType.CONV, entry_per_slice=1)
    text = message(loadable, "nv_small", ProgramError)
    assert "task 0: operation 0 (CONV): " in text
    assert "ENTRIES: 1" in text


def test_an_address_outside_the_list_is_refused() -> None:
    loadable = chain()
    change_surface(loadable, 0, OpType.CONV, weight__address=99)
    with pytest.raises(LoadableError, match=r"operation 0 \(CONV\): weight is at address 99"):
        steps_of(loadable, "nv_small")


def test_groups_go_on_where_the_task_before_left_them() -> None:
    """An odd number of operations leaves the chip at group 1 for the next task."""
    root = committed("conv_1ch", "nv_small.int8-pk")
    root.submits.append(type(root.submits[0])(1, [0]))
    steps = steps_of(root, "nv_small")
    assert len(steps) == 2
    assert steps[0] == steps[1]


# --- tasks of nv_full's copy and reshape engines, which need no other engine's data ---


def small_task(kinds: list[OpType], edges: list[tuple[int, int, OpEvent]], transfers: int = 1) -> DlaTask:
    """Operations of one atom each, chained by type; ``edges``: (from, to, event) beside the chain."""
    graph = np.zeros(len(kinds), d.COMMON_OP)
    graph["consumers"]["index"] = graph["fused_parent"]["index"] = -1
    graph["op_type"] = kinds
    heads = [kinds.index(kind) if kind in kinds else -1 for kind in OpType]
    chain = [
        (i, kinds.index(kind, i + 1), OpEvent.OP_PROGRAMMED)
        for i, kind in enumerate(kinds)
        if kind in kinds[i + 1 :]
    ]
    for giver, target, event in {(a, b): (a, b, e) for a, b, e in [*chain, *edges]}.values():
        graph[giver]["consumers"][kinds[target]] = target, event
        graph[target]["dependency_count"] += 1
    network = np.zeros((), d.NETWORK)
    network["op_head"], network["num_rois"], network["num_ops"] = heads, 1, len(kinds)
    network["roi_array"] = network["stat_list"] = -1
    ops, surfaces = [], []
    for kind in kinds:
        op, surface = np.zeros((), d.OPS[kind]), np.zeros((), d.SURFACES[kind])
        if kind is OpType.BDMA:
            op["num_transfers"] = transfers
            surface["transfers"][0] = 0, 1, 32, 1, 32, 32, 1, 32, 32
        else:
            op["mode"], op["stride_x"], op["stride_y"] = RubikMode.CONTRACT, 1, 1
            for name, address in (("src", 0), ("dst", 1)):
                surface[name] = 0, address, 0, 32, 1, 1, 32, 32, 32, 0
        ops.append(op[()])
        surfaces.append(surface[()])
    return DlaTask(network[()], graph, ops, surfaces, np.zeros(0, d.LUT))


def run_small(task: DlaTask) -> tuple[list[str], list[int]]:
    """The engines in the order in which they ran, and the groups in which copies were launched."""
    config = config_named("nv_full")
    dram = Memory()
    dram.map(0, np.zeros(64, np.uint8))
    ran: list[str] = []

    def execute(launch: Launch) -> dict[str, int]:
        copies = len(launch.bdma.copies) if launch.bdma is not None else 0
        ran.append(f"{copies} copies" if copies else "rubik")
        return {}

    chip = Chip(config, Ports(dram, Memory()), execute)
    launches: list[int] = []
    registers = register_map(config)

    def csb_write(address: int, value: int) -> None:
        name = registers.decode(address)[1]
        if name.startswith("CFG_LAUNCH"):
            launches.append(int(name[-1]))
        chip.csb_write(address, value)

    csb = SimpleNamespace(csb_write=csb_write, csb_read=chip.csb_read, pending=chip.pending)
    Firmware(config, csb, task, lambda index, offset: 32 * index + offset, "task").run()
    return ran, launches


BDMA, RUBIK = OpType.BDMA, OpType.RUBIK


def test_groups_alternate() -> None:
    """Both groups are done when the firmware looks: the one programmed first is handled first."""
    assert run_small(small_task([BDMA] * 5, [])) == (["1 copies"] * 5, [0, 1, 0, 1, 0])


def test_copies_of_two_operations_do_not_mix_in_the_queue() -> None:
    """While operation 0 is programmed and waits, operation 1 may not queue its copies."""
    task = small_task([BDMA, BDMA, RUBIK], [(2, 0, OpEvent.OP_COMPLETED)])
    task.dep_graph[1]["dependency_count"] = 0
    task.dep_graph[0]["consumers"][BDMA] = 1, OpEvent.NONE
    assert run_small(task) == (["rubik", "1 copies", "1 copies"], [0, 1])


def test_copies_of_nothing_are_done_at_once() -> None:
    task = small_task([BDMA, RUBIK], [(0, 1, OpEvent.OP_COMPLETED)], transfers=0)
    assert run_small(task) == (["rubik"], [])


def test_an_event_number_that_does_not_exist_never_happens() -> None:
    task = small_task([BDMA, RUBIK], [(0, 1, OpEvent.OP_COMPLETED)])
    task.dep_graph[0]["consumers"]["event"] = 77
    with pytest.raises(LoadableError, match=r"operation 1 \(RUBIK\) waits for operation 0 \(BDMA\)"):
        run_small(task)
