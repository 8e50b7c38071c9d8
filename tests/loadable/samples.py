"""A small loadable with one accelerator task and one CPU task, made by hand (compiler-facts section 12)."""

from __future__ import annotations

import numpy as np

from nvdla_sim.loadable import descriptors as d
from nvdla_sim.loadable.entries import Address, Blob, Event, MemoryEntry, Submit, Task, Tensor
from nvdla_sim.loadable.enums import (
    DataCategory,
    DataFormat,
    DataType,
    EmuOpType,
    Interface,
    MemoryFlags,
    MemType,
    OpEvent,
    OpType,
    PixelFormat,
)
from nvdla_sim.loadable.lists import DlaTask, EmuTask
from nvdla_sim.loadable.loadable import Loadable

# memories 0..4, each with one address of the same number
DUMMY, CONSTANTS, ACTIVATIONS, INPUT, OUTPUT = range(5)
ORDINARY = 5


def dla_task() -> DlaTask:
    """A convolution with its SDP on the fly, then a pooling."""
    network = np.zeros((), d.NETWORK)
    for field in ("roi_array", "surface", "stat_list"):
        network[field] = -1
    # positions in the task's address list: element 0 is the task's own descriptor, the others follow the
    # ordinary addresses
    network["dep_graph"], network["op_list"], network["surf_list"], network["lut_list"] = range(5, 9)
    network["op_head"] = [-1, 0, 1, 2, -1, -1]
    network["num_ops"], network["num_luts"], network["num_rois"] = 3, 1, 1
    network["num_addresses"] = 9
    graph = np.zeros(3, d.COMMON_OP)
    graph["index"] = range(3)
    graph["op_type"] = [OpType.CONV, OpType.SDP, OpType.PDP]
    graph["consumers"]["index"] = graph["fused_parent"]["index"] = -1
    graph[0]["consumers"][OpType.SDP] = (1, OpEvent.OP_PROGRAMMED)
    graph[1]["fused_parent"] = (0, OpEvent.OP_ENABLED)
    graph[1]["consumers"][OpType.PDP] = (2, OpEvent.OP_COMPLETED)
    graph["dependency_count"] = [1, 1, 1]
    conv, sdp, pdp = (np.zeros((), d.OPS[kind]) for kind in (OpType.CONV, OpType.SDP, OpType.PDP))
    conv["bytes_per_kernel"] = 64
    sdp["x1"]["mul_operand"] = -7
    sdp["lut_index"] = 0
    pdp["padding_value"] = -3
    surfaces = [np.zeros((), d.SURFACES[kind]) for kind in (OpType.CONV, OpType.SDP, OpType.PDP)]
    surfaces[0]["weight"]["address"] = CONSTANTS
    surfaces[0]["src"]["address"] = INPUT
    for cube in (surfaces[0]["dst"], surfaces[1]["src"]):
        cube["type"], cube["address"] = MemType.HW, -1
    surfaces[1]["dst"]["address"] = ACTIVATIONS
    surfaces[1]["dst"]["offset"] = 64
    lut = np.zeros(1, d.LUT)
    lut["le"], lut["lo"], lut["lo_start"] = range(65), range(257), -128
    return DlaTask(
        network[()], graph, [op[()] for op in (conv, sdp, pdp)], [surface[()] for surface in surfaces], lut
    )


def emu_task() -> EmuTask:
    """A softmax."""
    network = np.zeros((), d.EMU_NETWORK)
    network["op_list"], network["buffer_list"], network["num_ops"] = 5, 6, 1
    softmax = np.zeros((), d.EMU_SOFTMAX)
    softmax["type"], softmax["axis"] = EmuOpType.SOFTMAX, 1
    softmax["in_scale"], softmax["out_scale"] = 0.25, 0.5
    buffers = np.zeros((1, 2), d.EMU_BUFFER)
    buffers["address"] = [[ACTIVATIONS, OUTPUT]]
    return EmuTask(network[()], [softmax[()]], buffers)


def small_loadable() -> Loadable:
    """Everything the format has, at least once."""
    weights = Blob("tb-0", Interface.NONE, 0, (0, 0, 0), np.arange(128, dtype=np.uint8))
    io = MemoryFlags.ALLOC
    memories = [
        MemoryEntry(DUMMY, 0, MemoryFlags.ALLOC, 4096),
        MemoryEntry(CONSTANTS, 0, MemoryFlags.ALLOC | MemoryFlags.SET, 4096, 4096, ["tb-0"], [256]),
        MemoryEntry(ACTIVATIONS, 0, MemoryFlags.ALLOC, 4096),
        MemoryEntry(INPUT, 0, io | MemoryFlags.INPUT, 128, tensor_desc_id=0),
        MemoryEntry(OUTPUT, 0, io | MemoryFlags.OUTPUT, 64, tensor_desc_id=1),
    ]
    addresses = [Address(memory.id, memory.id, 0, memory.size) for memory in memories]
    addresses[ACTIVATIONS].offset, addresses[ACTIVATIONS].size = 96, 4000
    blobs, tasks = [weights], []
    for number, (lists, interface) in enumerate(((dla_task(), Interface.DLA1), (emu_task(), Interface.EMU1))):
        own = lists.blobs(number)
        first = len(memories)
        for position, blob in enumerate(own):
            flags = MemoryFlags.ALLOC | MemoryFlags.SET
            memories.append(MemoryEntry(first + position, 0, flags, blob.data.size, 4096, [blob.name], [0]))
            addresses.append(Address(first + position, first + position, 0, blob.data.size))
        address_list = [first, *range(1, ORDINARY), *range(first + 1, len(memories))]
        tasks.append(Task(number, interface, -1, address_list, [number] if number else [], [number + 1]))
        blobs += own
    return Loadable(
        tasks=tasks,
        memories=memories,
        addresses=addresses,
        events=[Event(i, 0, 0, i, i % 2) for i in range(3)],
        blobs=sorted(blobs, key=lambda blob: blob.name),
        tensors=[
            _tensor(0, "data", INPUT, 128, (8, 4, 4)),
            _tensor(1, "prob", OUTPUT, 64, (10, 1, 1)),
        ],
        submits=[Submit(0, [0]), Submit(1, [1])],
    )


def _tensor(number: int, name: str, memory: int, size: int, shape: tuple[int, int, int]) -> Tensor:
    c, h, w = shape
    return Tensor(
        name, number, memory, size, 0, DataFormat.NCXHWX, DataType.INT8, DataCategory.FEATURE,
        PixelFormat.FEATURE_X8, 0, 1, c, h, w, (1, w * 8, w * h * 8, 0, 0, 0, 0, 0),
    )  # fmt: skip
