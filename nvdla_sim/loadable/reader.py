"""The flatbuffer container -> entries, one table after the other. Expects a verified buffer."""

from __future__ import annotations

from typing import Any

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


def read_version(v: fb.Version) -> Version:
    return (v.Major(), v.Minor(), v.SubMinor())


def read_task(t: fb.TaskListEntry) -> Task:
    return Task(
        id=t.Id(),
        interface=t.Interface(),
        instance=t.Instance(),
        address_list=_numbers(t.AddressListAsNumpy()),
        pre_actions=_numbers(t.PreActionsAsNumpy()),
        post_actions=_numbers(t.PostActionsAsNumpy()),
    )


def read_memory(m: fb.MemoryListEntry) -> MemoryEntry:
    return MemoryEntry(
        id=m.Id(),
        domain=m.Domain(),
        flags=m.Flags(),
        size=m.Size(),
        alignment=m.Alignment(),
        contents=[m.Contents(i).decode() for i in range(m.ContentsLength())],
        offsets=_numbers(m.OffsetsAsNumpy()),
        bind_id=m.BindId(),
        tensor_desc_id=m.TensorDescId(),
    )


def read_address(a: fb.AddressListEntry) -> Address:
    return Address(id=a.Id(), mem_id=a.MemId(), offset=a.Offset(), size=a.Size())


def read_event(e: fb.EventListEntry) -> Event:
    return Event(id=e.Id(), type=e.Type(), target=e.Target(), val=e.Val(), op=e.Op())


def read_blob(b: fb.Blob, problems: list[str]) -> Blob:
    """``problems`` gets a line when the blob's size field is not the length of its data."""
    name, data = b.Name().decode(), b.DataAsNumpy()
    if b.Size() != data.size:
        problems.append(f'blob "{name}": size {b.Size()}, but {data.size} bytes of data')
    return Blob(
        name=name,
        interface=b.Interface(),
        sub_interface=b.SubInterface(),
        version=read_version(b.Version()),
        data=data,
    )


def read_tensor(t: fb.TensorDescListEntry) -> Tensor:
    return Tensor(
        name=t.Name().decode(),
        id=t.Id(),
        mem_id=t.MemId(),
        size=t.Size(),
        offset=t.Offset(),
        data_format=t.DataFormat(),
        data_type=t.DataType(),
        data_category=t.DataCategory(),
        pixel_format=t.PixelFormat(),
        pixel_mapping=t.PixelMapping(),
        n=t.N(),
        c=t.C(),
        h=t.H(),
        w=t.W(),
        strides=(
            t.Stride0(), t.Stride1(), t.Stride2(), t.Stride3(),
            t.Stride4(), t.Stride5(), t.Stride6(), t.Stride7(),
        ),
    )  # fmt: skip


def read_reloc(r: fb.RelocListEntry) -> Reloc:
    return Reloc(
        address_id=r.AddressId(),
        write_id=r.WriteId(),
        offset=r.Offset(),
        interface=r.Interface(),
        sub_interface=r.SubInterface(),
        reloc_type=r.RelocType(),
    )


def read_submit(s: fb.SubmitListEntry) -> Submit:
    return Submit(id=s.Id(), task_ids=_numbers(s.TaskIdAsNumpy()))


def _numbers(vector: Any) -> list[int]:
    # the generated accessors answer the number 0 for a list that is not there
    return [] if isinstance(vector, int) else vector.tolist()
