"""Plays NVDLA's text traces on the chip, as the chip's own test bench does.

Register accesses and ``sync_*`` of one unit are done in order; units go their own ways, except where a
``sync_wait`` holds one until a ``sync_notify`` or an ``intr_notify`` gives the same word. Checks, and memory
commands with such a word, are done when it is given. What stays waiting at the end is an error, never a hang.

Source: hardware-facts section 7.
"""

from __future__ import annotations

import heapq
import zlib
from collections import defaultdict, deque
from pathlib import Path
from typing import Any

import numpy as np

from nvdla_sim.errors import NvdlaError, ProgramError, listed
from nvdla_sim.hw.chip import DONE_BITS, Chip
from nvdla_sim.hw.config import Config
from nvdla_sim.hw.limits import Allowance
from nvdla_sim.hw.memory import Bytes, Memory, Ports
from tools.golden_programs import Engine
from tools.trace_format import LARGEST_MEMORY, Command, read_memory, read_trace

PATTERNS = {"ALL_ZERO": 0x00, "ONES": 0xFF, "AFIVE": 0xA5, "FIVEA": 0x5A, "X": 0x00}
# done bit of GLB.S_INTR_STATUS -> the name that intr_notify uses
INTERRUPTS = {
    bit + group: f"{name.removesuffix('_DONE')}_{group}"
    for name, (bit, _) in DONE_BITS.items()
    for group in (0, 1)
}
# About how long a command takes, a byte of memory that it sets or checks, and a byte of a memory file's text.
COMMAND_SECONDS, BYTE_SECONDS, TEXT_SECONDS = 1e-4, 1e-8, 2e-7
ANY = "any"  # an intr_notify without a name


def play_trace(
    path: Path, config: Config, engine: Engine, commands: list[Command] | None = None
) -> list[str]:
    """What the trace's checks found wrong, empty if nothing. ``commands``: those of ``path``, where read.

    ``NvdlaError`` with file and line for a trace that cannot be read, is refused, or would wait forever.
    """
    player = _Player(path, config, engine)
    for command in read_trace(path) if commands is None else commands:
        player.take(command)
    player.play()
    return player.problems


