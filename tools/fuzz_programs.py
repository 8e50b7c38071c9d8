"""Register programs for the fuzzer: golden ones with some writes or bytes changed, run by the chip."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import numpy as np

from nvdla_sim.errors import NvdlaError
from nvdla_sim.hw.chip import Chip
from nvdla_sim.hw.limits import Allowance
from nvdla_sim.hw.memory import Bytes, Memory, Ports
from nvdla_sim.hw.registers import register_map
from tools.fuzz_support import Finding, executor_of, guarded, other_bytes, other_number
from tools.golden_programs import READ, WAIT, WRITE, Case, Region, load, pack

PAGE = 4096


@dataclass(frozen=True)
class ProgramCase:
    """A program. ``portable``: by the portable kernels. ``grows``: memory is mapped on demand."""

    seed: str
    program: Case
    portable: bool
    grows: bool

    def play(self, engines: Sequence[str]) -> None:
        """Run by each engine; refusals, reads and the memory afterwards must be the same."""
        traces = {engine: _attempt(self, engine) for engine in engines}
        (name, first), *others = traces.items()
        for other_name, other in others:
            if first.refused is None and other.refused is None:
                difference = first.difference(other)
            elif (first.refused is None) != (other.refused is None) or first.ops != other.ops:
                difference = "refused by one engine only, or at another place"
            else:
                difference = None
            if difference is not None:
                told = "\n".join(f"{e}: {trace}" for e, trace in ((name, first), (other_name, other)))
                raise Finding(f"{difference}\n{told}")
        if first.refused is not None:
            raise first.refused

    def save(self, path: Path) -> Path:
        path = path.with_suffix(".npz")
        path.write_bytes(pack([self.program]))
        return path


@dataclass
class Trace:
    """What running a program led to. ``ops``: how many were done."""

    ops: int
    refused: NvdlaError | None
    reads: list[int]
    memory: list[tuple[str, int, Bytes]]

    def difference(self, other: Trace) -> str | None:
        if self.reads != other.reads:
            return f"reads differ: {self.reads} and {other.reads}"
        for (port, base, mine), (_, _, its) in zip(self.memory, other.memory, strict=True):
            if mine.size != its.size:
                return f"{port} from 0x{base:x}: {mine.size} and {its.size} bytes are mapped"
            different = np.flatnonzero(mine != its)
            if different.size:
                at = int(different[0])
                return f"{port} 0x{base + at:x}: {mine[at]} and {its[at]}; {different.size} bytes differ"
        return None

    def __str__(self) -> str:
        return (
            "runs"
            if self.refused is None
            else f"op {self.ops}: {type(self.refused).__name__}: {self.refused}"
        )


def _attempt(case: ProgramCase, engine: str) -> Trace:
    program = case.program
    try:
        ports = program.ports() if case.grows else _guarded_ports(program)
        execute = executor_of(engine, case.portable)(program.config, ports)
        chip = Chip(program.config, ports, Allowance().limiting(program.config, execute))
    except NvdlaError as problem:
        return Trace(0, problem, [], [])
    reads: list[int] = []
    done, refused = 0, None
    try:
        for code, address, value in program.ops.tolist():
            if code == WRITE:
                chip.csb_write(address, value)
            elif code == WAIT:
                chip.wait(value)
            else:
                reads.append(chip.csb_read(address))
            done += 1
    except NvdlaError as problem:
        refused = problem
    memory = [
        (name, base, buffer)
        for name, port in (("DRAM", ports.dram), ("SRAM", ports.sram))
        for base, buffer in zip(port._bases, port._buffers, strict=True)
    ]
    return Trace(done, refused, reads, memory)


def _guarded_ports(program: Case) -> Ports:
    """The pages around the program's regions, each run of them between guards."""
    ports = Ports(Memory(), Memory())
    for number, port in enumerate(ports):
        regions = [r for r in (*program.inputs, *program.outputs) if r.memory == number]
        runs: list[list[int]] = []
        for first, last in sorted(
            (r.address // PAGE, -(-(r.address + r.data.size) // PAGE)) for r in regions
        ):
            if runs and first <= runs[-1][1]:
                runs[-1][1] = max(runs[-1][1], last)
            else:
                runs.append([first, last])
        for first, last in runs:
            port.map(first * PAGE, guarded((last - first) * PAGE))
    for memory, address, data in program.inputs:
        ports[memory].view(address, data.size)[:] = data
    return ports


class Programs:
    """Mutations of the golden programs in ``files``."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._files = sorted(file for file in files if "_f16" not in file.name)
        self._loaded: dict[Path, list[Case]] = {}

    def case(self, rng: Random) -> ProgramCase:
        path = rng.choice(self._files)
        if path not in self._loaded:
            self._loaded[path] = [case for case in load(path) if not case.fp16]
        seed = rng.choice(self._loaded[path])
        program = replace(seed, ops=seed.ops.copy())
        for _ in range(rng.choice((1, 1, 1, 1, 2, 2, 3, 4))):
            program = _mutate(rng, program)
        return ProgramCase(seed.name, program, rng.random() < 0.3, rng.random() < 0.2)


def _mutate(rng: Random, program: Case) -> Case:
    change: Callable[[Random, Case], Case | None] = rng.choices(
        (_field, _fields, _order, _insert, _data, _region), (30, 30, 6, 6, 20, 8)
    )[0]
    return change(rng, program) or program


def _field(rng: Random, program: Case) -> None:
    """One field of one write."""
    row = rng.randrange(len(program.ops))
    code, address, value = program.ops[row].tolist()
    register = register_map(program.config).at(address)
    if code != WRITE or not register.fields:
        program.ops[row, 2] = other_number(rng, value, 32)
        return
    high, low = rng.choice(list(register.fields.values()))
    bits = high - low + 1
    if "ADDR" in register.name and rng.random() < 0.7 and (program.inputs or program.outputs):
        region = rng.choice((*program.inputs, *program.outputs))
        ends = (region.address, region.address + region.data.size)
        place = rng.choice(ends) + rng.choice((-4096, -64, -32, 0, 0, 0, 32, 64, 4096))
        program.ops[row, 2] = place >> (32 if "HIGH" in register.name else 0) & 0xFFFFFFFF
    else:
        program.ops[row, 2] = _set(value, low, bits, other_number(rng, value >> low & (1 << bits) - 1, bits))


def _fields(rng: Random, program: Case) -> None:
    """One field wherever it has this value: of the same name in all units, or of any name."""
    registers = register_map(program.config)
    rows = np.flatnonzero(program.ops[:, 0] == WRITE).tolist()
    places = [
        (row, field, low, (1 << high - low + 1) - 1)
        for row in rows
        for field, (high, low) in registers.at(int(program.ops[row, 1])).fields.items()
    ]
    if not places:
        return
    row, name, low, mask = rng.choice(places)
    value = int(program.ops[row, 2]) >> low & mask
    changed = other_number(rng, value, rng.choice((5, 13, 16)))
    by_name = value < 2 or rng.random() < 0.5
    for row, field, low, mask in places:
        word = int(program.ops[row, 2])
        if word >> low & mask == value and (field == name or not by_name):
            program.ops[row, 2] = _set(word, low, mask.bit_length(), changed)


def _set(word: int, low: int, bits: int, value: int) -> int:
    mask = (1 << bits) - 1
    return word & ~(mask << low) & 0xFFFFFFFF | (value & mask) << low


def _order(rng: Random, program: Case) -> Case:
    """A row is left out, done twice, or done elsewhere."""
    rows = program.ops.tolist()
    taken = rows.pop(rng.randrange(len(rows)))
    copies = rng.choice((0, 1, 2))
    for _ in range(copies):
        rows.insert(rng.randrange(len(rows) + 1), taken)
    return replace(program, ops=np.array(rows, np.uint32).reshape(-1, 3))


def _insert(rng: Random, program: Case) -> Case:
    """An access to any register somewhere."""
    registers = register_map(program.config)
    register = rng.choice(list(registers.unit(rng.choice(list(registers.bases))).values()))
    value = other_number(rng, register.reset, 32)
    row = [rng.choice((WRITE, WRITE, READ)), register.address, value]
    at = rng.randrange(len(program.ops) + 1)
    return replace(program, ops=np.insert(program.ops, at, row, axis=0))


def _data(rng: Random, program: Case) -> Case | None:
    """Other bytes in memory: data, weights, operands."""
    if not program.inputs:
        return None
    at = rng.randrange(len(program.inputs))
    region = program.inputs[at]
    data = bytearray(region.data.tobytes())
    other_bytes(rng, data)
    return _with_input(program, at, region._replace(data=np.frombuffer(data, np.uint8)))


def _region(rng: Random, program: Case) -> Case | None:
    """Less memory, or memory elsewhere."""
    if not program.inputs:
        return None
    at = rng.randrange(len(program.inputs))
    region = program.inputs[at]
    match rng.randrange(3):
        case 0:
            return _with_input(
                program,
                at,
                region._replace(
                    data=region.data[:: rng.choice((1, -1))][: rng.randrange(region.data.size + 1)]
                ),
            )
        case 1:
            address = max(0, region.address + rng.choice((-4096, -32, 32, 4096)))
            return _with_input(program, at, region._replace(address=address))
    return replace(program, inputs=program.inputs[:at] + program.inputs[at + 1 :])


def _with_input(program: Case, at: int, region: Region) -> Case:
    return replace(program, inputs=(*program.inputs[:at], region, *program.inputs[at + 1 :]))
