"""Reading .npy and .npz files of which nothing is known yet."""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.errors import NvdlaError

MAX_BYTES = 4 << 30


def map_npy(path: str | os.PathLike[str], error: type[NvdlaError], what: str) -> NDArray[Any]:
    """The array in a .npy file; ``error`` naming ``what`` and the path when it is damaged.

    It is mapped, so that a header cannot ask for more than the file has.
    """
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError, EOFError, OverflowError) as problem:
        raise error(f"{what} {os.fspath(path)}: not a readable .npy file of numbers ({problem})") from None


def read_npz(path: str | os.PathLike[str], error: type[NvdlaError], what: str) -> dict[str, NDArray[Any]]:
    """All arrays of the file; ``error`` naming ``what`` and the path when it is damaged or too big."""
    where = f"{what} {os.fspath(path)}"
    try:
        with zipfile.ZipFile(path) as archive:
            total = sum(info.file_size for info in archive.infolist())
            if total > MAX_BYTES:
                raise error(f"{where}: {total} bytes unpacked, allowed: up to {MAX_BYTES}")
            for info in archive.infolist():
                _check_size(archive, info)
        with np.load(path, allow_pickle=False) as content:
            return {name: content[name] for name in content.files}
    except (
        OSError,
        ValueError,
        EOFError,
        KeyError,
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
    ) as problem:
        raise error(f"{where}: not a readable .npz file of numbers ({problem})") from None


def _check_size(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
    """An array must have the size that its own header tells, before memory is taken for it."""
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(member)
        else:
            shape, _, dtype = np.lib.format.read_array_header_2_0(member)
        if member.tell() + math.prod(shape) * dtype.itemsize != info.file_size:
            raise ValueError(f"{info.filename} is not as long as its header says")
