"""A loadable's operations as plain values, so that two compilers' work can be compared.

What has no influence on the result is left out: where things are in memory, how the buffer is shared out,
fields of idle units, lanes of operands beyond the last channel.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from nvdla_sim.loadable import descriptors
from nvdla_sim.loadable.enums import Interface, MemType, OpType, SdpMode, SdpOpType
from nvdla_sim.loadable.loadable import Loadable, Task

Operation = dict[str, Any]

SHAPE = ("width", "height", "channel")
CONV = (
    "data_format", "post_extension", "kernel_width_csc", "kernel_height_csc", "kernel_channel_csc",
    "bytes_per_kernel", "stride_x", "stride_y", "pad_left", "pad_top", "dilation_x", "dilation_y", "pad_val",
)  # fmt: skip
PDP = (
    "pool_mode", "pool_width", "pool_height", "stride_x", "stride_y", "pad_left", "pad_right", "pad_top",
    "pad_bottom",
)  # fmt: skip


def operations(loadable: Loadable) -> Iterator[Operation]:
    """Every operation of every task, in order."""
    for task in loadable.tasks:
        yield from (_Dla(loadable, task).ops() if task.interface == Interface.DLA1 else _emu(loadable, task))


def _content(loadable: Loadable, task: Task, index: int) -> bytes:
    """What the memory behind an entry of the task's address list is filled with."""
    memory = loadable.memories[loadable.addresses[task.address_list[index]].mem_id]
    data = bytearray(memory.size)
    for name, offset in zip(memory.contents, memory.offsets, strict=True):
        blob = loadable.blob(name).data.tobytes()
        data[offset : offset + len(blob)] = blob
    return bytes(data)


def _emu(loadable: Loadable, task: Task) -> Iterator[Operation]:
    network = np.frombuffer(_content(loadable, task, 0), descriptors.EMU_NETWORK, 1)[0]
    ops = _content(loadable, task, int(network["op_list"]))
    for index in range(int(network["num_ops"])):
        op = np.frombuffer(ops, descriptors.EMU_SOFTMAX, 1, index * descriptors.EMU_OP_STRIDE)[0]
        yield {"kind": "EMU", **{name: op[name].item() for name in ("type", "in_scale", "out_scale")}}


class _Dla:
    def __init__(self, loadable: Loadable, task: Task) -> None:
        self.loadable, self.task = loadable, task
        self.contents: dict[int, bytes] = {}
        self.network = np.frombuffer(self.content(0), descriptors.NETWORK, 1)[0]

    def content(self, index: int) -> bytes:
        if index not in self.contents:
            self.contents[index] = _content(self.loadable, self.task, index)
        return self.contents[index]

    def ops(self) -> Iterator[Operation]:
        lists = {
            name: self.content(int(self.network[name])) for name in ("dep_graph", "op_list", "surf_list")
        }
        for i in range(int(self.network["num_ops"])):
            common = np.frombuffer(
                lists["dep_graph"], descriptors.COMMON_OP, 1, i * descriptors.DEP_GRAPH_STRIDE
            )[0]
            kind = OpType(int(common["op_type"]))
            op = np.frombuffer(lists["op_list"], descriptors.OPS[kind], 1, i * descriptors.OP_STRIDE)[0]
            surfaces = np.frombuffer(
                lists["surf_list"], descriptors.SURFACES[kind], 1, i * descriptors.SURFACE_STRIDE
            )[0]
            yield {
                "kind": kind.name,
                "src": _values(surfaces["src"], SHAPE),
                "dst": _values(surfaces["dst"], SHAPE),
                **getattr(self, f"_{kind.name.lower()}")(op, surfaces),
            }

    def _conv(self, op: Any, surfaces: Any) -> Operation:
        weight = surfaces["weight"]
        return {**_values(op, CONV), "weights": self._bytes(weight, int(weight["size"]))}

    def _pdp(self, op: Any, surfaces: Any) -> Operation:
        return _values(op, PDP)

    def _cdp(self, op: Any, surfaces: Any) -> Operation:
        return {"out": (op["out_cvt"]["scale"].item(), op["out_cvt"]["truncate"].item())}

    def _rubik(self, op: Any, surfaces: Any) -> Operation:
        return _values(op, ("mode", "stride_x", "stride_y"))

    def _sdp(self, op: Any, surfaces: Any) -> Operation:
        out = op["out_cvt"]
        stages = {name: self._stage(op[name], surfaces[name]) for name in ("x1", "x2", "y")}
        return {**stages, "out": (out["scale"].item(), out["truncate"].item(), out["offset"].item())}

    def _stage(self, stage: Any, cube: Any) -> Operation | None:
        kind, mode = SdpOpType(int(stage["type"])), SdpMode(int(stage["mode"]))
        act = int(stage["act"])
        if not stage["enable"] or (kind == SdpOpType.NONE and act == 0 and stage["truncate"] == 0):
            return None
        result: Operation = {"type": kind.name, "act": act, "truncate": int(stage["truncate"])}
        if kind == SdpOpType.NONE:
            return result
        result["mode"] = mode.name
        if kind & SdpOpType.ADD:
            result["alu"], result["shift"] = int(stage["alu_type"]), int(stage["shift_value"])
        if mode == SdpMode.PER_LAYER:
            used = [n for n, bit in (("alu", SdpOpType.ADD), ("mul", SdpOpType.MUL)) if kind & bit]
            result["operand"] = [int(stage[f"{name}_operand"]) for name in used]
        elif stage["precision"] and cube["type"] == MemType.MC and mode == SdpMode.PER_KERNEL:
            size = int(cube["channel"]) * 2 * (2 if kind == SdpOpType.BOTH else 1)
            result["operand"] = np.frombuffer(self._bytes(cube, size), "<i2").tolist()
            if kind == SdpOpType.ADD and not any(result["operand"]):
                result["shift"] = 0  # shifting zeros
        return result

    def _bytes(self, cube: Any, size: int) -> bytes:
        offset = (
            int(cube["offset"]) + self.loadable.addresses[self.task.address_list[int(cube["address"])]].offset
        )
        return self.content(int(cube["address"]))[offset : offset + size]


def _values(record: Any, names: tuple[str, ...]) -> Operation:
    return {name: record[name].item() for name in names}
