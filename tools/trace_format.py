"""NVDLA's text traces: the commands of a ``.cfg`` file and the bytes of a ``.dat`` file, read and written.

A trace is one command a line, ``name(argument, ...);``, with ``//`` comments. A memory file is one run of
bytes a line, ``{offset:0x0, size:4, payload:0x01 0x02 0x03 0x04},``, between braces, with ``#`` comments.

Both are untrusted: every mistake is an error that names file and line, and nothing outside the trace's folder
is read. Source: hardware-facts section 7.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.errors import ProgramError, nearest

# What the arguments of a command are; "?" marks one that may be left out.
SYNTAX = {
    "reg_write": ("register", "number"),
    "reg_read": ("register", "word"),
    "reg_read_check": ("register", "number"),
    "poll_reg_equal": ("register", "number"),
    "sync_notify": ("word", "word"),
    "sync_wait": ("word", "word"),
    "intr_notify": ("?word", "word"),
    "check_crc": ("word", "memory", "number", "number", "number"),
    "check_file": ("word", "memory", "number", "number", "file"),
    "check_nothing": ("word",),
    "mem_init": ("memory", "number", "size or file", "word", "?word"),
    "mem_load": ("memory", "number", "file", "?word"),
    "mem_reserve": ("memory", "number", "number", "?word"),
    "mem_release": ("memory", "number", "word"),
}
LARGEST_TRACE = 1 << 25  # bytes of its text
LARGEST_MEMORY_FILE = 1 << 29  # bytes of its text, about six for each byte of memory
LARGEST_MEMORY = 1 << 28  # bytes of one memory
BYTES_A_LINE = 32

_COMMAND = re.compile(r"(\w+)\s*\(([^()]*)\)\s*;\s*(?://.*)?")
_RUN = re.compile(r"'?offset'?\s*:\s*(\w+)\s*,\s*'?size'?\s*:\s*(\w+)\s*,\s*'?\w+'?\s*:([^{}]*)\}\s*,?")

Argument = str | int | Path | None


@dataclass(frozen=True)
class Command:
    """One command of a trace.

    Arguments: "UNIT.REGISTER" for a register, 0 (DRAM) or 1 (SRAM) for a memory, int for numbers, ``Path``
    for files, None where one was left out.
    """

    line: int
    name: str
    arguments: tuple[Argument, ...]


def read_trace(path: Path) -> list[Command]:
    """All commands of a trace; ``ProgramError`` with file and line for anything else in it."""
    commands = []
    for number, text in _lines(path, LARGEST_TRACE):
        text = text.strip()
        if text and not text.startswith("//"):
            try:
                commands.append(_command(number, text, path.parent))
            except ProgramError as problem:
                raise ProgramError(f"{path}:{number}: {problem}") from None
    return commands


def _command(line: int, text: str, folder: Path) -> Command:
    parts = _COMMAND.fullmatch(text)
    if parts is None:
        raise ProgramError(f'"{text[:80]}" is not a command: name(argument, ...);')
    name, inside = parts.groups()
    if name not in SYNTAX:
        raise ProgramError(f'there is no command "{name}": {nearest(name, SYNTAX)}')
    kinds = SYNTAX[name]
    words: list[str | None] = [word.strip() for word in inside.split(",")]
    for place, kind in enumerate(kinds):
        if kind.startswith("?") and len(words) < len(kinds):
            words.insert(place, None)
    if len(words) != len(kinds):
        raise ProgramError(f"{name} takes {len(kinds)} arguments ({', '.join(kinds)}), not {len(words)}")
    return Command(
        line, name, tuple(_argument(kind, word, folder) for kind, word in zip(kinds, words, strict=True))
    )


def _argument(kind: str, word: str | None, folder: Path) -> Argument:
    if word is None:
        return None
    if kind == "file" or (kind == "size or file" and word.startswith('"')):
        return _inside(folder, word)
    if kind in ("number", "size or file"):
        return _number(word)
    if not re.fullmatch(r"[\w.]+", word):
        raise ProgramError(f'"{word[:40]}" is not a {kind.strip("?")}')
    if kind == "memory":
        return 1 if word == "sec_mem" else 0
    if kind == "register":
        return word.removeprefix("NVDLA_").removesuffix("_0")
    return word


def _inside(folder: Path, word: str) -> Path:
    """The file that a quoted name means; it must lie inside the trace's folder."""
    name = word.strip('"')
    path = (folder / name).resolve()
    if not (len(word) > 2 and word[0] == word[-1] == '"') or not path.is_relative_to(folder.resolve()):
        raise ProgramError(f"{word[:80]} is not a quoted name of a file inside the trace's folder")
    return path


