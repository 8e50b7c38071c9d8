"""How the kernels are compiled, and where the machine code is kept from one process to the next.

Numba's own cache does not see an edit in another file than the function's, and writes beside the source. Here
the cache is a directory per user whose name carries a hash of all kernel sources, the versions of the
compiler and the CPU it compiles for; where no directory can be written the kernels are compiled in each
process. Those that were used last are kept, for the environments and machines that share a home.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator
from numba.core.registry import cpu_target

from nvdla_sim.hw.kernels._record import Arguments

KEPT = 8  # cache directories in one place

_DIRECTORY = re.compile(r"kernels-[0-9a-f]{16}")
_FILE = re.compile(r"\.probe-\d+|.*\.nb[ci](\.tmp\..*)?")

part = numba.njit(nogil=True, error_model="numpy")
"""A function that kernels call: compiled once for all of them."""

inlined = numba.njit(nogil=True, error_model="numpy", inline="always")
"""A function that is called in one place only: it becomes part of its caller, which is quicker to compile."""


def kernel(variant: str = "") -> Callable[[Any], Callable[[Arguments], None]]:
    """A compiled function that Python calls: compiled when it is first called, kept in the cache.

    ``variant`` tells the kernels apart that one piece of source text makes.
    """

    def compiled(function: Any) -> Callable[[Arguments], None]:
        dispatcher: Any = part(function)
        if _cache_directory() is not None:
            function.__qualname__ = f"{function.__name__}{variant}"
            dispatcher._cache = _Cache(function)
        return dispatcher

    return compiled


@functools.cache
def target() -> tuple[str, str, frozenset[str]]:
    """What numba compiles for, its overrides included: triple, CPU name, features such as "avx512vnni"."""
    triple, cpu, features = cpu_target.target_context.codegen().magic_tuple()
    return triple, cpu, frozenset(f[1:] for f in features.split(",") if f.startswith("+"))


@functools.cache
def _cache_directory() -> Path | None:
    """The directory for these sources, this compiler and this CPU; None where none can be made."""
    root = next(
        (os.environ[v] for v in ("NVDLA_SIM_CACHE_DIR", "NUMBA_CACHE_DIR") if os.environ.get(v)), None
    )
    if root is None:
        home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
        root = os.path.join(home, "nvdla-sim")
    sources = sorted(Path(__file__).parent.glob("*.py"))
    if not sources or not os.path.isabs(root):
        return None
    triple, cpu, features = target()
    versions = (sys.version, numba.__version__, llvmlite.__version__, triple, cpu, *sorted(features))
    digest = hashlib.sha256("\n".join(versions).encode())
    for source in sources:
        digest.update(source.read_bytes())
    directory = Path(root) / f"kernels-{digest.hexdigest()[:16]}"
    try:
        new = not directory.exists()
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = directory / f".probe-{os.getpid()}"  # the directory's time tells when it was last used
        probe.touch()
        probe.unlink()
    except OSError:
        return None
    if new:
        _drop_oldest(directory.parent)
    return directory


def _drop_oldest(root: Path) -> None:
    """Remove all but the ``KEPT`` caches that were used last; only what has our names, file by file.

    A process that uses one of those compiles anew what it has not loaded yet. Others may do the same here.
    """
    ours = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(root):
            with contextlib.suppress(OSError):
                if _DIRECTORY.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                    ours.append((entry.stat().st_mtime_ns, entry.path))
    for _, path in sorted(ours, reverse=True)[KEPT:]:
        with contextlib.suppress(OSError):
            names = os.listdir(path)
            if all(map(_FILE.fullmatch, names)):
                for name in names:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(os.path.join(path, name))
                os.rmdir(path)


class _Locator(_CacheLocator):
    def __init__(self, function: object, file: str) -> None:
        self._py_file = file  # numba names it in a warning

    def get_cache_path(self) -> str:
        return str(_cache_directory())

    def get_source_stamp(self) -> str:
        return ""  # the directory's name is the stamp

    def get_disambiguator(self) -> str:
        return "nvdla"

    @classmethod
    def from_function(cls, py_func: object, py_file: str) -> _Locator:
        return cls(py_func, py_file)


class _CacheImpl(CompileResultCacheImpl):
    def __init__(self, function: object) -> None:
        self._locator_classes = [_Locator]
        super().__init__(function)


class _Cache(FunctionCache):
    """One kernel's cache. A cache that cannot be read or written is no reason to fail."""

    _impl_class = _CacheImpl

    def _index_key(self, sig: object, codegen: object) -> object:
        return sig  # all else is in the directory's name

    def load_overload(self, sig: object, target_context: object) -> object:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # a damaged file raises whatever its bytes lead to
            return None

    def save_overload(self, sig: object, data: object) -> None:
        try:
            super().save_overload(sig, data)
        except OSError:
            self.disable()
