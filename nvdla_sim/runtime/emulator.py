"""The operations that NVIDIA's runtime does on the CPU: softmax and power.

Source: compiler-facts section 3; the arithmetic gives every byte of the recorded operations. Softmax passes
its values through half precision, power does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.errors import LoadableError, UnsupportedError
from nvdla_sim.hw.formats import Int8, feature_extent
from nvdla_sim.hw.limits import MAX_ELEMENTS
from nvdla_sim.hw.memory import Ports
from nvdla_sim.hw.surface import Surface
from nvdla_sim.loadable.enums import EmuFormat, EmuOpType
from nvdla_sim.loadable.lists import EmuTask

Float32 = NDArray[np.float32]
Locate = Callable[[int, int], int]

_DRAM = 1
_ATOMS = {EmuFormat.INT8_ATOM_32: 32, EmuFormat.INT8_ATOM_8: 8}


def softmax(values: Int8, in_scale: float, out_scale: float) -> Int8:
    """Softmax over all of ``values`` (one dimension), requantised by truncation.

    v = half(x * in_scale); e = exp(v - max v); p = half(e / sum of e); result = trunc(clamp(p / out_scale)).
    Everything but the two halves is single precision; the sum is taken in order.
    """
    with np.errstate(all="ignore"):
        real = _half(values.astype(np.float32) * np.float32(in_scale))
        # through double precision: numpy's single precision exp differs between processors
        exponentials = np.exp((real - real.max()).astype(np.float64)).astype(np.float32)
        total = np.add.accumulate(exponentials)[-1]
        return _quantise(_half(exponentials / total), out_scale)


def power(
    values: Int8, in_scale: float, out_scale: float, exponent: float, scale: float, shift: float
) -> Int8:
    """Element-wise ``(shift + scale * x) ** exponent`` in single precision, requantised by truncation."""
    with np.errstate(all="ignore"):
        real = values.astype(np.float32) * np.float32(in_scale)
        base = np.float32(shift) + np.float32(scale) * real
        # through double precision, as exp above
        return _quantise(np.power(base.astype(np.float64), exponent).astype(np.float32), out_scale)


def _half(values: Float32) -> Float32:
    return values.astype(np.float16).astype(np.float32)


def _quantise(real: Float32, scale: float) -> Int8:
    """trunc(clamp(real / scale, -128, 127)); what is not a number becomes 0."""
    steps = np.clip(real / np.float32(scale), -128, 127)
    return np.trunc(np.nan_to_num(steps)).astype(np.int8)


@dataclass(frozen=True)
class CpuOperation:
    """An operation bound to memory. ``run`` may be called any number of times; it writes the other two."""

    run: Callable[[], None]
    address: int
    size: int  # bytes
    seconds: float  # about how long it takes


def prepare(task: EmuTask, locate: Locate, ports: Ports, name: str) -> list[CpuOperation]:
    """The task's operations.

    ``locate(address list index, offset)`` gives a bus address. ``name`` is for messages: loadable and task.
    ``LoadableError`` or ``UnsupportedError`` names the operation that cannot run.
    """
    steps = []
    for index, (op, buffers) in enumerate(zip(task.ops, task.buffers, strict=True)):
        kind = EmuOpType(int(op["type"]))
        prepare_one = _prepare_softmax if kind is EmuOpType.SOFTMAX else _prepare_power
        steps.append(prepare_one(op, buffers, locate, ports, f"{name}: operation {index} ({kind.name})"))
    return steps


def _prepare_softmax(
    op: np.void, buffers: NDArray[np.void], locate: Locate, ports: Ports, name: str
) -> CpuOperation:
    scales = float(op["in_scale"]), float(op["out_scale"])
    channels, _, _ = _common_size(buffers, name)
    for buffer in buffers:
        _atom(buffer, name)
    # NVIDIA's emulator takes as many bytes one after the other as there are channels: that is a 1x1 cube
    addresses = [locate(int(buffer["address"]), int(buffer["offset"])) for buffer in buffers]
    source, destination = (ports.dram.view(address, channels).view(np.int8) for address in addresses)
    return CpuOperation(
        run=lambda: np.copyto(destination, softmax(source, *scales)),
        address=addresses[1],
        size=channels,
        seconds=_seconds(channels),
    )


def _prepare_power(
    op: np.void, buffers: NDArray[np.void], locate: Locate, ports: Ports, name: str
) -> CpuOperation:
    factors = tuple(float(op[field]) for field in ("in_scale", "out_scale", "power", "scale", "shift"))
    channels, height, width = _common_size(buffers, name)
    atom = _atom(buffers[0], name)
    if _atom(buffers[1], name) != atom:
        raise LoadableError(f"{name}: source and destination have different formats")
    surfaces = -(-channels // atom)
    elements = surfaces * atom * height * width
    if elements > MAX_ELEMENTS:
        raise UnsupportedError(f"{name}: a cube of {elements} elements, at most {MAX_ELEMENTS} are possible")
    places = [
        Surface(
            locate(int(buffer["address"]), int(buffer["offset"])),
            int(buffer["line_stride"]),
            int(buffer["surf_stride"]),
            _DRAM,
        )
        for buffer in buffers
    ]
    if any(place.overlaps_itself(surfaces, height, width, atom) for place in places):
        raise LoadableError(f"{name}: the lines or surfaces of a cube lie over each other")
    # [surface, y, x, lane]
    source, destination = (place.view(ports, surfaces, height, width, atom).view(np.int8) for place in places)
    lanes = (channels - 1) % atom + 1  # the last surface's other lanes are not written

    def run() -> None:
        result = power(source, *factors)
        destination[:-1] = result[:-1]
        destination[-1, ..., :lanes] = result[-1, ..., :lanes]

    strides = places[1].line_stride, places[1].surf_stride
    extent = feature_extent(channels, height, width, atom, *strides)
    return CpuOperation(run, places[1].address, extent, _seconds(elements))


def _seconds(elements: int) -> float:
    """About how long an operation on so many elements takes; measured on one core at 3 GHz, rounded up."""
    return 1e-3 + 1e-7 * elements


def _common_size(buffers: NDArray[np.void], name: str) -> tuple[int, int, int]:
    """Channels, height and width of source and destination."""
    sizes = [(int(b["channel"]), int(b["height"]), int(b["width"])) for b in buffers]
    if sizes[0] != sizes[1] or min(sizes[0]) < 1:
        raise LoadableError(f"{name}: source {sizes[0]}, destination {sizes[1]} (channels, height, width)")
    return sizes[0]


def _atom(buffer: np.void, name: str) -> int:
    form = int(buffer["format"])
    if form not in _ATOMS:
        allowed = ", ".join(f"{known.name} ({known:d})" for known in _ATOMS)
        raise UnsupportedError(f"{name}: element format {form}: only {allowed} is supported")
    return _ATOMS[EmuFormat(form)]
