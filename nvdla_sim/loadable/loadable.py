"""The loadable: NVDLA's compiled network, read, checked and written.

Source of the format: compiler-facts section 1.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from flatbuffers import Builder

from nvdla_sim.errors import LoadableError
from nvdla_sim.files import read_bytes, write_atomically
from nvdla_sim.loadable import reader, writer
from nvdla_sim.loadable._generated import loadable_generated as fb
from nvdla_sim.loadable.check import problems, refuse
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
from nvdla_sim.loadable.verifier import MAX_FILE, verify

__all__ = ["Address", "Blob", "Event", "Loadable", "MemoryEntry", "Reloc", "Submit", "Task", "Tensor"]

IDENTIFIER = b"NVDA"

_MAX_BLOB_BYTES = MAX_FILE - (1 << 26)  # the rest is far more than any loadable's lists take

Entry = TypeVar("Entry")


@dataclass
class Loadable:
    """A network as runtime and driver take it. ``name`` is for messages: the file it came from."""

    version: Version = (0, 7, 0)
    tasks: list[Task] = field(default_factory=list)
    memories: list[MemoryEntry] = field(default_factory=list)
    addresses: list[Address] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    blobs: list[Blob] = field(default_factory=list)
    tensors: list[Tensor] = field(default_factory=list)
    relocs: list[Reloc] = field(default_factory=list)
    submits: list[Submit] = field(default_factory=list)
    name: str = field(default="loadable", compare=False)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Loadable:
        """Read a ``.nvdla`` file; ``LoadableError`` when it cannot be read or is damaged."""
        return cls.from_bytes(read_bytes(path, LoadableError, "loadable"), os.fspath(path))

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "loadable") -> Loadable:
        """Read a loadable; its blobs are views of ``data``.

        ``LoadableError`` names the first place where the container leaves the file, or else lists every entry
        that breaks a rule of ``nvdla_sim.loadable.check``. NVIDIA's runtime loads files without the
        identifier, and so does this.
        """
        try:
            verify(data)
        except LoadableError as problem:
            if data[4:8] == IDENTIFIER:
                raise LoadableError(f"{name}: the loadable is damaged or cut short: {problem}") from None
            raise LoadableError(f"{name}: not a loadable ({_beginning(data)}): {problem}") from None
        found: list[str] = []
        root = fb.Loadable.GetRootAs(data)
        loadable = cls(
            version=reader.read_version(root.Version()),
            tasks=_read(root.TaskList, root.TaskListLength, reader.read_task),
            memories=_read(root.MemoryList, root.MemoryListLength, reader.read_memory),
            addresses=_read(root.AddressList, root.AddressListLength, reader.read_address),
            events=_read(root.EventList, root.EventListLength, reader.read_event),
            blobs=_read(root.Blobs, root.BlobsLength, partial(reader.read_blob, problems=found)),
            tensors=_read(root.TensorDescList, root.TensorDescListLength, reader.read_tensor),
            relocs=_read(root.RelocList, root.RelocListLength, reader.read_reloc),
            submits=_read(root.SubmitList, root.SubmitListLength, reader.read_submit),
            name=name,
        )
        loadable._check(found)
        return loadable

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a ``.nvdla`` file, whole or not at all; ``LoadableError`` as for ``to_bytes``."""
        write_atomically(path, self.to_bytes())

    def to_bytes(self) -> bytes:
        """The file's bytes; ``LoadableError`` lists what would make it a loadable that cannot be read."""
        self._check([])
        blob_bytes = sum(blob.data.size for blob in self.blobs)
        if blob_bytes > _MAX_BLOB_BYTES:
            raise LoadableError(
                f"{self.name}: {blob_bytes} bytes of blobs; the format ends at {MAX_FILE} bytes"
            )
        # a first size that nearly fits saves the builder from doubling, which copies everything again
        b = Builder(blob_bytes + 128 * len(self.blobs) + (1 << 16))
        tasks = writer.write_list(b, writer.write_task, self.tasks)
        memories = writer.write_list(b, writer.write_memory, self.memories)
        addresses = writer.write_list(b, writer.write_address, self.addresses)
        events = writer.write_list(b, writer.write_event, self.events)
        blobs = writer.write_list(b, writer.write_blob, self.blobs)
        tensors = writer.write_list(b, writer.write_tensor, self.tensors)
        relocs = writer.write_list(b, writer.write_reloc, self.relocs)
        submits = writer.write_list(b, writer.write_submit, self.submits)
        fb.LoadableStart(b)
        fb.LoadableAddVersion(b, writer.write_version(b, self.version))
        fb.LoadableAddTaskList(b, tasks)
        fb.LoadableAddMemoryList(b, memories)
        fb.LoadableAddAddressList(b, addresses)
        fb.LoadableAddEventList(b, events)
        fb.LoadableAddBlobs(b, blobs)
        fb.LoadableAddTensorDescList(b, tensors)
        fb.LoadableAddRelocList(b, relocs)
        fb.LoadableAddSubmitList(b, submits)
        b.Finish(fb.LoadableEnd(b), IDENTIFIER)
        return bytes(b.Output())

    def blob(self, name: str) -> Blob:
        """The blob with this name; ``LoadableError`` when there is none."""
        for blob in self.blobs:
            if blob.name == name:
                return blob
        raise LoadableError(f'{self.name}: there is no blob "{name}"')

    def _check(self, found: list[str]) -> None:
        """Raise for the problems ``found`` before and those of the lists' rules."""
        refuse(f"{self.name}: the loadable cannot run:", itertools.chain(found, problems(self)))


def _read(at: Callable[[int], Any], length: Callable[[], int], read: Callable[[Any], Entry]) -> list[Entry]:
    return [read(at(i)) for i in range(length())]


def _beginning(data: bytes) -> str:
    return f"it begins with {data[:12]!r}" if data else "it is empty"
