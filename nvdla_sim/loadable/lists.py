"""A task's descriptor lists: loadable -> typed records, and records -> blobs.

Whatever generation a file is of, the records have the current structs: an older cube gets offset 0, an older
CPU operation scales of 1.

Source: compiler-facts sections 1.2, 1.5, 2, 2.1 and 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.errors import LoadableError
from nvdla_sim.loadable import descriptors as d
from nvdla_sim.loadable.check import refuse
from nvdla_sim.loadable.entries import Blob, Bytes, Task
from nvdla_sim.loadable.enums import (
    DlaSubInterface,
    EmuFormat,
    EmuOpType,
    EmuSubInterface,
    Interface,
    MemoryFlags,
    MemType,
    OpType,
)
from nvdla_sim.loadable.loadable import Loadable

Struct = np.dtype[np.void]
Records = NDArray[np.void]

DLA_BLOB_VERSION = (0, 12, 3)
EMU_BLOB_VERSION = (0, 0, 1)
# Of all tasks together; the largest networks have a thousand. Each takes about a millisecond to program.
MAX_OPERATIONS = 1 << 14
_OLD_DLA_VERSIONS = ((0, 10), (0, 11))
_OLD_FP16 = 2  # the older EmuFormat.FP16: what NVIDIA's fp16 regression network has


@dataclass(frozen=True)
class DlaTask:
    """The lists of an accelerator task; index i is operation i everywhere.

    The firmware goes by that position too: the ``index`` that a dependency graph entry repeats may be wrong.
    """

    network: np.void  # NETWORK
    dep_graph: Records  # COMMON_OP
    ops: list[np.void]  # OPS[type of the operation]
    surfaces: list[np.void]  # SURFACES[type of the operation]
    luts: Records  # LUT

    def op_type(self, i: int) -> OpType:
        """The processor that operation ``i`` runs on."""
        return OpType(self.dep_graph[i]["op_type"])

    def blobs(self, task: int) -> list[Blob]:
        """The five blobs of task number ``task``, as NVIDIA's compiler names and sizes them."""
        # without a table the list still has one empty slot
        luts = self.luts if self.luts.size else np.zeros(1, d.LUT)
        lists = (
            ("addr0", DlaSubInterface.NETWORK, _slots([self.network], d.NETWORK.itemsize)),
            ("dep_graph", DlaSubInterface.DEP_GRAPH, _slots(self.dep_graph, d.DEP_GRAPH_STRIDE)),
            ("op_list", DlaSubInterface.OPS, _slots(self.ops, d.OP_STRIDE)),
            ("surf_list", DlaSubInterface.SURFACES, _slots(self.surfaces, d.SURFACE_STRIDE)),
            ("lut_list", DlaSubInterface.LUTS, _slots(luts, d.LUT_STRIDE)),
        )
        return [
            Blob(f"task-{task}-{name}", Interface.DLA1, part, DLA_BLOB_VERSION, data)
            for name, part, data in lists
        ]


@dataclass(frozen=True)
class EmuTask:
    """The lists of a CPU task; index i is operation i everywhere."""

    network: np.void  # EMU_NETWORK
    ops: list[np.void]  # EMU_OPS[type of the operation]
    buffers: Records  # EMU_BUFFER, [operation, source or destination]

    def blobs(self, task: int) -> list[Blob]:
        """The three blobs of task number ``task``, as NVIDIA's compiler names and sizes them."""
        lists = (
            ("addr0", EmuSubInterface.NETWORK, _slots([self.network], d.EMU_NETWORK.itemsize)),
            ("op_list", EmuSubInterface.OPS, _slots(self.ops, d.EMU_OP_STRIDE)),
            ("op_buf_list", EmuSubInterface.BUFFERS, _slots(self.buffers, d.EMU_BUFFER_STRIDE)),
        )
        return [
            Blob(f"task-{task}-{name}", Interface.EMU1, part, EMU_BLOB_VERSION, data)
            for name, part, data in lists
        ]


def read_tasks(loadable: Loadable) -> list[DlaTask | EmuTask]:
    """The descriptor lists of all tasks; ``LoadableError`` also where there are too many operations."""
    tasks: list[DlaTask | EmuTask] = []
    left = MAX_OPERATIONS
    for entry in loadable.tasks:
        tasks.append(read_task(loadable, entry))
        left -= len(tasks[-1].ops)
        if left < 0:
            raise LoadableError(
                f"{loadable.name}: tasks 0 to {entry.id} have {MAX_OPERATIONS - left} operations together, "
                f"at most {MAX_OPERATIONS} are possible"
            )
    return tasks


