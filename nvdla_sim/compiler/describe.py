"""One task -> the lists that its firmware or emulator reads.

Source: compiler-facts sections 2 (chip) and 3 (CPU).
"""

from __future__ import annotations

import numpy as np

from nvdla_sim.compiler.encode import Encoder, Record, filled, lut_record
from nvdla_sim.compiler.program import Cdp, DlaOp, Lut, Sdp
from nvdla_sim.compiler.schedule import CpuTask, DlaTask, Edge, Slot, Task
from nvdla_sim.loadable import descriptors, lists
from nvdla_sim.loadable.enums import OpEvent, OpType

Lists = lists.DlaTask | lists.EmuTask


def describe(task: Task, encoder: Encoder) -> Lists:
    """All lists of a task. Where they lie themselves they learn from ``place_lists``."""
    return _dla_lists(task, encoder) if isinstance(task, DlaTask) else _cpu_lists(task, encoder)


def place_lists(described: Lists, own: range) -> None:
    """Tell the network descriptor where the other lists are.

    ``own``: the task's address list indexes of these lists and of what follows them.
    """
    network = described.network
    if isinstance(described, lists.EmuTask):
        network["op_list"], network["buffer_list"] = own[:2]
    else:
        network["dep_graph"], network["op_list"], network["surf_list"], network["lut_list"] = own[:4]
        network["num_addresses"] = own.stop


def _dla_lists(task: DlaTask, encoder: Encoder) -> lists.DlaTask:
    heads = [-1] * len(OpType)
    for index, slot in reversed(list(enumerate(task.slots))):
        heads[slot.op.type] = index
    graph = np.zeros(len(task.slots), descriptors.COMMON_OP)
    for index, slot in enumerate(task.slots):
        graph[index] = _common_op(index, slot)
    tables: dict[bytes, int] = {}  # equal tables are one
    encoded = []
    for slot in task.slots:
        lut_index = -1
        if (lut := _lut(slot.op)) is not None:
            lut_index = tables.setdefault(lut_record(lut).tobytes(), len(tables))
        encoded.append(encoder.dla(slot.op, lut_index))
    return lists.DlaTask(
        network=filled(
            descriptors.NETWORK,
            op_head=heads,
            roi_array=-1,
            surface=-1,
            stat_list=-1,
            num_rois=1,
            num_ops=len(task.slots),
            num_luts=len(tables),
        ),
        dep_graph=graph,
        ops=[op for op, _ in encoded],
        surfaces=[surface for _, surface in encoded],
        luts=np.frombuffer(b"".join(tables), descriptors.LUT),
    )


def _lut(op: DlaOp) -> Lut | None:
    match op:
        case Cdp():
            return op.lut
        case Sdp():
            return op.post.lut
    return None


def _cpu_lists(task: CpuTask, encoder: Encoder) -> lists.EmuTask:
    encoded = [encoder.cpu(op) for op in task.ops]
    buffers = np.zeros((len(task.ops), 2), descriptors.EMU_BUFFER)
    for index, (_, source, dest) in enumerate(encoded):
        buffers[index, 0], buffers[index, 1] = source, dest
    return lists.EmuTask(
        network=filled(descriptors.EMU_NETWORK, num_ops=len(task.ops)),
        ops=[op for op, _, _ in encoded],
        buffers=buffers,
    )


def _common_op(index: int, slot: Slot) -> Record:
    nobody = Edge(-1, OpEvent.NONE)
    return filled(
        descriptors.COMMON_OP,
        index=index,
        op_type=slot.op.type,
        dependency_count=slot.dependency_count,
        consumers=[slot.consumers.get(kind, nobody) for kind in OpType],
        fused_parent=slot.fused_parent or nobody,
    )
