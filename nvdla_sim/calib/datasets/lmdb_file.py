"""The entries of an LMDB file in the order of their keys, read without the library.

The library maps the file and follows its page numbers: a file that is cut off or damaged ends the process.
Here every page, node and size is checked before it is used.

Source: LMDB 0.9, mdb.c: MDB_page, MDB_meta, MDB_db, MDB_node of a 64-bit little endian machine.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from nvdla_sim.errors import ImageError

MAGIC, VERSION = 0xBEEFC0DE, 1
PAGE_HEADER = struct.Struct("<QHHHH")  # number, pad, flags, lower, upper
META = struct.Struct(
    "<IIQQ 48s IHHQQQQQ QQ"
)  # ..., free pages' database, main database, last page, transaction
NODE = struct.Struct("<HHHH")  # size low, size high, flags, size of the key
BRANCH, LEAF, OVERFLOW = 1, 2, 4
BIG_DATA = 1
NO_PAGE = (1 << 64) - 1
PAGE_SIZES = [1 << bits for bits in range(8, 17)]


class Place(NamedTuple):
    """Where in the file a key and its value are, in bytes."""

    key: int
    key_size: int
    value: int
    value_size: int


class LmdbFile:
    """``places`` of all entries; ``ImageError`` telling what is wrong with the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                self._size = os.fstat(file.fileno()).st_size
                self._file = file
                self.places = list(self._all())
        except OSError as problem:
            raise ImageError(f"lmdb {path}: {problem.strerror}") from None
        del self._file

    def read(self, place: Place) -> tuple[bytes, bytes]:
        """Key and value; ``ImageError`` when the file has become shorter."""
        try:
            with self.path.open("rb") as file:
                file.seek(place.key)
                key = file.read(place.key_size)
                file.seek(place.value)
                value = file.read(place.value_size)
        except OSError as problem:
            raise ImageError(f"lmdb {self.path}: {problem.strerror}") from None
        if len(value) < place.value_size:
            raise ImageError(f"lmdb {self.path}: cut off")
        return key, value

    def _all(self) -> Iterator[Place]:
        self._page_size, flags, entries, root, last_page = self._newest_meta()
        if flags:
            self._fail(f"database flags {flags:#x} are not those of a plain database")
        if (last_page + 1) * self._page_size > self._size:
            self._fail(f"cut off, {self._size} of {(last_page + 1) * self._page_size} bytes are there")
        count = 0
        if root != NO_PAGE:
            seen: set[int] = set()
            pending = [root]
            while pending:
                number = pending.pop()
                if number in seen:
                    self._fail(f"page {number} is reached twice")
                seen.add(number)
                page, kind = self._page(number)
                if kind == BRANCH:
                    pending += reversed([_child(page, at) for at in self._nodes(page, number)])
                elif kind == LEAF:
                    for at in self._nodes(page, number):
                        yield self._place(page, number, at)
                        count += 1
                else:
                    self._fail(f"page {number} is of the unknown kind {kind:#x}")
        if count != entries:
            self._fail(f"{count} entries are there, its header tells {entries}")

    def _newest_meta(self) -> tuple[int, int, int, int, int]:
        """Page size, flags, entries and root of the main database, last page: of the newer of two headers."""
        found = []
        page_size = 0
        for page in (0, 1):
            self._file.seek(page * page_size + PAGE_HEADER.size)
            data = self._file.read(META.size)
            if len(data) < META.size:
                break
            magic, version, _, _, free, _, flags, _, _, _, _, entries, root, last, txn = META.unpack(data)
            if magic != MAGIC or version != VERSION:
                break
            page_size = page_size or struct.unpack_from("<I", free)[0]
            if page_size not in PAGE_SIZES:
                break
            found.append((txn, (page_size, flags, entries, root, last)))
        if len(found) < 2:
            self._fail("no LMDB file of format 1, or damaged")
        return max(found)[1]

    def _page(self, number: int) -> tuple[bytes, int]:
        """A page's bytes and flags."""
        if not 2 <= number < self._size // self._page_size:
            self._fail(f"page {number} is not in the file")
        self._file.seek(number * self._page_size)
        page = self._file.read(self._page_size)
        own, _, flags, _, _ = PAGE_HEADER.unpack_from(page)
        if own != number:
            self._fail(f"page {number} says it is page {own}")
        return page, flags

    def _nodes(self, page: bytes, number: int) -> tuple[int, ...]:
        """The places of a page's nodes in it."""
        lower, upper = PAGE_HEADER.unpack_from(page)[3:]
        if not PAGE_HEADER.size <= lower <= upper <= len(page):
            self._fail(f"page {number} is damaged")
        nodes = struct.unpack_from(f"<{(lower - PAGE_HEADER.size) // 2}H", page, PAGE_HEADER.size)
        if any(at < upper or at + NODE.size > len(page) for at in nodes):
            self._fail(f"page {number} has a node outside of it")
        return nodes

    def _place(self, page: bytes, number: int, at: int) -> Place:
        low, high, flags, key_size = NODE.unpack_from(page, at)
        key, size = at + NODE.size, low | high << 16
        value, start = key + key_size, number * self._page_size
        in_page = 8 if flags == BIG_DATA else size
        if flags & ~BIG_DATA or value + in_page > len(page):
            self._fail(f"page {number} has a damaged node")
        if flags != BIG_DATA:
            return Place(start + key, key_size, start + value, size)
        first = struct.unpack_from("<Q", page, value)[0]
        if self._page(first)[1] != OVERFLOW:
            self._fail(f"page {first} is no overflow page")
        data = first * self._page_size + PAGE_HEADER.size
        if data + size > self._size:
            self._fail("an entry is cut off")
        return Place(start + key, key_size, data, size)

    def _fail(self, problem: str) -> None:
        raise ImageError(f"lmdb {self.path}: {problem}")


def _child(page: bytes, at: int) -> int:
    """The page number in a branch page's node."""
    low, high, top, _ = NODE.unpack_from(page, at)
    return low | high << 16 | top << 32