def read_task(loadable: Loadable, task: Task) -> DlaTask | EmuTask:
    """The descriptor lists of one of the loadable's tasks, as views of its blobs where it is a current one.

    ``LoadableError`` when a list is missing or too short, or for all indexes that lead nowhere.
    """
    lists = _Lists(loadable, task)
    if task.interface == Interface.DLA1:
        return _read_dla(lists)
    return _read_emu(lists)


# --- reading -----------------------------------------------------------------------------------------------


class _Lists:
    """Finds a task's lists by their index in its address list."""

    def __init__(self, loadable: Loadable, task: Task) -> None:
        self._loadable = loadable
        self._task = task
        self.addresses = len(task.address_list)

    def blob(self, what: str, index: int) -> Blob:
        """The blob at the start of the memory that ``address_list[index]`` names.

        The address entry's own offset is not used: the driver reads lists from the start of their memory.
        """
        if not 0 <= index < self.addresses:
            self.refuse([f"{what}: index {index} in an address list of {self.addresses}"])
        address = self._loadable.addresses[self._task.address_list[index]]
        memory = self._loadable.memories[address.mem_id]
        if not memory.flags & MemoryFlags.SET or 0 not in memory.offsets:
            self.refuse([f"{what}: nothing is loaded at the start of memory {memory.id}"])
        return self._loadable.blob(memory.contents[memory.offsets.index(0)])

    def slots(self, what: str, blob: Blob, count: int, stride: int) -> Bytes:
        """The first ``count`` slots of ``stride`` bytes as an array [slot, byte]."""
        if blob.data.size < count * stride:
            self.refuse(
                [
                    f'{what}: blob "{blob.name}" has {blob.data.size} bytes, '
                    f"{count} slots of {stride} bytes are needed"
                ]
            )
        return blob.data[: count * stride].reshape(count, stride)

    def refuse(self, problems: Iterable[str]) -> None:
        """Raise for all problems; nothing happens when there are none."""
        refuse(f"{self._loadable.name}: descriptors of task {self._task.id}:", problems)


def _read_dla(lists: _Lists) -> DlaTask:
    header = lists.blob("network descriptor", 0)
    network = lists.slots("network descriptor", header, 1, d.NETWORK.itemsize).view(d.NETWORK)[0, 0]
    count, num_luts = int(network["num_ops"]), int(network["num_luts"])
    blob = lists.blob("dependency graph", int(network["dep_graph"]))
    graph = lists.slots("dependency graph", blob, count, d.DEP_GRAPH_STRIDE).view(d.COMMON_OP)[:, 0]
    blob = lists.blob("operation list", int(network["op_list"]))
    op_list = lists.slots("operation list", blob, count, d.OP_STRIDE)
    blob = lists.blob("surface list", int(network["surf_list"]))
    surf_list = lists.slots("surface list", blob, count, d.SURFACE_STRIDE)
    luts = np.zeros(0, d.LUT)
    if num_luts:
        blob = lists.blob("table list", int(network["lut_list"]))
        luts = lists.slots("table list", blob, num_luts, d.LUT_STRIDE).view(d.LUT)[:, 0]

    lists.refuse(_graph_problems(network, graph))
    types = [OpType(number) for number in graph["op_type"].tolist()]
    structs = d.OLD_SURFACES if header.version[:2] in _OLD_DLA_VERSIONS else d.SURFACES
    task = DlaTask(
        network=network,
        dep_graph=graph,
        ops=[_record(slot, d.OPS[kind]) for slot, kind in zip(op_list, types, strict=True)],
        surfaces=[
            _current(_record(slot, structs[kind]), d.SURFACES[kind])
            for slot, kind in zip(surf_list, types, strict=True)
        ],
        luts=luts,
    )
    lists.refuse(_operation_problems(task, lists.addresses))
    return task


def _graph_problems(network: np.void, graph: Records) -> Iterator[str]:
    count = graph.size
    for kind in OpType:
        if not -1 <= network["op_head"][kind] < count:
            yield f"first operation of type {kind.name}: {network['op_head'][kind]} of {count}"
    for i in np.flatnonzero(graph["op_type"] > max(OpType)):
        yield f"operation {i}: type {graph['op_type'][i]}, allowed: 0 to {max(OpType)}"
    consumers, fused_parent = graph["consumers"]["index"], graph["fused_parent"]["index"][:, np.newaxis]
    for field, target in (("consumers", consumers), ("fused_parent", fused_parent)):
        for i, slot in np.argwhere((target < -1) | (target >= count)):
            yield f"operation {i}: {field} names operation {target[i, slot]} of {count}"


