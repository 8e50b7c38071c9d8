"""Where compiled kernels are kept, and what happens where they cannot be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nvdla_sim.hw.kernels import _jit

PROGRAM = """
import numpy as np
from nvdla_sim.hw.kernels import _jit

@_jit.kernel()
def count(ops):
    ops[0] += 1

numbers = np.zeros(1, np.int64)
count(numbers)
print(numbers[0], sum(count.stats.cache_hits.values()))
"""
VARIABLES = ("NVDLA_SIM_CACHE_DIR", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME")


def run(**environment: str) -> list[str]:
    """What the kernel counted, and how many compiled forms came from the cache."""
    base = {k: v for k, v in os.environ.items() if k not in VARIABLES}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=base | environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_second_process_loads_what_the_first_one_compiled(tmp_path: Path) -> None:
    assert run(NVDLA_SIM_CACHE_DIR=str(tmp_path)) == ["1", "0"]
    (directory,) = tmp_path.iterdir()
    assert directory.stat().st_mode & 0o077 == 0
    assert run(NVDLA_SIM_CACHE_DIR=str(tmp_path)) == ["1", "1"]
    for file in directory.glob("*.nbc"):
        file.write_bytes(file.read_bytes()[:100])
    assert run(NVDLA_SIM_CACHE_DIR=str(tmp_path)) == ["1", "0"]


def test_nothing_is_kept_where_nothing_can_be_written() -> None:
    assert run(NVDLA_SIM_CACHE_DIR="/proc/nvdla") == ["1", "0"]
    assert run(HOME="/proc", NVDLA_SIM_CACHE_DIR="") == ["1", "0"]


def directory(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Path | None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return _jit._cache_directory.__wrapped__()


def test_the_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = str(tmp_path / "first"), str(tmp_path / "second")
    found = directory(monkeypatch, NVDLA_SIM_CACHE_DIR=first, NUMBA_CACHE_DIR=second, XDG_CACHE_HOME=second)
    assert found is not None
    assert found.parent == Path(first)
    found = directory(monkeypatch, NUMBA_CACHE_DIR=first, XDG_CACHE_HOME=second)
    assert found is not None
    assert found.parent == Path(first)
    found = directory(monkeypatch, XDG_CACHE_HOME=first, HOME=second)
    assert found is not None
    assert found.parent == Path(first) / "nvdla-sim"
    found = directory(monkeypatch, HOME=second)
    assert found is not None
    assert found.parent == Path(second) / ".cache" / "nvdla-sim"


def test_an_edit_in_any_source_makes_a_new_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = tmp_path / "kernels"
    sources.mkdir()
    (sources / "_jit.py").write_text("a = 1\n")
    (sources / "other.py").write_text("b = 1\n")
    monkeypatch.setattr(_jit, "__file__", str(sources / "_jit.py"))
    before = directory(monkeypatch, NVDLA_SIM_CACHE_DIR=str(tmp_path / "cache"))
    (sources / "other.py").write_text("b = 2\n")
    after = directory(monkeypatch, NVDLA_SIM_CACHE_DIR=str(tmp_path / "cache"))
    assert None not in (before, after)
    assert before != after


def caches(root: Path, count: int) -> list[Path]:
    """Directories as the cache has them, the first one used last."""
    made = [root / f"kernels-{number:016x}" for number in range(count)]
    for age, path in enumerate(made):
        path.mkdir(parents=True)
        for name in ("x.nbi", "x.1.nbc", "x.nbi.tmp.7f", ".probe-12"):
            (path / name).write_bytes(b"x")
        os.utime(path, (1e9 - age, 1e9 - age))
    return made


def test_a_new_place_drops_those_that_were_used_longest_ago(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = caches(tmp_path, _jit.KEPT + 3)
    new = directory(monkeypatch, NVDLA_SIM_CACHE_DIR=str(tmp_path))
    assert {*tmp_path.iterdir()} == {new, *old[: _jit.KEPT - 1]}
    other = tmp_path / f"kernels-{100:016x}"
    other.mkdir()
    assert directory(monkeypatch, NVDLA_SIM_CACHE_DIR=str(tmp_path)) == new
    assert len([*tmp_path.iterdir()]) == _jit.KEPT + 1  # nothing was made, nothing dropped


def test_only_what_is_ours_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = caches(tmp_path, _jit.KEPT + 4)
    foreign, named, linked, gone = old[_jit.KEPT :]
    (foreign / "letter.txt").write_text("mine")
    named = named.rename(tmp_path / "kernels-of-somebody")
    elsewhere = linked.rename(tmp_path / "elsewhere")
    linked.symlink_to(elsewhere)
    assert directory(monkeypatch, NVDLA_SIM_CACHE_DIR=str(tmp_path)) is not None
    assert len([*foreign.iterdir()]) == 5
    assert len([*named.iterdir()]) == len([*elsewhere.iterdir()]) == 4
    assert linked.is_symlink()
    assert not gone.exists()


def test_somebody_else_may_drop_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = caches(tmp_path, _jit.KEPT + 2)
    unlink = os.unlink

    def twice(path: str) -> None:
        unlink(path)
        unlink(path)

    monkeypatch.setattr(os, "unlink", twice)
    _jit._drop_oldest(tmp_path)
    assert {*tmp_path.iterdir()} == {*old[: _jit.KEPT]}