class _Player:
    def __init__(self, path: Path, config: Config, engine: Engine) -> None:
        self.problems: list[str] = []
        self._path = path
        self._ports = Ports(Memory(LARGEST_MEMORY), Memory(LARGEST_MEMORY))
        self._allowance = Allowance()
        execute = self._allowance.limiting(config, engine(config, self._ports))
        self._chip = Chip(config, self._ports, execute)
        self._queues: dict[str, deque[Command]] = defaultdict(deque)  # unit -> what it has to do
        self._interrupts: dict[str, deque[Command]] = defaultdict(deque)  # interrupt -> its intr_notify
        self._held: dict[str, list[Command]] = defaultdict(list)  # word -> what is done when it is given
        self._given: set[str] = set()
        self._new: list[str] = []  # words that the last command gave
        self._waiting: dict[str, list[str]] = defaultdict(list)  # word -> units that wait for it
        self._ready: list[tuple[int, str]] = []  # heap of (line, unit): units that can go on

    def take(self, command: Command) -> None:
        """Put a command where its turn will come; memory that waits for nothing is set at once."""
        name, first, last = command.name, command.arguments[0], command.arguments[-1]
        if name.startswith(("reg_", "poll_", "sync_")):
            self._queues[str(first).removeprefix("NVDLA_").partition(".")[0]].append(command)
        elif name == "intr_notify":
            self._interrupts[ANY if first is None else str(first).upper()].append(command)
        elif name.startswith("check_"):
            self._held[str(first)].append(command)
        elif name in ("mem_init", "mem_load"):
            if last is None:
                self._do(command)
            else:
                self._held[str(last)].append(command)

    def play(self) -> None:
        """Do everything; the earliest line that can be done is done next."""
        for unit in self._queues:
            self._resume(unit)
        polling: list[str] = []
        moved = True
        while moved:
            moved = False
            while self._ready:
                _, unit = heapq.heappop(self._ready)
                command = self._queues[unit][0]
                if command.name == "sync_wait" and command.arguments[1] not in self._given:
                    self._waiting[str(command.arguments[1])].append(unit)
                elif command.name == "poll_reg_equal" and self._read(command) != command.arguments[1]:
                    polling.append(unit)
                else:
                    moved = True
                    self._queues[unit].popleft()
                    self._do(command)
                    self._resume(unit)
                    self._give_new_words()
            for unit in polling:
                self._resume(unit)
            polling.clear()
        self._require_all_done()

    def _resume(self, unit: str) -> None:
        if self._queues[unit]:
            heapq.heappush(self._ready, (self._queues[unit][0].line, unit))

    def _do(self, command: Command) -> None:
        try:
            self._allowance.take(COMMAND_SECONDS)
            getattr(self, f"_{command.name}", _nothing)(command, *command.arguments)
        except NvdlaError as problem:
            raise type(problem)(f"{self._path}:{command.line}: {problem}") from None

    def _give_new_words(self) -> None:
        for word in self._new:
            self._given.add(word)
            for command in self._held.pop(word, ()):
                self._do(command)
            for unit in self._waiting.pop(word, ()):
                self._resume(unit)
        self._new.clear()

    # --- one method for each command that does something ---

    def _reg_write(self, _: Command, register: str, value: int) -> None:
        self._chip.csb_write(self._chip.registers.address(*_unit_and_name(register)), value)
        status = self._chip.registers.address("GLB", "S_INTR_STATUS")
        done = self._chip.csb_read(status)
        for bit, name in INTERRUPTS.items() if done else ():
            queue = self._interrupts[name] or self._interrupts[ANY]
            if done >> bit & 1 and queue:
                self._chip.csb_write(status, 1 << bit)
                self._new.append(str(queue.popleft().arguments[1]))

    def _reg_read(self, command: Command, *_: Any) -> None:
        self._read(command)

    def _reg_read_check(self, command: Command, register: str, value: int) -> None:
        got = self._read(command)
        if got != value:
            self._wrong(command, f"{register} reads 0x{got:x}, expected is 0x{value:x}")

    def _sync_notify(self, _: Command, block: str, word: str) -> None:
        self._new.append(word)

    def _mem_init(
        self, _: Command, memory: int, address: int, size: int | Path, pattern: str, word: str | None
    ) -> None:
        if isinstance(size, Path):
            size = max((offset + data.size for offset, data in self._file(size)), default=0)
        region = self._region(memory, address, size)
        if pattern == "ADDR":
            region[:] = (np.arange(size) + address % 256).astype(np.uint8)
        elif pattern == "RANDOM":  # any bytes will do, but the same ones each time
            region[:] = np.random.default_rng(address).integers(0, 256, size, np.uint8)
        elif pattern in PATTERNS:
            region[:] = PATTERNS[pattern]
        else:
            raise ProgramError(f"{pattern} is no pattern: {', '.join([*PATTERNS, 'ADDR', 'RANDOM'])} are")

    def _mem_load(self, _: Command, memory: int, address: int, path: Path, word: str | None) -> None:
        runs = self._file(path)
        region = self._region(memory, address, max((o + data.size for o, data in runs), default=0))
        for offset, data in runs:
            region[offset : offset + data.size] = data

    def _check_crc(self, command: Command, word: str, memory: int, address: int, size: int, crc: int) -> None:
        got = zlib.crc32(self._region(memory, address, size & ~3).tobytes())  # whole words count
        if got != crc:
            self._wrong(command, f"CRC of {size} bytes at 0x{address:x} is 0x{got:x}, expected is 0x{crc:x}")

    def _check_file(
        self, command: Command, word: str, memory: int, address: int, size: int, path: Path
    ) -> None:
        region = self._region(memory, address, size)
        for offset, data in self._file(path):
            data = data[: max(size - offset, 0)]
            differing = np.flatnonzero(region[offset : offset + data.size] != data)
            if differing.size:
                at = int(differing[0])
                got, wanted = region[offset + at], data[at]
                self._wrong(
                    command, f"0x{address + offset + at:x} holds 0x{got:02x}, expected is 0x{wanted:02x}"
                )
                return

    def _region(self, memory: int, address: int, size: int) -> Bytes:
        self._allowance.take(size * BYTE_SECONDS)
        return self._ports[memory].view(address, size)

    def _file(self, path: Path) -> list[tuple[int, Bytes]]:
        self._allowance.take(path.stat().st_size * TEXT_SECONDS if path.is_file() else 0)
        return read_memory(path)

    def _read(self, command: Command) -> int:
        return self._chip.csb_read(self._chip.registers.address(*_unit_and_name(str(command.arguments[0]))))

    def _wrong(self, command: Command, problem: str) -> None:
        self.problems.append(f"line {command.line}: {command.name}: {problem}")

    def _require_all_done(self) -> None:
        left = [
            *(queue[0] for queue in self._queues.values() if queue),
            *(queue[0] for queue in self._interrupts.values() if queue),
            *(commands[0] for commands in self._held.values()),
        ]
        if left:
            left.sort(key=lambda command: command.line)
            texts = [f"line {command.line}: {command.name} of {command.arguments[-1]}" for command in left]
            raise ProgramError(
                listed(f"{self._path} would wait forever:", [*texts[:10], *self._chip.pending()[:20]])
            )


def _nothing(*_: Any) -> None:
    """What is left to do of commands that only wait or only reserve."""


def _unit_and_name(register: str) -> tuple[str, str]:
    unit, _, name = register.partition(".")
    return unit, name
