"""Entries -> the flatbuffer container, one table after the other.

Numbers that have their default value 0 are left out, as flatbuffers does; every list is written, an empty
one too. Each function answers the new table's place in the builder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from flatbuffers import Builder

from nvdla_sim.loadable._generated import loadable_generated as fb
from nvdla_sim.loadable.entries import (
    Address,
    Blob,
    Event,
    MemoryEntry,
    Reloc,
    Submit,
    Task,
    Tensor,
    Version,
)

Entry = TypeVar("Entry")


def write_list(b: Builder, write: Callable[[Builder, Entry], int], entries: Sequence[Entry]) -> int:
    """A vector of tables."""
    return _references(b, [write(b, entry) for entry in entries])


def write_version(b: Builder, version: Version) -> int:
    """A struct is inline: to be called directly before the field that holds it is added."""
    return int(fb.CreateVersion(b, *version))


def write_task(b: Builder, task: Task) -> int:
    address_list = _numbers(b, task.address_list, "<u2")
    pre_actions = _numbers(b, task.pre_actions, "<u2")
    post_actions = _numbers(b, task.post_actions, "<u2")
    fb.TaskListEntryStart(b)
    fb.TaskListEntryAddId(b, task.id)
    fb.TaskListEntryAddInterface(b, task.interface)
    fb.TaskListEntryAddInstance(b, task.instance)
    fb.TaskListEntryAddAddressList(b, address_list)
    fb.TaskListEntryAddPreActions(b, pre_actions)
    fb.TaskListEntryAddPostActions(b, post_actions)
    return int(fb.TaskListEntryEnd(b))


def write_memory(b: Builder, memory: MemoryEntry) -> int:
    contents = _references(b, [b.CreateSharedString(name) for name in memory.contents])
    offsets = _numbers(b, memory.offsets, "<u8")
    fb.MemoryListEntryStart(b)
    fb.MemoryListEntryAddId(b, memory.id)
    fb.MemoryListEntryAddDomain(b, memory.domain)
    fb.MemoryListEntryAddFlags(b, memory.flags)
    fb.MemoryListEntryAddSize(b, memory.size)
    fb.MemoryListEntryAddAlignment(b, memory.alignment)
    fb.MemoryListEntryAddContents(b, contents)
    fb.MemoryListEntryAddOffsets(b, offsets)
    fb.MemoryListEntryAddBindId(b, memory.bind_id)
    fb.MemoryListEntryAddTensorDescId(b, memory.tensor_desc_id)
    return int(fb.MemoryListEntryEnd(b))


def write_address(b: Builder, address: Address) -> int:
    fb.AddressListEntryStart(b)
    fb.AddressListEntryAddId(b, address.id)
    fb.AddressListEntryAddMemId(b, address.mem_id)
    fb.AddressListEntryAddOffset(b, address.offset)
    fb.AddressListEntryAddSize(b, address.size)
    return int(fb.AddressListEntryEnd(b))


def write_event(b: Builder, event: Event) -> int:
    fb.EventListEntryStart(b)
    fb.EventListEntryAddId(b, event.id)
    fb.EventListEntryAddType(b, event.type)
    fb.EventListEntryAddTarget(b, event.target)
    fb.EventListEntryAddVal(b, event.val)
    fb.EventListEntryAddOp(b, event.op)
    return int(fb.EventListEntryEnd(b))


def write_blob(b: Builder, blob: Blob) -> int:
    name = b.CreateString(blob.name)
    data = b.CreateNumpyVector(blob.data)
    fb.BlobStart(b)
    fb.BlobAddName(b, name)
    fb.BlobAddSize(b, blob.data.size)
    fb.BlobAddInterface(b, blob.interface)
    fb.BlobAddSubInterface(b, blob.sub_interface)
    fb.BlobAddVersion(b, write_version(b, blob.version))
    fb.BlobAddData(b, data)
    return int(fb.BlobEnd(b))


def write_tensor(b: Builder, tensor: Tensor) -> int:
    name = b.CreateString(tensor.name)
    fb.TensorDescListEntryStart(b)
    fb.TensorDescListEntryAddName(b, name)
    fb.TensorDescListEntryAddId(b, tensor.id)
    fb.TensorDescListEntryAddMemId(b, tensor.mem_id)
    fb.TensorDescListEntryAddSize(b, tensor.size)
    fb.TensorDescListEntryAddOffset(b, tensor.offset)
    fb.TensorDescListEntryAddDataFormat(b, tensor.data_format)
    fb.TensorDescListEntryAddDataType(b, tensor.data_type)
    fb.TensorDescListEntryAddDataCategory(b, tensor.data_category)
    fb.TensorDescListEntryAddPixelFormat(b, tensor.pixel_format)
    fb.TensorDescListEntryAddPixelMapping(b, tensor.pixel_mapping)
    fb.TensorDescListEntryAddN(b, tensor.n)
    fb.TensorDescListEntryAddC(b, tensor.c)
    fb.TensorDescListEntryAddH(b, tensor.h)
    fb.TensorDescListEntryAddW(b, tensor.w)
    fb.TensorDescListEntryAddStride0(b, tensor.strides[0])
    fb.TensorDescListEntryAddStride1(b, tensor.strides[1])
    fb.TensorDescListEntryAddStride2(b, tensor.strides[2])
    fb.TensorDescListEntryAddStride3(b, tensor.strides[3])
    fb.TensorDescListEntryAddStride4(b, tensor.strides[4])
    fb.TensorDescListEntryAddStride5(b, tensor.strides[5])
    fb.TensorDescListEntryAddStride6(b, tensor.strides[6])
    fb.TensorDescListEntryAddStride7(b, tensor.strides[7])
    return int(fb.TensorDescListEntryEnd(b))


def write_reloc(b: Builder, reloc: Reloc) -> int:
    fb.RelocListEntryStart(b)
    fb.RelocListEntryAddAddressId(b, reloc.address_id)
    fb.RelocListEntryAddWriteId(b, reloc.write_id)
    fb.RelocListEntryAddOffset(b, reloc.offset)
    fb.RelocListEntryAddInterface(b, reloc.interface)
    fb.RelocListEntryAddSubInterface(b, reloc.sub_interface)
    fb.RelocListEntryAddRelocType(b, reloc.reloc_type)
    return int(fb.RelocListEntryEnd(b))


def write_submit(b: Builder, submit: Submit) -> int:
    task_ids = _numbers(b, submit.task_ids, "<u2")
    fb.SubmitListEntryStart(b)
    fb.SubmitListEntryAddId(b, submit.id)
    fb.SubmitListEntryAddTaskId(b, task_ids)
    return int(fb.SubmitListEntryEnd(b))


def _numbers(b: Builder, values: Sequence[int], dtype: str) -> int:
    return int(b.CreateNumpyVector(np.array(values, dtype)))


def _references(b: Builder, places: Sequence[int]) -> int:
    b.StartVector(4, len(places), 4)
    for place in reversed(places):
        b.PrependUOffsetTRelative(place)
    return int(b.EndVector())
