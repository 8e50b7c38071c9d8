"""The verifier's tables against the schema, and files built to mislead a reader."""

from __future__ import annotations

import struct

import pytest
from flatbuffers import Builder

from nvdla_sim.errors import LoadableError
from nvdla_sim.loadable import verifier
from nvdla_sim.loadable._generated import loadable_generated as fb
from nvdla_sim.loadable.loadable import Loadable
from tests.loadable import schema
from tests.loadable.samples import small_loadable

SIZES = {"ubyte": 1, "ushort": 2, "short": 2, "uint": 4, "int": 4, "ulong": 8, "Version": 3}


def test_the_tables_are_those_of_the_schema() -> None:
    def kind(word: str) -> object:
        return [kind(word[1:-1])] if word.startswith("[") else SIZES.get(word, word)

    tables = schema.tables()
    assert {
        table: [(field, kind(word)) for field, word, _ in fields] for table, fields in tables.items()
    } == {table: list(fields.items()) for table, fields in verifier.TABLES.items()}
    required = {table: {field for field, _, needed in fields if needed} for table, fields in tables.items()}
    assert {table: fields for table, fields in required.items() if fields} == verifier.REQUIRED


def test_the_generated_classes_are_those_of_the_schema() -> None:
    for table, fields in schema.tables().items():
        accessors = {"".join(part.capitalize() for part in field.split("_")) for field, _, _ in fields}
        assert accessors <= set(dir(getattr(fb, table)))


def test_a_good_file_passes() -> None:
    verifier.verify(small_loadable().to_bytes())


def _file() -> tuple[bytearray, int, int]:
    """The small loadable, its root table's place and its vtable's."""
    data = bytearray(small_loadable().to_bytes())
    root = struct.unpack_from("<I", data, 0)[0]
    return data, root, root - struct.unpack_from("<i", data, root)[0]


def _refused(data: bytes | bytearray) -> str:
    with pytest.raises(LoadableError) as caught:
        verifier.verify(bytes(data))
    return str(caught.value)


@pytest.mark.parametrize("offset", [1 << 31, (1 << 32) - 1, 1 << 20])
def test_a_root_outside_the_file(offset: int) -> None:
    data, _, _ = _file()
    struct.pack_into("<I", data, 0, offset)
    assert "outside the file" in _refused(data)


@pytest.mark.parametrize("distance", [-(1 << 31), (1 << 31) - 1])
def test_a_vtable_outside_the_file(distance: int) -> None:
    data, root, _ = _file()
    struct.pack_into("<i", data, root, distance)
    assert _refused(data).startswith("loadable: ")


@pytest.mark.parametrize("size", [0, 2, 11])
def test_a_vtable_of_impossible_size(size: int) -> None:
    # the generated classes would look up a slot that begins within an odd size but ends beyond it
    data, _, vtable = _file()
    struct.pack_into("<H", data, vtable, size)
    assert f"a vtable of {size} bytes" in _refused(data)


def test_a_field_outside_the_file() -> None:
    data, _, vtable = _file()
    struct.pack_into("<H", data, vtable + 4, 0xFFFF)
    assert "loadable.version: 3 bytes" in _refused(data)


def test_a_vector_longer_than_the_file() -> None:
    data, root, vtable = _file()
    at = root + struct.unpack_from("<H", data, vtable + 6)[0]
    vector = at + struct.unpack_from("<I", data, at)[0]
    struct.pack_into("<I", data, vector, 1 << 30)
    assert "loadable.task_list" in _refused(data)


def test_missing_lists_are_told_together() -> None:
    b = Builder(0)
    fb.LoadableStart(b)
    fb.LoadableAddVersion(b, fb.CreateVersion(b, 0, 7, 0))
    b.Finish(fb.LoadableEnd(b), b"NVDA")
    message = _refused(b.Output())
    assert all(f"loadable.{name}" in message for name in verifier.TABLES["Loadable"] if name != "version")
    assert "loadable.version" not in message


def test_a_name_that_is_not_text() -> None:
    data, _, _ = _file()
    at = data.index(b"tb-0")
    data[at] = 0xFF
    assert "not UTF-8" in _refused(data)


# --- files that name the same thing again and again --------------------------------------------------------


def _repeating(names: int = 0, memories: int = 1, blobs: int = 1, blob_size: int = 100) -> bytes:
    """One blob and one memory with ``names`` times the same content, each listed several times."""
    b = Builder(0)
    name = b.CreateString("x" * 1000)
    b.StartVector(4, names, 4)
    for _ in range(names):
        b.PrependUOffsetTRelative(name)
    contents = b.EndVector()
    fb.MemoryListEntryStart(b)
    fb.MemoryListEntryAddContents(b, contents)
    memory = fb.MemoryListEntryEnd(b)
    data = b.CreateByteVector(bytes(blob_size))
    fb.BlobStart(b)
    fb.BlobAddName(b, name)
    fb.BlobAddVersion(b, fb.CreateVersion(b, 0, 0, 0))
    fb.BlobAddData(b, data)
    blob = fb.BlobEnd(b)
    lists = []
    for place, count in ((memory, memories), (blob, blobs), (0, 0)):
        b.StartVector(4, count, 4)
        for _ in range(count):
            b.PrependUOffsetTRelative(place)
        lists.append(b.EndVector())
    memory_list, blob_list, empty = lists
    fb.LoadableStart(b)
    fb.LoadableAddVersion(b, fb.CreateVersion(b, 0, 7, 0))
    fb.LoadableAddMemoryList(b, memory_list)
    fb.LoadableAddBlobs(b, blob_list)
    for add in (
        fb.LoadableAddTaskList, fb.LoadableAddAddressList, fb.LoadableAddEventList,
        fb.LoadableAddTensorDescList, fb.LoadableAddRelocList, fb.LoadableAddSubmitList,
    ):  # fmt: skip
        add(b, empty)
    b.Finish(fb.LoadableEnd(b), b"NVDA")
    return bytes(b.Output())


def test_sharing_a_name_is_allowed() -> None:
    verifier.verify(_repeating(names=10))


def test_repeated_names_are_bounded() -> None:
    assert "more than" in _refused(_repeating(names=2000, memories=200))
    assert "bytes" in _refused(_repeating(names=1000, memories=20))


def test_repeated_entries_are_bounded() -> None:
    assert "more than 131072 entries" in _refused(_repeating(memories=131_072))


def test_overlapping_blobs_are_refused() -> None:
    assert "overlap" in _refused(_repeating(blobs=200, blob_size=5000))


def test_the_verifier_reads_what_loadable_reads() -> None:
    # a file that passes can be walked to its last field without an error
    data = small_loadable().to_bytes()
    verifier.verify(data)
    assert schema.walk(data) == schema.walk(Loadable.from_bytes(data).to_bytes())
