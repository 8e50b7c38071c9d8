"""Reading and writing whole loadables."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvdla_sim.errors import LoadableError, NvdlaError
from nvdla_sim.loadable.entries import Address, Blob, Event, MemoryEntry, Reloc, Submit, Task, Tensor
from nvdla_sim.loadable.enums import MemoryFlags
from nvdla_sim.loadable.loadable import Loadable
from tests.loadable.samples import small_loadable
from tests.loadable.schema import walk
from tests.shared import golden_paths, golden_set

# --- round trips -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("group", ["loadables", "lenet-mnist", "recipes", "kmd"])
def test_every_golden_comes_back_whole(group: str) -> None:
    golden_set(group)
    paths = golden_paths(f"{group}/**/*.nvdla")
    lost = [str(path) for path in paths if not _comes_back(path)]
    assert paths
    assert not lost


def _comes_back(path: Path) -> bool:
    data = path.read_bytes()
    loadable = Loadable.from_bytes(data)
    written = loadable.to_bytes()
    return walk(written) == walk(data) and Loadable.from_bytes(written) == loadable


def test_a_blob_is_a_view_of_the_file() -> None:
    data = small_loadable().to_bytes()
    blob = Loadable.from_bytes(data).blob("tb-0")
    assert np.shares_memory(blob.data, np.frombuffer(data, np.uint8))
    assert not blob.data.flags.writeable


def test_the_written_file_is_what_other_readers_expect() -> None:
    data = small_loadable().to_bytes()
    assert data[4:8] == b"NVDA"
    seen = walk(data)
    assert seen["version"] == (0, 7, 0)
    assert seen["reloc_list"] == []
    assert [blob["size"] for blob in seen["blobs"]] == [len(blob["data"]) for blob in seen["blobs"]]


def test_save_and_load(tmp_path: Path) -> None:
    loadable = small_loadable()
    loadable.save(tmp_path / "small.nvdla")
    again = Loadable.load(tmp_path / "small.nvdla")
    assert again == loadable
    assert again.name == str(tmp_path / "small.nvdla")


def test_loadables_differ_by_a_byte_of_a_blob() -> None:
    one, other = small_loadable(), small_loadable()
    assert one == other
    other.blobs[0].data = other.blobs[0].data.copy()
    other.blobs[0].data[-1] ^= 1
    assert one != other


u8, u16, u32, u64 = (st.integers(0, (1 << bits) - 1) for bits in (8, 16, 32, 64))
versions = st.tuples(u8, u8, u8)
names = st.text(st.characters(codec="utf-8"), max_size=12)


@st.composite
def loadables(draw: st.DrawFn) -> Loadable:
    """Loadables that keep the rules; all that no rule is about is any value of its type."""
    blobs = [
        Blob(
            name, draw(u32), draw(u32), draw(versions), np.frombuffer(draw(st.binary(max_size=40)), np.uint8)
        )
        for name in draw(st.lists(names, max_size=4, unique=True))
    ]
    tensor_count = draw(st.integers(1, 3))
    memories = []
    bound = {MemoryFlags.INPUT: 0, MemoryFlags.OUTPUT: 0}
    for i in range(draw(st.integers(1, 5))):
        direction = draw(st.sampled_from([MemoryFlags.NONE, MemoryFlags.INPUT, MemoryFlags.OUTPUT]))
        bind_id = draw(u16)
        if direction:
            bind_id, bound[direction] = bound[direction], bound[direction] + 1
        memory = MemoryEntry(
            i, draw(st.integers(0, 1)), direction | MemoryFlags.ALLOC, draw(st.integers(100, 10_000)),
            draw(u32), bind_id=bind_id, tensor_desc_id=draw(st.integers(0, tensor_count - 1)),
        )  # fmt: skip
        if blobs and not direction and draw(st.booleans()):
            memory.flags |= MemoryFlags.SET
            memory.contents = [draw(st.sampled_from(blobs)).name]
            memory.offsets = [draw(st.integers(0, memory.size - 40))]
        memories.append(memory)
    places = st.integers(0, len(memories) - 1)
    addresses = [
        Address(i, mem_id, draw(st.integers(0, memories[mem_id].size)), draw(u64))
        for i, mem_id in enumerate(draw(st.lists(places, min_size=1, max_size=4)))
    ]
    tasks = [
        Task(
            i, draw(st.integers(1, 2)), draw(st.integers(-(1 << 15), (1 << 15) - 1)),
            draw(st.lists(st.integers(0, len(addresses) - 1), max_size=5)),
            draw(st.lists(u16, max_size=3)), draw(st.lists(u16, max_size=3)),
        )
        for i in range(draw(st.integers(1, 3)))
    ]  # fmt: skip
    tensors = [
        Tensor(
            draw(names), i, draw(places), 90, draw(st.integers(0, 10)),
            *(draw(u8) for _ in range(5)), *(draw(st.integers(1, 3)) for _ in range(4)),
            tuple(draw(u32) for _ in range(8)),
        )
        for i in range(tensor_count)
    ]  # fmt: skip
    return Loadable(
        version=draw(versions),
        tasks=tasks,
        memories=memories,
        addresses=addresses,
        events=draw(st.lists(st.builds(Event, u16, u8, u16, u32, u8), max_size=3)),
        blobs=blobs,
        tensors=tensors,
        relocs=draw(st.lists(st.builds(Reloc, u16, u16, u64, u32, u32, u8), max_size=3)),
        submits=[
            Submit(draw(u16), draw(st.lists(st.integers(0, len(tasks) - 1), max_size=3)))
            for _ in range(draw(st.integers(1, 3)))
        ],
    )


@settings(max_examples=80, deadline=None)
@given(loadables())
def test_any_loadable_comes_back_whole(loadable: Loadable) -> None:
    assert Loadable.from_bytes(loadable.to_bytes()) == loadable


# --- files that are none -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "beginning"),
    [
        (b"", "it is empty"),
        (b"NV", "begins with"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(500), "JFIF"),
        (b'name: "LeNet"\ninput: "data"\n' * 20, "name"),
        (bytes(1000), "begins with"),
    ],
)
def test_an_unrelated_file_is_told_from_a_damaged_one(data: bytes, beginning: str) -> None:
    with pytest.raises(LoadableError, match=r"x\.nvdla: not a loadable") as caught:
        Loadable.from_bytes(data, "x.nvdla")
    assert beginning in str(caught.value)


def test_every_truncation_is_refused() -> None:
    data = small_loadable().to_bytes()
    for size in range(8, len(data), 7):
        with pytest.raises(LoadableError, match="damaged or cut short"):
            Loadable.from_bytes(data[:size])


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(LoadableError, match=r"none\.nvdla"):
        Loadable.load(tmp_path / "none.nvdla")


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(NvdlaError, match="cannot write"):
        small_loadable().save(tmp_path / "no" / "such.nvdla")


def test_a_blob_whose_size_field_lies() -> None:
    data = bytearray(small_loadable().to_bytes())
    size = (128).to_bytes(8, "little")
    assert data.count(size) > 1  # the blob's field and others of the same value
    refused = 0
    for at in [i for i in range(len(data)) if data[i : i + 8] == size]:
        wrong = copy.copy(data)
        wrong[at] = 127
        try:
            Loadable.from_bytes(bytes(wrong))
        except LoadableError as problem:
            refused += 'blob "tb-0": size 127, but 128 bytes of data' in str(problem)
    assert refused == 1


def test_what_cannot_be_read_is_not_written() -> None:
    loadable = small_loadable()
    loadable.submits = []
    loadable.tasks[0].id = 5
    with pytest.raises(LoadableError) as caught:
        loadable.to_bytes()
    assert "there is no submit" in str(caught.value)
    assert "task 0 has id 5" in str(caught.value)


def test_a_blob_that_is_not_there() -> None:
    with pytest.raises(LoadableError, match='no blob "tb-9"'):
        small_loadable().blob("tb-9")


# --- mutated files -----------------------------------------------------------------------------------------


def _mutants(data: bytes, count: int, seed: int) -> Any:
    """Files with one to four damaged places: a flipped bit, a random byte, an extreme number."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        wrong = bytearray(data)
        for _ in range(random.integers(1, 5)):
            at = int(random.integers(0, len(wrong) - 4))
            kind = random.integers(0, 4)
            if kind == 0:
                wrong[at] ^= 1 << int(random.integers(0, 8))
            elif kind == 1:
                wrong[at] = int(random.integers(0, 256))
            elif kind == 2:
                wrong[at : at + 2] = b"\xff\xff"
            else:
                wrong[at : at + 4] = int(random.choice([0, 1 << 31, (1 << 32) - 1, len(wrong)])).to_bytes(
                    4, "little"
                )
        yield bytes(wrong)


def _structure(data: bytes) -> bytes:
    """The file with its large blobs made small, so that damage hits the container."""
    loadable = Loadable.from_bytes(data)
    for blob in loadable.blobs:
        blob.data = blob.data[:8]
    for memory in loadable.memories:
        memory.offsets = [0] * len(memory.contents)
    return loadable.to_bytes()


def test_a_mutated_file_is_refused_or_valid() -> None:
    data = _structure(small_loadable().to_bytes())
    outcomes = {"refused": 0, "valid": 0}
    for wrong in _mutants(data, 4000, seed=1):
        try:
            loadable = Loadable.from_bytes(wrong)
        except LoadableError:
            outcomes["refused"] += 1
        else:
            outcomes["valid"] += 1
            assert Loadable.from_bytes(loadable.to_bytes()) == loadable
    # both must be common, else the mutations do not reach what they should
    assert min(outcomes.values()) > 200
