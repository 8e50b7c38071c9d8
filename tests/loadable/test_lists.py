"""A task's descriptor lists: read from both generations, written, and refused where they lead nowhere."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nvdla_sim.errors import LoadableError
from nvdla_sim.loadable import descriptors as d
from nvdla_sim.loadable.entries import Blob
from nvdla_sim.loadable.enums import EmuFormat, MemType, OpType
from nvdla_sim.loadable.lists import MAX_OPERATIONS, DlaTask, EmuTask, read_task, read_tasks
from nvdla_sim.loadable.loadable import Loadable
from tests.loadable.samples import dla_task, emu_task, small_loadable
from tests.shared import golden_paths, golden_set


def _dla(loadable: Loadable, number: int = 0) -> DlaTask:
    task = read_task(loadable, loadable.tasks[number])
    assert isinstance(task, DlaTask)
    return task


def _emu(loadable: Loadable, number: int) -> EmuTask:
    task = read_task(loadable, loadable.tasks[number])
    assert isinstance(task, EmuTask)
    return task


# --- round trips -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("group", ["loadables", "lenet-mnist", "recipes"])
def test_every_golden_list_is_written_as_it_was(group: str) -> None:
    """Names, versions, sizes and every byte of the lists of all current loadables."""
    golden_set(group)
    compared = 0
    for path in golden_paths(f"{group}/**/*.nvdla"):
        loadable = Loadable.load(path)
        for task in loadable.tasks:
            for blob in read_task(loadable, task).blobs(task.id):
                assert blob == loadable.blob(blob.name), f"{path}: {blob.name}"
                compared += 1
    assert compared


def test_records_come_back() -> None:
    loadable = small_loadable()
    task, written = _dla(loadable), dla_task()
    assert [task.op_type(i) for i in range(3)] == [OpType.CONV, OpType.SDP, OpType.PDP]
    assert task.network == written.network
    assert task.ops == written.ops
    assert task.surfaces == written.surfaces
    np.testing.assert_array_equal(task.dep_graph, written.dep_graph)
    np.testing.assert_array_equal(task.luts, written.luts)
    softmax = _emu(loadable, 1)
    assert softmax.ops == emu_task().ops
    np.testing.assert_array_equal(softmax.buffers, emu_task().buffers)


def test_records_are_views_of_the_file() -> None:
    loadable = small_loadable()
    task = _dla(loadable)
    assert np.shares_memory(np.asarray(task.ops[1]), loadable.blob("task-0-op_list").data)
    assert np.shares_memory(task.dep_graph, loadable.blob("task-0-dep_graph").data)


def test_blobs_have_the_compilers_slots() -> None:
    blobs = {blob.name: blob for blob in (*dla_task().blobs(7), *emu_task().blobs(8))}
    assert {
        name: (blob.interface, blob.sub_interface, blob.version, blob.data.size)
        for name, blob in blobs.items()
    } == {
        "task-7-addr0": (1, 1, (0, 12, 3), 40),
        "task-7-dep_graph": (1, 2, (0, 12, 3), 36 * 3),
        "task-7-op_list": (1, 3, (0, 12, 3), 116 * 3),
        "task-7-surf_list": (1, 4, (0, 12, 3), 644 * 3),
        "task-7-lut_list": (1, 5, (0, 12, 3), 700),
        "task-8-addr0": (2, 1, (0, 0, 1), 256),
        "task-8-op_list": (2, 3, (0, 0, 1), 24),
        "task-8-op_buf_list": (2, 4, (0, 0, 1), 512),
    }
    assert blobs["task-7-op_list"].data[92:116].any() == np.False_
    assert struct.unpack_from("<i", blobs["task-7-op_list"].data, 116 + 20 + 12)[0] == -7


def test_a_task_without_tables_has_one_empty_slot() -> None:
    task = dla_task()
    blobs = DlaTask(task.network, task.dep_graph, task.ops, task.surfaces, task.luts[:0]).blobs(0)
    assert [blob.data.size for blob in blobs if blob.name.endswith("lut_list")] == [700]
    assert not blobs[-1].data.any()


def test_lists_are_read_from_the_start_of_their_memory() -> None:
    loadable = small_loadable()
    list_address = loadable.addresses[loadable.tasks[0].address_list[6]]
    list_address.offset = 5
    assert _dla(loadable).ops == dla_task().ops


# --- the older generation ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "stride"),
    [
        ("CDP_L0_0", (256, 2048)), ("CDP_L0_0_small", (64, 512)), ("CONV_D_L0_0", (256, 2048)),
        ("CONV_D_L0_0_small", (64, 512)), ("PDP_L0_0_large", (256, 2048)), ("SDP_X1_L0_0", (256, 2048)),
    ],
)  # fmt: skip
def test_older_surfaces_become_current_ones(name: str, stride: tuple[int, int]) -> None:
    """The last operation writes the output: 8x8x32, as its tensor says."""
    loadable = Loadable.load(golden_set("kmd") / f"{name}.nvdla")
    task = _dla(loadable)
    dst, tensor = task.surfaces[-1]["dst"], loadable.tensors[0]
    assert task.surfaces[-1].dtype == d.SURFACES[task.op_type(len(task.ops) - 1)]
    assert (dst["width"], dst["height"], dst["channel"]) == (8, 8, 32) == (tensor.w, tensor.h, tensor.c)
    assert (dst["line_stride"], dst["surf_stride"]) == stride == tensor.strides[1:3]
    assert (dst["type"], dst["offset"], dst["size"]) == (MemType.MC, 0, tensor.size)
    written_to = loadable.addresses[loadable.tasks[0].address_list[dst["address"]]]
    assert written_to.mem_id == tensor.mem_id


def test_older_transfers() -> None:
    surface = _dla(Loadable.load(golden_set("kmd") / "BDMA_L0_0.nvdla")).surfaces[0]
    assert surface["num_transfers"] == 1
    assert surface["transfers"][0].tolist() == (4, 5, 256, 8, 256, 256, 1, 2048, 2048)


def test_older_cpu_operations() -> None:
    loadable = Loadable.load(golden_set("kmd") / "NN_L0_0.nvdla")
    power, softmax = _emu(loadable, 0), _emu(loadable, 2)
    assert power.ops[0].tolist() == (0, 1.0, 1.0, 1.0, 1.0, 0.0)
    assert softmax.ops[0].tolist() == (1, 1.0, 1.0, 1)
    assert power.buffers[0, 0].tolist() == (2, 0, 25088, EmuFormat.FP16, 28, 28, 1, 896, 25088)
    assert softmax.buffers[0, 1].tolist() == (12, 0, 32, EmuFormat.FP16, 1, 1, 10, 32, 32)


# --- lists that lead nowhere -------------------------------------------------------------------------------


def _edited(name: str, edit: Callable[[Any], object], struct: Any = np.uint8) -> Loadable:
    """The small loadable with one blob's records changed."""
    loadable = small_loadable()
    blob = loadable.blob(name)
    blob.data = blob.data.copy()
    edit(blob.data.view(struct))
    return loadable


