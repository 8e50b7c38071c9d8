"""Records: how kernels take their arguments, named fields of int64 and records within records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Record = Any  # a record inside a kernel
Int = Any  # an int64 inside a kernel
Arguments = NDArray[np.void]  # a structured array of one element


def integers(*names: str) -> list[tuple[str, Any]]:
    """Fields of a record."""
    return [(name, np.int64) for name in names]


def one(kind: np.dtype[np.void]) -> Arguments:
    """A kernel's arguments, zeroed."""
    return np.zeros(1, kind)


def fill(record: Any, values: Mapping[str, int]) -> None:
    """Set the named fields of a record."""
    for name, value in values.items():
        record[name] = value
