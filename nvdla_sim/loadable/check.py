"""What runtime and driver take for granted about a loadable's lists.

Each rule is something that NVIDIA's runtime indexes, copies or allocates by, so a loadable that breaks one
cannot run there. Events and relocations are not checked: the runtime reads neither.

Source: compiler-facts section 1.5.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from nvdla_sim.errors import LoadableError, listed
from nvdla_sim.loadable.entries import MemoryEntry, Tensor
from nvdla_sim.loadable.enums import Domain, Interface, MemoryFlags

if TYPE_CHECKING:
    from nvdla_sim.loadable.loadable import Loadable

_MAX_TOLD = 20  # lines of one message

MAX_ENTRIES = 1 << 16  # ids are 16 bits
MAX_TASKS = 1 << 10  # every change from accelerator to CPU and back makes one
MAX_BOUND = 1 << 8  # network inputs, or outputs
MAX_TASK_ADDRESSES = 6144  # the kernel driver's limit
MAX_MEMORY = 1 << 32  # bytes; more than a 32-bit chip can address, and twice the compiler's pools


class _Numbered(Protocol):
    id: int


def refuse(headline: str, problems: Iterable[str]) -> None:
    """Raise one ``LoadableError`` for all problems; nothing happens when there are none."""
    told = list(itertools.islice(problems, _MAX_TOLD + 1))
    if len(told) > _MAX_TOLD:
        told[_MAX_TOLD:] = ["and more"]
    if told:
        raise LoadableError(listed(headline, told))


def problems(loadable: Loadable) -> Iterator[str]:
    """One line for each rule that the loadable breaks; the later ones assume ids that are positions."""
    numbered = list(_ids(loadable))
    yield from numbered
    if not numbered:
        yield from _memories(loadable)
        yield from _bindings(loadable, MemoryFlags.INPUT)
        yield from _bindings(loadable, MemoryFlags.OUTPUT)
        yield from _addresses(loadable)
        yield from _tensors(loadable)
        yield from _tasks(loadable)


def _ids(loadable: Loadable) -> Iterator[str]:
    for what, needed in (
        ("task", loadable.tasks),
        ("memory", loadable.memories),
        ("submit", loadable.submits),
    ):
        if not needed:
            yield f"there is no {what}"
    indexed: list[tuple[str, Sequence[_Numbered]]] = [
        ("task", loadable.tasks),
        ("memory", loadable.memories),
        ("address", loadable.addresses),
        ("tensor", loadable.tensors),
    ]
    for what, entries in indexed:
        most = MAX_TASKS if what == "task" else MAX_ENTRIES
        if len(entries) > most:
            yield f"{len(entries)} entries of kind {what}, at most {most} are allowed"
        for position, entry in enumerate(entries):
            if entry.id != position:
                yield f"{what} {position} has id {entry.id}; an entry's id is its position"


def _memories(loadable: Loadable) -> Iterator[str]:
    sizes: dict[str, int] = {}
    for blob in loadable.blobs:
        if blob.name in sizes:
            yield f'two blobs have the name "{blob.name}"'
        sizes[blob.name] = blob.data.size
    domains = [domain.value for domain in Domain]
    for memory in loadable.memories:
        if memory.domain not in domains:
            yield f"memory {memory.id}: domain {memory.domain}, allowed: {domains}"
        if len(memory.contents) != len(memory.offsets):
            yield f"memory {memory.id}: {len(memory.contents)} contents, but {len(memory.offsets)} offsets"
        elif memory.flags & MemoryFlags.SET:
            yield from _contents(memory, sizes)
    total = sum(memory.size for memory in loadable.memories)
    if total > MAX_MEMORY:
        yield f"the memories take {total} bytes together, at most {MAX_MEMORY} are allowed"


def _contents(memory: MemoryEntry, sizes: dict[str, int]) -> Iterator[str]:
    filled = 0
    for name, offset in zip(memory.contents, memory.offsets, strict=True):
        if name not in sizes:
            yield f'memory {memory.id}: its content "{name}" is not among the blobs'
        elif offset + sizes[name] > memory.size:
            yield (
                f'memory {memory.id}: "{name}" ({sizes[name]} bytes at {offset}) '
                f"does not fit its {memory.size} bytes"
            )
        else:
            filled += sizes[name]
    if filled > memory.size:
        yield f"memory {memory.id}: its contents overlap ({filled} bytes in {memory.size})"


def _bindings(loadable: Loadable, direction: MemoryFlags) -> Iterator[str]:
    bound = [memory for memory in loadable.memories if memory.flags & direction]
    ids = sorted(memory.bind_id for memory in bound)
    if len(bound) > MAX_BOUND:
        yield f"there are {len(bound)} {direction.name}s, at most {MAX_BOUND} are allowed"
    elif ids != list(range(len(ids))):
        yield f"the {direction.name}s are bound to {ids}, not to 0..{len(ids) - 1} without gap or repetition"
    for memory in bound:
        if memory.tensor_desc_id >= len(loadable.tensors):
            yield (
                f"memory {memory.id}: tensor {memory.tensor_desc_id} of {direction.name} {memory.bind_id} "
                f"is not among the {len(loadable.tensors)} tensors"
            )


def _addresses(loadable: Loadable) -> Iterator[str]:
    for address in loadable.addresses:
        if address.mem_id >= len(loadable.memories):
            yield f"address {address.id}: memory {address.mem_id} of {len(loadable.memories)}"
        elif address.offset > loadable.memories[address.mem_id].size:
            yield (
                f"address {address.id}: offset {address.offset} is outside memory {address.mem_id} "
                f"of {loadable.memories[address.mem_id].size} bytes"
            )


def _tensors(loadable: Loadable) -> Iterator[str]:
    for tensor in loadable.tensors:
        what = f'tensor "{tensor.name}"'
        if tensor.mem_id >= len(loadable.memories):
            yield f"{what}: memory {tensor.mem_id} of {len(loadable.memories)}"
        elif tensor.offset + tensor.size > loadable.memories[tensor.mem_id].size:
            yield (
                f"{what}: {tensor.size} bytes at {tensor.offset} are outside memory {tensor.mem_id} "
                f"of {loadable.memories[tensor.mem_id].size} bytes"
            )
        yield from _dimensions(what, tensor)


def _dimensions(what: str, tensor: Tensor) -> Iterator[str]:
    dimensions = f"n {tensor.n}, c {tensor.c}, h {tensor.h}, w {tensor.w}"
    if min(tensor.n, tensor.c, tensor.h, tensor.w) < 1:
        yield f"{what}: dimensions {dimensions}; each must be at least 1"
    elif tensor.n * tensor.c * tensor.h * tensor.w > tensor.size:
        yield f"{what}: dimensions {dimensions} need more than its {tensor.size} bytes"


def _tasks(loadable: Loadable) -> Iterator[str]:
    for task in loadable.tasks:
        if task.interface not in (Interface.DLA1, Interface.EMU1):
            yield f"task {task.id}: interface {task.interface}, allowed: 1 (DLA1), 2 (EMU1)"
        if len(task.address_list) > MAX_TASK_ADDRESSES:
            yield f"task {task.id}: {len(task.address_list)} addresses, the driver takes {MAX_TASK_ADDRESSES}"
        unknown = sorted({a for a in task.address_list if a >= len(loadable.addresses)})
        if unknown:
            yield f"task {task.id}: addresses {unknown[:8]} are not among the {len(loadable.addresses)}"
    for submit in loadable.submits:
        unknown = sorted({t for t in submit.task_ids if t >= len(loadable.tasks)})
        if unknown:
            yield f"submit {submit.id}: tasks {unknown[:8]} are not among the {len(loadable.tasks)}"
