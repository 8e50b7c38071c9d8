"""Scheduling: what runs in which order, and how what never ends is explained."""

from __future__ import annotations

import pytest

from nvdla_sim.errors import LoadableError, NvdlaError, ProgramError, UnsupportedError
from nvdla_sim.hw.config import config_named
from nvdla_sim.hw.launch import Launch
from nvdla_sim.loadable.enums import OpEvent, OpType
from nvdla_sim.loadable.lists import read_task
from nvdla_sim.loadable.loadable import Loadable
from nvdla_sim.runtime.buffers import Buffers
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
    assert "operation 0 (CONV) counts 2 dependencies, but 1 edges lead to it" in text
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
