"""Reading and writing whole files with the errors that a user needs."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from nvdla_sim.errors import NvdlaError

# What protobuf and flatbuffers can address; no input of ours is larger.
MAX_BYTES = (1 << 31) - 1


def read_bytes(
    path: str | os.PathLike[str], error: type[NvdlaError], what: str, limit: int = MAX_BYTES
) -> bytes:
    """The whole file; ``error`` naming ``what`` and the path when it cannot be read or is above ``limit``."""
    try:
        if Path(path).is_char_device():
            raise error(f"{what} {os.fspath(path)}: a device, which may never end; a file is needed")
        size = Path(path).stat().st_size
        if size > limit:
            raise error(f"{what} {os.fspath(path)}: {size} bytes, allowed: up to {limit}")
        return Path(path).read_bytes()
    except OSError as problem:
        raise error(f"{what} {os.fspath(path)}: {problem.strerror or problem}") from None


def check_places(*paths: str | os.PathLike[str] | None) -> None:
    """``NvdlaError`` before long work for files that will not be writable where they are to be."""
    for path in paths:
        if path is None:
            continue
        folder = Path(path).parent
        if not folder.is_dir():
            raise NvdlaError(f"cannot write {os.fspath(path)}: there is no folder {folder}")
        if Path(path).is_dir():
            raise NvdlaError(f"cannot write {os.fspath(path)}: it is a folder")


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a temporary file beside ``path``, then rename it: the file is there whole or not at all."""
    target = Path(path)
    if not target.name:
        raise NvdlaError(f'cannot write "{os.fspath(path)}": that is no name of a file')
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            # mkstemp makes a private file; give it what a plain open() would have given
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(temporary, 0o666 & ~mask)
            os.replace(temporary, target)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as problem:
        raise NvdlaError(f"cannot write {target}: {problem.strerror or problem}") from None
