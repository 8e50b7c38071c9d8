"""Access to the golden sets that live beside the repository, and to the small committed selection."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
SHARED_GOLDENS = Path(os.environ.get("NVDLA_SIM_GOLDENS", TESTS.parent.parent / "shared" / "goldens"))
COMMITTED_GOLDENS = TESTS / "goldens"


def golden_set(name: str) -> Path:
    """The folder or file ``name`` of the golden sets; where it is not there the test is skipped by name."""
    path = SHARED_GOLDENS / name
    if not path.exists():
        pytest.skip(f"golden set {name} is not on this machine")
    return path


def golden_paths(pattern: str) -> list[Path]:
    """All files of the golden sets that match a glob pattern, sorted; empty where the sets are not there."""
    return sorted(SHARED_GOLDENS.glob(pattern)) if SHARED_GOLDENS.is_dir() else []
