"""Golden register programs: npz files of programs with memory before and after, played on the chip.

A file holds many cases: ``meta`` (JSON, as bytes), ``ops`` (rows of code, byte address, value), ``in_bytes``
and ``out_bytes`` (the memory regions of all cases, one after the other). Other memory reads 0.
"""

from __future__ import annotations

import fnmatch
import io
import json
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.errors import ProgramError
from nvdla_sim.hw.chip import Chip, Launch
from nvdla_sim.hw.config import Config, config_named
from nvdla_sim.hw.limits import Allowance
from nvdla_sim.hw.memory import Memory, Ports
from tools.destinations import destinations

WRITE, WAIT, READ, READ_FOR_INFORMATION = 0, 1, 2, 3

# A program may touch memory that its regions do not name; more than this is not a program but a runaway.
SPARE_MEMORY = 64 << 20
_NO_BYTES = np.empty(0, np.uint8)

Executor = Callable[[Launch], Mapping[str, int]]
Engine = Callable[[Config, Ports], Executor]


class Region(NamedTuple):
    """Bytes at an address of one of the two memories: 0 is DRAM, 1 the on-chip SRAM."""

    memory: int
    address: int
    data: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Case:
    """One program: ``ops`` rows are (code, byte address, value), regions are memory before and after."""

    name: str
    config: Config
    engine: str
    ops: NDArray[np.uint32]
    inputs: tuple[Region, ...]
    outputs: tuple[Region, ...]

    @property
    def fp16(self) -> bool:
        return self.engine.endswith("_f16")

    def ports(self) -> Ports:
        """Fresh memory holding the inputs."""
        size = sum(region.data.size for region in (*self.inputs, *self.outputs))
        ports = Ports(
            dram=Memory(grow_limit=size + SPARE_MEMORY), sram=Memory(grow_limit=size + SPARE_MEMORY)
        )
        _store(ports, self.inputs)
        return ports


def load(path: Path, match: str = "*") -> list[Case]:
    """The cases of one file whose name fits the shell pattern; ``ProgramError`` if it is no such file."""
    try:
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):  # numpy would speak of pickles
                raise zipfile.BadZipFile("it is no npz archive")
        with np.load(path) as arrays:
            rows = [row for row in json.loads(bytes(arrays["meta"])) if fnmatch.fnmatch(row["name"], match)]
            if not rows:
                return []
            ops, before, after = (arrays[name] for name in ("ops", "in_bytes", "out_bytes"))
        return [
            Case(
                name=row["name"],
                config=config_named(row["config"]),
                engine=row["engine"],
                ops=ops[slice(*row["ops"])],
                inputs=tuple(_region(before, *place) for place in row["inputs"]),
                outputs=tuple(_region(after, *place) for place in row["outputs"]),
            )
            for row in rows
        ]
    except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile, zlib.error) as problem:
        raise ProgramError(f"{path} is not a file of golden programs: {problem}") from None


def pack(cases: Sequence[Case]) -> bytes:
    """A file of these cases, all in memory."""
    meta: list[dict[str, Any]] = []
    ops_end = 0
    streams: dict[str, list[NDArray[np.uint8]]] = {"inputs": [], "outputs": []}
    ends = {"inputs": 0, "outputs": 0}
    for case in cases:
        row: dict[str, Any] = {"name": case.name, "config": case.config.name, "engine": case.engine}
        row["ops"] = [ops_end, ops_end := ops_end + len(case.ops)]
        for side, regions in (("inputs", case.inputs), ("outputs", case.outputs)):
            row[side] = []
            for memory, address, data in regions:
                row[side].append([memory, address, ends[side], data.size])
                streams[side].append(data)
                ends[side] += data.size
        meta.append(row)
    file = io.BytesIO()
    np.savez_compressed(
        file,
        meta=np.frombuffer(json.dumps(meta).encode(), np.uint8),
        ops=np.concatenate([case.ops for case in cases]),
        in_bytes=np.concatenate([_NO_BYTES, *streams["inputs"]]),
        out_bytes=np.concatenate([_NO_BYTES, *streams["outputs"]]),
    )
    return file.getvalue()


def _region(data: NDArray[np.uint8], memory: int, address: int, offset: int, size: int) -> Region:
    return Region(memory, address, data[offset : offset + size])


def _store(ports: Ports, regions: tuple[Region, ...]) -> None:
    for memory, address, data in regions:
        ports[memory].view(address, data.size)[:] = data


def play(case: Case, engine: Engine) -> list[str]:
    """What went otherwise than on the chip, empty if nothing did.

    Compared are the reads that count and all memory that the case names: outputs must be there, inputs
    elsewhere must have stayed. ``NvdlaError`` when the chip refuses the program or would wait forever.
    """
    ports = case.ports()
    launches: list[Launch] = []
    execute = engine(case.config, ports)

    def note_and_execute(launch: Launch) -> Mapping[str, int]:
        launches.append(launch)
        return execute(launch)

    problems = _run(case, Chip(case.config, ports, Allowance().limiting(case.config, note_and_execute)))
    expected = case.ports()
    _store(expected, case.outputs)
    # an output's bytes before are an input at the same place
    regions = {(region.memory, region.address): region for region in (*case.inputs, *case.outputs)}
    for region in regions.values():
        wanted, got = (p[region.memory].view(region.address, region.data.size) for p in (expected, ports))
        if not np.array_equal(wanted, got):
            problems.append(_difference(case, launches, region, wanted, got))
    return problems


def _run(case: Case, chip: Chip) -> list[str]:
    problems = []
    for index, (code, address, value) in enumerate(case.ops.tolist()):
        if code == WRITE:
            chip.csb_write(address, value)
        elif code == WAIT:
            chip.wait(value)
        elif code == READ:
            got = chip.csb_read(address)
            if got != value:
                unit, register = chip.registers.decode(address)
                problems.append(f"op {index}: {unit}.{register} reads {got}, the chip gave {value}")
        elif code == READ_FOR_INFORMATION:
            chip.csb_read(address)  # it may have an effect: a table's address moves on
        else:
            raise ProgramError(f"{case.name} op {index}: code {code} is not known: 0 .. 3 is allowed")
    return problems


def _difference(
    case: Case, launches: list[Launch], region: Region, wanted: NDArray[np.uint8], got: NDArray[np.uint8]
) -> str:
    differing = np.flatnonzero(wanted != got)
    first = int(differing[0])
    address = region.address + first
    element = _element(case.config, launches, region.memory, address)
    return (
        f"{('DRAM', 'SRAM')[region.memory]} 0x{address:x}, {element}: 0x{got[first]:02x}, the chip has "
        f"0x{wanted[first]:02x} ({differing.size} of {wanted.size} bytes from 0x{region.address:x} differ)"
    )


def _element(config: Config, launches: list[Launch], memory: int, address: int) -> str:
    """Which element of a launch's destination the byte belongs to, in words."""
    for number in range(len(launches) - 1, -1, -1):
        for destination in destinations(config, launches[number]):
            element = destination.element(memory, address)
            if element is not None:
                return f"(c, y, x) = {element} of launch {number}'s {destination}"
    return "outside every destination cube"
