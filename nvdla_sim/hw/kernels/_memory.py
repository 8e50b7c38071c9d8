"""Memory as kernels see it: addresses that were checked when a launch was prepared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from nvdla_sim.hw.kernels._jit import inlined
from nvdla_sim.hw.kernels._record import Int
from nvdla_sim.hw.kernels._vector import Value


def _pointer_to(kind: Any) -> Any:
    def pointer(_context: object, _address: object) -> tuple[object, Callable[..., Value]]:
        def emit(context: Any, builder: Any, signature: Any, values: Sequence[Value]) -> Value:
            return builder.inttoptr(values[0], context.get_value_type(signature.return_type))

        return types.CPointer(kind)(types.intp), emit

    return intrinsic(pointer)


# p[i] reads or writes the i-th element behind the address
int8_at = _pointer_to(types.int8)
uint8_at = _pointer_to(types.uint8)
int16_at = _pointer_to(types.int16)
int32_at = _pointer_to(types.int32)
int64_at = _pointer_to(types.int64)

ALIGNMENT = 64


def aligned(size: int, kind: Any = np.uint8) -> NDArray[Any]:
    """A zeroed array whose first element lies at a multiple of a cache line."""
    kind = np.dtype(kind)
    raw = np.zeros(size * kind.itemsize + ALIGNMENT, np.uint8)
    first = -address_of(raw) % ALIGNMENT
    return raw[first : first + size * kind.itemsize].view(kind)


def address_of(array: NDArray[Any]) -> int:
    """Where the first element lies."""
    return int(array.__array_interface__["data"][0])


@inlined
def aligned_address(buffer: NDArray[np.uint8]) -> Int:
    """The first multiple of ALIGNMENT inside ``buffer``. Behind its last use there has to be ``in_use``."""
    return (buffer.ctypes.data + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT


@inlined
def in_use(buffer: NDArray[np.uint8]) -> None:
    """Hold a buffer up to here: numba frees it behind the last place where its name stands."""
    buffer[0] = 0
