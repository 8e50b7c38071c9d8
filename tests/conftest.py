"""Where the big golden sets are, and what happens when they are not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.shared import SHARED_GOLDENS

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_configure(config: pytest.Config) -> None:
    # In CI the goldens must be there: a suite that skips its main evidence must not be green.
    if os.environ.get("CI") and not SHARED_GOLDENS.is_dir():
        raise pytest.UsageError(f"CI needs the golden sets, and {SHARED_GOLDENS} is not there")