def _network(field: str, value: int) -> Loadable:
    return _edited("task-0-addr0", lambda records: records[field].fill(value), d.NETWORK)


def _graph(edit: Callable[[Any], object]) -> Loadable:
    return _edited("task-0-dep_graph", edit, d.COMMON_OP)


def _at(name: str, at: int, value: int) -> Loadable:
    """A 16-bit number of a blob changed."""
    return _edited(name, lambda data: struct.pack_into("<H", data, at, value))


def _shortened(name: str) -> Loadable:
    loadable = small_loadable()
    blob = loadable.blob(name)
    blob.data = blob.data[:-1]
    return loadable


def _without(name: str) -> Loadable:
    loadable = small_loadable()
    for memory in loadable.memories:
        if memory.contents == [name]:
            memory.contents, memory.offsets = [], []
    return loadable


SURFACE, OP = d.SURFACE_STRIDE, d.OP_STRIDE
LEADS_NOWHERE: list[tuple[str, Callable[[], Loadable], str]] = [
    ("list-index", lambda: _network("op_list", 9), "operation list: index 9 in an address list of 9"),
    ("list-none", lambda: _network("surf_list", -1), "surface list: index -1"),
    ("graph-index", lambda: _network("dep_graph", -2), "dependency graph: index -2"),
    ("lut-none", lambda: _network("lut_list", -1), "table list: index -1"),
    (
        "not-loaded",
        lambda: _network("op_list", 2),
        "operation list: nothing is loaded at the start of memory 2",
    ),
    ("no-content", lambda: _without("task-0-addr0"), "network descriptor: nothing is loaded"),
    ("count", lambda: _network("num_ops", 4), '"task-0-dep_graph" has 108 bytes, 4 slots of 36 bytes'),
    ("luts", lambda: _network("num_luts", 2), '"task-0-lut_list" has 700 bytes, 2 slots of 700'),
    ("short-network", lambda: _shortened("task-0-addr0"), '"task-0-addr0" has 39 bytes'),
    ("short-ops", lambda: _shortened("task-0-op_list"), '"task-0-op_list" has 347 bytes'),
    ("short-surfaces", lambda: _shortened("task-0-surf_list"), '"task-0-surf_list" has 1931 bytes'),
    ("head", lambda: _network("op_head", 3), "first operation of type BDMA: 3 of 3"),
    ("type", lambda: _graph(lambda g: g["op_type"].fill(6)), "operation 2: type 6, allowed: 0 to 5"),
    (
        "consumer",
        lambda: _graph(lambda g: g["consumers"]["index"].fill(3)),
        "consumers names operation 3 of 3",
    ),
    (
        "parent",
        lambda: _graph(lambda g: g["fused_parent"]["index"].fill(-2)),
        "fused_parent names operation -2",
    ),
    ("lut", lambda: _at("task-0-op_list", OP + 2, 1), "operation 1 (SDP): table 1 of 1"),
    ("cube", lambda: _at("task-0-surf_list", 2, 9), "operation 0 (CONV): weight is at address 9 of 9"),
    (
        "cube-none",
        lambda: _at("task-0-surf_list", SURFACE + 130, 0xFFFF),
        "operation 1 (SDP): dst is at address -1",
    ),
    ("emu-index", lambda: _at("task-1-addr0", 0, 7), "operation list: index 7 in an address list of 7"),
    ("emu-buffers", lambda: _at("task-1-addr0", 2, 0xFFFF), "buffer list: index -1"),
    ("emu-count", lambda: _at("task-1-addr0", 4, 2), '"task-1-op_list" has 24 bytes, 2 slots of 16 bytes'),
    ("emu-type", lambda: _at("task-1-op_list", 0, 2), "operation 0: type 2, allowed: [0, 1]"),
    ("emu-src", lambda: _at("task-1-op_buf_list", 0, 7), "operation 0: its source is at address 7 of 7"),
    (
        "emu-dst",
        lambda: _at("task-1-op_buf_list", 256, 0xFFFF),
        "operation 0: its destination is at address -1",
    ),
    ("emu-short", lambda: _shortened("task-1-op_buf_list"), '"task-1-op_buf_list" has 511 bytes'),
]