def _number(word: str) -> int:
    """A number as the traces write it, 0x.. or decimal, up to 64 bits."""
    try:
        value = int(word, 0)
    except ValueError:
        value = -1
    if not 0 <= value < 1 << 64:
        raise ProgramError(f'"{word[:40]}" is not a number of up to 64 bits, 0x.. or decimal')
    return value


def read_memory(path: Path) -> list[tuple[int, NDArray[np.uint8]]]:
    """The runs of bytes of a memory file, (offset, bytes), neighbours joined; errors name file and line."""
    runs: list[tuple[int, bytearray]] = []
    for number, text in _lines(path, LARGEST_MEMORY_FILE):
        text = text.partition("#")[0].strip().lstrip("{").strip()
        if text in ("", "}"):
            continue
        parts = _RUN.fullmatch(text)
        if parts is None:
            raise ProgramError(f'{path}:{number}: "{text[:60]}" is not {{offset:.., size:.., payload:..}}')
        try:
            offset, size = _number(parts[1]), _number(parts[2])
            data = _payload(parts[3])
        except ProgramError as problem:
            raise ProgramError(f"{path}:{number}: {problem}") from None
        if len(data) != size or offset + size > LARGEST_MEMORY:
            raise ProgramError(
                f"{path}:{number}: {len(data)} bytes at offset 0x{offset:x}: announced are {size}, and the "
                f"last offset is 0x{LARGEST_MEMORY:x}"
            )
        if runs and runs[-1][0] + len(runs[-1][1]) == offset:
            runs[-1][1].extend(data)
        else:
            runs.append((offset, bytearray(data)))
    return [(offset, np.frombuffer(data, np.uint8)) for offset, data in runs]


def memory_text(data: NDArray[np.uint8]) -> str:
    """The memory file of ``data`` (uint8) without lines of zeros: a trace sets its memory to 0 first."""
    words = [f"0x{value:02x}" for value in range(256)]
    raw = data.tobytes()
    lines = []
    for offset in range(0, len(raw), BYTES_A_LINE):
        part = raw[offset : offset + BYTES_A_LINE]
        if any(part):
            payload = " ".join([words[value] for value in part])
            lines.append(f"{{offset:0x{offset:x}, size:{len(part)}, payload:{payload}}},")
    return "\n".join(["{", *lines, "}", ""])


def _payload(text: str) -> bytes:
    try:
        return bytes.fromhex(text.replace("0x", ""))
    except ValueError:  # not all of the form 0xAB
        values = [_number(word) for word in text.split()]
        if max(values, default=0) > 255:
            raise ProgramError(f"{max(values)} is not a byte") from None
        return bytes(values)


def _lines(path: Path, limit: int) -> Iterator[tuple[int, str]]:
    """The numbered lines of a text of at most ``limit`` bytes."""
    try:
        if path.is_char_device():
            raise ProgramError(f"{path}: a device, which may never end; a file is needed")
        with path.open(encoding="ascii", errors="replace") as file:
            size = os.fstat(file.fileno()).st_size
            if size > limit:
                raise ProgramError(f"{path} has {size} bytes, at most {limit} are read")
            yield from enumerate(file, start=1)
    except OSError as problem:
        raise ProgramError(f"{path}: {problem.strerror or problem}") from None