def _operation_problems(task: DlaTask, addresses: int) -> Iterator[str]:
    for i, (op, surface) in enumerate(zip(task.ops, task.surfaces, strict=True)):
        kind = task.op_type(i)
        what = f"operation {i} ({kind.name})"
        if kind in (OpType.SDP, OpType.CDP) and not -1 <= op["lut_index"] < task.luts.size:
            yield f"{what}: table {op['lut_index']} of {task.luts.size}"
        if kind == OpType.BDMA:
            yield from _transfer_problems(what, surface, addresses)
            continue
        for name in d.CUBES[kind]:
            cube = surface[name]
            if cube["type"] != MemType.HW and not 0 <= cube["address"] < addresses:
                yield f"{what}: {name} is at address {cube['address']} of {addresses}"


def _transfer_problems(what: str, surface: np.void, addresses: int) -> Iterator[str]:
    count, room = int(surface["num_transfers"]), surface["transfers"].size
    if count > room:
        yield f"{what}: {count} transfers, at most {room} are allowed"
    for transfer in surface["transfers"][:count]:
        for name in ("src_address", "dst_address"):
            if not 0 <= transfer[name] < addresses:
                yield f"{what}: {name} {transfer[name]} of {addresses}"


def _read_emu(lists: _Lists) -> EmuTask:
    header = lists.blob("network descriptor", 0)
    network = lists.slots("network descriptor", header, 1, d.EMU_NETWORK.itemsize).view(d.EMU_NETWORK)[0, 0]
    count = int(network["num_ops"])
    blob = lists.blob("operation list", int(network["op_list"]))
    # the blobs' version is the same for both generations, the size of a slot is not
    old = blob.data.size < count * d.EMU_OP_STRIDE
    stride, buffer = (d.OLD_EMU_OP_STRIDE, d.OLD_EMU_BUFFER) if old else (d.EMU_OP_STRIDE, d.EMU_BUFFER)
    op_list = lists.slots("operation list", blob, count, stride)
    blob = lists.blob("buffer list", int(network["buffer_list"]))
    buffers = lists.slots("buffer list", blob, count, d.EMU_BUFFER_STRIDE).view(buffer)

    kinds = op_list[:, 0].tolist()
    lists.refuse(_emu_problems(kinds, buffers, lists.addresses))
    return EmuTask(
        network=network,
        ops=[_emu_op(slot, EmuOpType(kind), old) for slot, kind in zip(op_list, kinds, strict=True)],
        buffers=_old_buffers(buffers) if old else buffers,
    )


def _emu_problems(kinds: list[int], buffers: Records, addresses: int) -> Iterator[str]:
    known = [kind.value for kind in EmuOpType]
    for i, kind in enumerate(kinds):
        if kind not in known:
            yield f"operation {i}: type {kind}, allowed: {known}"
    places = buffers["address"]
    for i, side in np.argwhere((places < 0) | (places >= addresses)):
        name = ("source", "destination")[side]
        yield f"operation {i}: its {name} is at address {places[i, side]} of {addresses}"


def _emu_op(slot: Bytes, kind: EmuOpType, old: bool) -> np.void:
    if not old:
        return _record(slot, d.EMU_OPS[kind])
    op = _current(_record(slot, d.OLD_EMU_OPS[kind]), d.EMU_OPS[kind])
    op["in_scale"] = op["out_scale"] = 1
    return op


def _old_buffers(old: Records) -> Records:
    buffers: Records = _current(old, d.EMU_BUFFER)
    buffers["format"][old["format"] == _OLD_FP16] = EmuFormat.FP16
    return buffers


def _record(slot: Bytes, struct: Struct) -> Any:
    """The record at the start of a slot."""
    return slot[: struct.itemsize].view(struct)[0]


def _current(old: Any, struct: Struct) -> Any:
    """A record or an array of an older struct in the current one: same fields by name, new ones 0."""
    if old.dtype == struct:
        return old
    new = np.zeros(old.shape, struct)
    _copy_fields(old, new)
    return new[()]


def _copy_fields(old: Any, new: Any) -> None:
    for name in old.dtype.names:
        if old[name].dtype.names:
            _copy_fields(old[name], new[name])
        else:
            new[name] = old[name]


# --- writing -----------------------------------------------------------------------------------------------


def _slots(records: Sequence[np.void] | Records, stride: int) -> Bytes:
    """One zero-padded slot for each record, one after the other."""
    slots = np.zeros((len(records), stride), np.uint8)
    for slot, record in zip(slots, records, strict=True):
        raw = np.frombuffer(record.tobytes(), np.uint8)
        slot[: raw.size] = raw
    return slots.reshape(-1)
