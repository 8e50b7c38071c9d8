"""Reading LMDB files page by page: against the library, and damaged."""

from __future__ import annotations

import os
import random
from contextlib import suppress
from pathlib import Path

import lmdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvdla_sim.calib.datasets.lmdb_file import LmdbFile
from nvdla_sim.errors import ImageError


def database(folder: Path, seed: int, rounds: int, sizes: list[int], count: int) -> dict[bytes, bytes]:
    """A database after several transactions with deletions; returns what it holds."""
    r = random.Random(seed)
    held: dict[bytes, bytes] = {}
    with lmdb.open(str(folder), map_size=1 << 28, sync=False) as environment:
        for _ in range(rounds):
            with environment.begin(write=True) as transaction:
                for _ in range(count):
                    key, value = b"%08d_name" % r.randrange(10**6), os.urandom(r.choice(sizes))
                    transaction.put(key, value)
                    held[key] = value
                for key in list(held)[::4]:
                    transaction.delete(key)
                    del held[key]
    return held


@pytest.mark.parametrize(
    ("rounds", "sizes", "count"),
    [(1, [10], 1), (3, [0, 20], 4000), (3, [100, 2000, 4000, 5000], 100), (2, [70_000], 5), (1, [5], 0)],
)
def test_the_librarys_entries_in_the_order_of_keys(
    tmp_path: Path, rounds: int, sizes: list[int], count: int
) -> None:
    held = database(tmp_path, count, rounds, sizes, count)
    file = LmdbFile(tmp_path / "data.mdb")
    assert [file.read(place) for place in file.places] == sorted(held.items())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    folder = tmp_path_factory.mktemp("db")
    held = database(folder, 1, 2, [50, 5000], 150)
    return (folder / "data.mdb").read_bytes(), sorted(held.items())


def test_cut_files(tmp_path: Path, whole: tuple[bytes, list[tuple[bytes, bytes]]]) -> None:
    content, _ = whole
    path = tmp_path / "data.mdb"
    for size in (0, 1, 4000, 4096, 8191, 8192, 8200, 20_000, len(content) - 4096, len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(ImageError, match=r"data\.mdb: (no LMDB file|cut off)"):
            LmdbFile(path)


@given(
    st.lists(st.tuples(st.integers(0, 60 * 4096), st.binary(min_size=1, max_size=8)), min_size=1, max_size=6),
)
@settings(max_examples=150, deadline=None)
def test_damaged_files_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory,
    whole: tuple[bytes, list[tuple[bytes, bytes]]],
    changes: list[tuple[int, bytes]],
) -> None:
    content = bytearray(whole[0])
    for at, value in changes:
        at %= len(content) - 8
        content[at : at + len(value)] = value
    path = tmp_path_factory.mktemp("db") / "data.mdb"
    path.write_bytes(content)
    with suppress(ImageError):
        file = LmdbFile(path)
        for place in file.places:
            file.read(place)


def test_a_page_that_points_to_its_parent(
    tmp_path: Path, whole: tuple[bytes, list[tuple[bytes, bytes]]]
) -> None:
    """The root's pages replaced by the root: without a check the reader would never end."""
    content = bytearray(whole[0])
    metas = [(int.from_bytes(content[at + 144 : at + 152], "little"), at) for at in (0, 4096)]
    meta = max(metas)[1]
    root = int.from_bytes(content[meta + 128 : meta + 136], "little")
    start = root * 4096
    assert content[start + 10] == 1  # a branch page
    lower = int.from_bytes(content[start + 12 : start + 14], "little")
    for at in range(start + 16, start + lower, 2):
        node = start + int.from_bytes(content[at : at + 2], "little")
        content[node : node + 6] = root.to_bytes(6, "little")
    (tmp_path / "data.mdb").write_bytes(content)
    with pytest.raises(ImageError, match=f"page {root} is reached twice"):
        LmdbFile(tmp_path / "data.mdb")


def test_a_file_that_becomes_shorter(tmp_path: Path, whole: tuple[bytes, list[tuple[bytes, bytes]]]) -> None:
    path = tmp_path / "data.mdb"
    path.write_bytes(whole[0])
    file = LmdbFile(path)
    path.write_bytes(b"")
    with pytest.raises(ImageError, match="cut off"):
        file.read(file.places[0])
    path.unlink()
    with pytest.raises(ImageError, match="No such file"):
        file.read(file.places[0])


def test_databases_of_another_kind(tmp_path: Path) -> None:
    with lmdb.open(str(tmp_path / "named"), max_dbs=1) as environment:
        environment.open_db(b"inner")
    with pytest.raises(ImageError, match="damaged node"):
        LmdbFile(tmp_path / "named" / "data.mdb")
