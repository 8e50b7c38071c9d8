"""Proof that a flatbuffer of our schema stays inside its file, before anything reads it.

The flatbuffers runtime follows every offset unchecked. ``verify`` walks all tables: every offset, vtable,
vector and string must lie inside the file, and the work that reading costs is bounded, whatever the file
shares or repeats.
"""

from __future__ import annotations

import struct

from nvdla_sim.errors import LoadableError
from nvdla_sim.loadable.check import refuse

# A field is inline bytes (their number), a string, or a one-element list: a vector of these or of a table.
Kind = int | str | list[int] | list[str]

# Slot order of loadable.fbs, its numbers and structs by their size.
TABLES: dict[str, dict[str, Kind]] = {
    "Loadable": {
        "version": 3,
        "task_list": ["TaskListEntry"],
        "memory_list": ["MemoryListEntry"],
        "address_list": ["AddressListEntry"],
        "event_list": ["EventListEntry"],
        "blobs": ["Blob"],
        "tensor_desc_list": ["TensorDescListEntry"],
        "reloc_list": ["RelocListEntry"],
        "submit_list": ["SubmitListEntry"],
    },
    "TaskListEntry": {
        "id": 2, "interface": 4, "instance": 2,
        "address_list": [2], "pre_actions": [2], "post_actions": [2],
    },
    "MemoryListEntry": {
        "id": 2, "domain": 1, "flags": 2, "size": 8, "alignment": 4,
        "contents": ["string"], "offsets": [8], "bind_id": 2, "tensor_desc_id": 2,
    },
    "AddressListEntry": {"id": 2, "mem_id": 2, "offset": 8, "size": 8},
    "EventListEntry": {"id": 2, "type": 1, "target": 2, "val": 4, "op": 1},
    "Blob": {"name": "string", "size": 8, "interface": 4, "sub_interface": 4, "version": 3, "data": [1]},
    "TensorDescListEntry": {
        "name": "string", "id": 2, "mem_id": 2, "size": 8, "offset": 8,
        "data_format": 1, "data_type": 1, "data_category": 1, "pixel_format": 1, "pixel_mapping": 1,
        "n": 4, "c": 4, "h": 4, "w": 4,
        "stride_0": 4, "stride_1": 4, "stride_2": 4, "stride_3": 4,
        "stride_4": 4, "stride_5": 4, "stride_6": 4, "stride_7": 4,
    },
    "RelocListEntry": {
        "address_id": 2, "write_id": 2, "offset": 8, "interface": 4, "sub_interface": 4, "reloc_type": 1,
    },
    "SubmitListEntry": {"id": 2, "task_id": [2]},
}  # fmt: skip

# Every reader, NVIDIA's too, takes these for granted.
REQUIRED: dict[str, frozenset[str]] = {
    "Loadable": frozenset(TABLES["Loadable"]),
    "Blob": frozenset({"name", "version", "data"}),
    "TensorDescListEntry": frozenset({"name"}),
}

MAX_FILE = (1 << 31) - 1  # flatbuffers' own limit
# A file can name the same entry any number of times, so the file's size alone does not bound the work.
# The largest real loadables have a few thousand entries.
MAX_ENTRIES = 1 << 17  # tables and strings
MAX_LISTED = 1 << 24  # bytes of names and number lists

_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")
_I32 = struct.Struct("<i")


def verify(data: bytes) -> None:
    """Raise ``LoadableError`` unless everything that the generated classes can reach lies inside ``data``."""
    if len(data) > MAX_FILE:
        raise LoadableError(f"{len(data)} bytes are more than the format's limit of {MAX_FILE}")
    walk = _Walk(data)
    walk.table(walk.target(0, "root"), "Loadable", "loadable")
    refuse("required fields are missing:", walk.missing)


class _Walk:
    def __init__(self, data: bytes) -> None:
        self.missing: list[str] = []
        self._data = data
        self._entries_left = MAX_ENTRIES
        self._listed_left = MAX_LISTED
        self._blobs_left = len(data)

    def table(self, at: int, name: str, path: str) -> None:
        """The table at ``at`` and everything below it."""
        self._count_entry()
        self._inside(at, 4, path)
        vtable = at - int(_I32.unpack_from(self._data, at)[0])
        self._inside(vtable, 4, path)
        vtable_size = int(_U16.unpack_from(self._data, vtable)[0])
        if vtable_size < 4 or vtable_size % 2:
            raise LoadableError(f"{path}: a vtable of {vtable_size} bytes; 4 or more and even is allowed")
        self._inside(vtable, vtable_size, path)
        for entry, (field, kind) in enumerate(TABLES[name].items(), start=2):
            # a slot beyond the vtable's end is a field that the file does not have, and so is offset 0
            known = 2 * entry < vtable_size
            offset = int(_U16.unpack_from(self._data, vtable + 2 * entry)[0]) if known else 0
            if offset:
                self._field(at + offset, kind, f"{path}.{field}")
            elif field in REQUIRED.get(name, ()):
                self.missing.append(f"{path}.{field}")

    def target(self, at: int, path: str) -> int:
        """Where the forward offset stored at ``at`` leads."""
        self._inside(at, 4, path)
        return at + int(_U32.unpack_from(self._data, at)[0])

    def _field(self, at: int, kind: Kind, path: str) -> None:
        if isinstance(kind, int):
            self._inside(at, kind, path)
        elif isinstance(kind, str):
            self._string(self.target(at, path), path)
        else:
            self._vector(self.target(at, path), kind[0], path)

    def _string(self, at: int, path: str) -> None:
        self._count_entry()
        start, size = self._length(at, 1, path)
        self._count_listed(size)
        try:
            self._data[start : start + size].decode()
        except UnicodeDecodeError:
            raise LoadableError(f"{path}: a name that is not UTF-8 text") from None

    def _vector(self, at: int, element: int | str, path: str) -> None:
        start, count = self._length(at, element if isinstance(element, int) else 4, path)
        if element == 1:
            self._blobs_left -= count
            if self._blobs_left < 0:
                raise LoadableError(f"{path}: the blobs overlap: together they are larger than the file")
        elif isinstance(element, int):
            self._count_listed(count * element)
        else:
            for i in range(count):
                entry = f"{path}[{i}]"
                target = self.target(start + 4 * i, entry)
                if element == "string":
                    self._string(target, entry)
                else:
                    self.table(target, element, entry)

    def _length(self, at: int, size: int, path: str) -> tuple[int, int]:
        """Start and element count of the vector at ``at``, whose elements have ``size`` bytes."""
        self._inside(at, 4, path)
        count = int(_U32.unpack_from(self._data, at)[0])
        self._inside(at + 4, count * size, path)
        return at + 4, count

    def _inside(self, at: int, size: int, path: str) -> None:
        if at < 0 or at + size > len(self._data):
            raise LoadableError(
                f"{path}: {size} bytes at {at} are outside the file, which has {len(self._data)}"
            )

    def _count_entry(self) -> None:
        self._entries_left -= 1
        if self._entries_left < 0:
            raise LoadableError(f"more than {MAX_ENTRIES} entries and names")

    def _count_listed(self, size: int) -> None:
        self._listed_left -= size
        if self._listed_left < 0:
            raise LoadableError(f"names and number lists of more than {MAX_LISTED} bytes")