@pytest.mark.parametrize(("case", "make", "told"), LEADS_NOWHERE, ids=[case for case, _, _ in LEADS_NOWHERE])
def test_what_leads_nowhere_is_refused(case: str, make: Callable[[], Loadable], told: str) -> None:
    loadable = make()
    loadable.name = "x.nvdla"
    number = 1 if case.startswith("emu") else 0
    with pytest.raises(LoadableError, match=rf"x\.nvdla: descriptors of task {number}:") as caught:
        read_task(loadable, loadable.tasks[number])
    assert told in str(caught.value)


def test_a_task_without_operations_is_read() -> None:
    assert _dla(_edited("task-0-addr0", _no_operations, d.NETWORK)).ops == []


def _no_operations(network: Any) -> None:
    network["num_ops"] = 0
    network["op_head"] = -1


def test_a_task_without_addresses() -> None:
    loadable = small_loadable()
    loadable.tasks[0].address_list = []
    with pytest.raises(LoadableError, match="network descriptor: index 0 in an address list of 0"):
        read_task(loadable, loadable.tasks[0])


def _copying() -> Loadable:
    """The small loadable with a copy as its only operation."""
    loadable = small_loadable()
    task = dla_task()
    task.network["num_ops"], task.network["num_luts"] = 1, 0
    task.network["op_head"] = [0, -1, -1, -1, -1, -1]
    graph = task.dep_graph[:1]
    graph["op_type"] = OpType.BDMA
    graph["consumers"]["index"] = graph["fused_parent"]["index"] = -1
    surface = np.zeros((), d.BDMA_SURFACE)
    surface["num_transfers"] = 2
    surface["transfers"]["dst_address"][:2] = 4
    records = DlaTask(task.network, graph, [np.zeros((), d.BDMA_OP)[()]], [surface[()]], task.luts[:0])
    for blob in records.blobs(0):
        _replace(loadable, blob)
    return loadable


