"""One task -> the lists that its firmware or emulator reads.

Source: compiler-facts sections 2 (chip) and 3 (CPU).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nvdla_sim.compiler.encode import Bytes, Encoder, Record, lut_record
from nvdla_sim.compiler.program import Cdp
from nvdla_sim.compiler.schedule import CpuTask, DlaTask, Edge, Slot, Task
from nvdla_sim.loadable import descriptors
from nvdla_sim.loadable.enums import DlaSubInterface, EmuSubInterface, OpEvent, OpType

NO_TABLE = bytes(descriptors.LUT_STRIDE)  # the list is never empty


class Part(NamedTuple):
    """One list of a task; ``name`` is the end of its blob's name."""

    name: str
    sub_interface: int
    data: Bytes


def describe(task: Task, encoder: Encoder) -> list[Part]:
    """All lists but the network descriptor, in the order of the task's addresses."""
    return _dla_lists(task, encoder) if isinstance(task, DlaTask) else _cpu_lists(task, encoder)


def network(task: Task, own: range) -> Part:
    """The network descriptor; ``own`` are the address list indexes of the other lists and what follows."""
    if isinstance(task, CpuTask):
        record = np.zeros((), descriptors.EMU_NETWORK)
        record["op_list"], record["buffer_list"] = own[:2]
        record["num_ops"] = len(task.ops)
        return Part("addr0", EmuSubInterface.NETWORK, _bytes(record))
    record = np.zeros((), descriptors.NETWORK)
    record["dep_graph"], record["op_list"], record["surf_list"], record["lut_list"] = own[:4]
    record["roi_array"] = record["surface"] = record["stat_list"] = -1
    heads = [-1] * len(OpType)
    for index, slot in reversed(list(enumerate(task.slots))):
        heads[slot.op.type] = index
    record["op_head"] = heads
    record["num_rois"] = 1
    record["num_ops"] = len(task.slots)
    record["num_luts"] = len(_tables(task))
    record["num_addresses"] = own.stop
    return Part("addr0", DlaSubInterface.NETWORK, _bytes(record))


def _dla_lists(task: DlaTask, encoder: Encoder) -> list[Part]:
    graph = np.zeros((len(task.slots), descriptors.DEP_GRAPH_STRIDE), np.uint8)
    ops = np.zeros((len(task.slots), descriptors.OP_STRIDE), np.uint8)
    surfaces = np.zeros((len(task.slots), descriptors.SURFACE_STRIDE), np.uint8)
    tables = _tables(task)
    for index, slot in enumerate(task.slots):
        lut_index = tables.index(_table(slot.op)) if isinstance(slot.op, Cdp) else -1
        op, surface = encoder.dla(slot.op, lut_index)
        _put(graph[index], _common_op(index, slot))
        _put(ops[index], op)
        _put(surfaces[index], surface)
    return [
        Part("dep_graph", DlaSubInterface.DEP_GRAPH, graph.reshape(-1)),
        Part("op_list", DlaSubInterface.OPS, ops.reshape(-1)),
        Part("surf_list", DlaSubInterface.SURFACES, surfaces.reshape(-1)),
        Part("lut_list", DlaSubInterface.LUTS, np.frombuffer(b"".join(tables) or NO_TABLE, np.uint8)),
    ]


def _cpu_lists(task: CpuTask, encoder: Encoder) -> list[Part]:
    ops = np.zeros((len(task.ops), descriptors.EMU_OP_STRIDE), np.uint8)
    buffers = np.zeros((len(task.ops), 2, descriptors.EMU_BUFFER_STRIDE // 2), np.uint8)
    for index, cpu_op in enumerate(task.ops):
        op, source, dest = encoder.cpu(cpu_op)
        _put(ops[index], op)
        _put(buffers[index, 0], source)
        _put(buffers[index, 1], dest)
    return [
        Part("op_list", EmuSubInterface.OPS, ops.reshape(-1)),
        Part("op_buf_list", EmuSubInterface.BUFFERS, buffers.reshape(-1)),
    ]


def _tables(task: DlaTask) -> list[bytes]:
    """The records of the task's tables; equal ones are there once."""
    return list(dict.fromkeys(_table(slot.op) for slot in task.slots if isinstance(slot.op, Cdp)))


def _table(op: Cdp) -> bytes:
    return lut_record(op.lut).tobytes()


def _common_op(index: int, slot: Slot) -> Record:
    record = np.zeros((), descriptors.COMMON_OP)
    record["index"] = index
    record["op_type"] = slot.op.type
    record["dependency_count"] = slot.dependency_count
    nobody = Edge(-1, OpEvent.NONE)
    record["consumers"] = [slot.consumers.get(kind, nobody) for kind in OpType]
    record["fused_parent"] = slot.fused_parent or nobody
    return record


def _put(slot: Bytes, record: Record) -> None:
    """Write a record at the start of its slot."""
    slot[: record.dtype.itemsize] = _bytes(record)


def _bytes(record: Record) -> Bytes:
    return np.frombuffer(record.tobytes(), np.uint8)
