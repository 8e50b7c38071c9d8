"""The entries of a loadable's lists, field by field as the file has them.

Numbers are kept as they are; ``nvdla_sim.loadable.enums`` names them. Sizes, offsets and strides are bytes.
An absent list of a file reads as an empty one: nobody tells them apart.

Source: compiler-facts sections 1 to 1.4.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Version = tuple[int, int, int]

SOURCE_MAP = "nvdla-sim.json"
"""The blob of our own compiler's notes, which no task names and other runtimes ignore."""


@dataclass
class Task:
    """One unit of work for the accelerator (``Interface.DLA1``) or the CPU (``EMU1``)."""

    id: int
    interface: int
    instance: int = -1
    address_list: list[int] = field(default_factory=list)  # address ids; descriptors index this list
    pre_actions: list[int] = field(default_factory=list)  # event ids
    post_actions: list[int] = field(default_factory=list)


@dataclass
class MemoryEntry:
    """One buffer: what to allocate, what to fill it with, and which network input or output it is."""

    id: int
    domain: int
    flags: int  # MemoryFlags
    size: int
    alignment: int = 4096
    contents: list[str] = field(default_factory=list)  # blob names
    offsets: list[int] = field(default_factory=list)  # where each of them goes
    bind_id: int = 0  # number of the network input or output
    tensor_desc_id: int = 0


@dataclass
class Address:
    """One place in a buffer."""

    id: int
    mem_id: int
    offset: int
    size: int


@dataclass
class Event:
    """One synchronisation point between tasks; the public runtime ignores them."""

    id: int
    type: int
    target: int
    val: int
    op: int  # EventOp


@dataclass(eq=False)
class Blob:
    """Named bytes. ``data`` is a read-only view of the file where it was read from one."""

    name: str
    interface: int
    sub_interface: int
    version: Version
    data: Bytes

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Blob):
            return NotImplemented
        return (self.name, self.interface, self.sub_interface, self.version) == (
            other.name,
            other.interface,
            other.sub_interface,
            other.version,
        ) and np.array_equal(self.data, other.data)


@dataclass
class Tensor:
    """How a network input or output lies in its buffer."""

    name: str
    id: int
    mem_id: int
    size: int
    offset: int
    data_format: int
    data_type: int
    data_category: int
    pixel_format: int
    pixel_mapping: int
    n: int
    c: int
    h: int
    w: int
    strides: tuple[int, int, int, int, int, int, int, int]  # element, line, surface, unused


@dataclass
class Reloc:
    """Where a descriptor list repeats a stride of a bound tensor."""

    address_id: int
    write_id: int  # memory id of the descriptor list
    offset: int
    interface: int
    sub_interface: int
    reloc_type: int


@dataclass
class Submit:
    """Tasks that are handed over together; submits run in order."""

    id: int
    task_ids: list[int]