def _replace(loadable: Loadable, blob: Blob) -> None:
    loadable.blobs = [blob if old.name == blob.name else old for old in loadable.blobs]


def test_transfers() -> None:
    loadable = _copying()
    assert _dla(loadable).surfaces[0]["transfers"]["dst_address"].tolist() == [4, 4] + 18 * [0]
    loadable.blob("task-0-surf_list").data[2] = 21
    with pytest.raises(LoadableError, match=r"operation 0 \(BDMA\): 21 transfers, at most 20"):
        _dla(loadable)
    loadable = _copying()
    struct.pack_into("<h", loadable.blob("task-0-surf_list").data, 4 + 32, -1)
    with pytest.raises(LoadableError, match="src_address -1 of 9"):
        _dla(loadable)


def test_operations_have_a_limit() -> None:
    loadable = small_loadable()
    assert [len(task.ops) for task in read_tasks(loadable)] == [3, 1]
    count = MAX_OPERATIONS - 1
    for name, stride in (("dep_graph", 36), ("op_list", 116), ("surf_list", 644)):
        blob = loadable.blob(f"task-0-{name}")
        blob.data = np.tile(blob.data[:stride], count)
    network = loadable.blob("task-0-addr0")
    struct.pack_into("<H", network.data, 30, count)
    assert sum(len(task.ops) for task in read_tasks(loadable)) == MAX_OPERATIONS
    loadable.tasks.append(replace(loadable.tasks[1], id=2))
    with pytest.raises(LoadableError, match=f"tasks 0 to 2 have {MAX_OPERATIONS + 1} operations together"):
        read_tasks(loadable)


def test_mutated_descriptors_are_refused_or_read() -> None:
    """Random damage in the lists: a message or records, never anything else."""
    random = np.random.default_rng(2)
    refused = 0
    for _ in range(1500):
        loadable = small_loadable()
        for name in random.choice(["addr0", "dep_graph", "op_list", "surf_list"], 2):
            data = loadable.blob(f"task-0-{name}").data
            at = int(random.integers(0, data.size - 1))
            data[at : at + 2] = random.choice([0, 1, 8, 9, 127, 128, 255], 2)
        for blob in ("task-1-addr0", "task-1-op_list", "task-1-op_buf_list"):
            data = loadable.blob(blob).data
            data[int(random.integers(0, min(data.size, 30)))] = random.choice([0, 1, 7, 255])
        for task in loadable.tasks:
            try:
                read_task(loadable, task).blobs(task.id)
            except LoadableError:
                refused += 1
    assert 300 < refused < 2700
