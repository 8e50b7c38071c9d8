"""The measurements of ``tools/accuracy.py`` as a tab-separated file: one line for a net, target and mode."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from nvdla_sim.files import write_atomically

ZOO = "zoo/"  # what the names of the zoo's nets begin with
BELOW_IDEAL = 0.002  # how much a cosine may be below the ideal run's
BELOW_REAL = 0.001  # and below the real compiler's
LARGER = 1.1, 8192  # how much a loadable may be larger than the real compiler's: factor, and bytes


@dataclass(frozen=True)
class Record:
    """One measurement (``tools.accuracy_measure``) over so many ``inputs``; None: unknown.

    ``real``: the cosine of the real compiler's output. ``refused``: why it cannot be compiled.
    """

    net: str
    target: str
    mode: str
    inputs: int | None = None
    chip: float | None = None
    ideal: float | None = None
    own: float | None = None
    output: float | None = None
    real: float | None = None
    size: int | None = None
    real_size: int | None = None
    seconds: float | None = None
    refused: str | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        return self.net, self.target, self.mode

    @property
    def faults(self) -> list[str]:
        """What it misses."""
        found = []
        if self.chip is not None and self.ideal is not None and self.chip < self.ideal - BELOW_IDEAL:
            found.append("below ideal")
        if self.output is not None and self.real is not None and self.output < self.real - BELOW_REAL:
            found.append("below the real compiler's")
        if self.size is not None and self.real_size is not None:
            if self.size > self.real_size * LARGER[0] + LARGER[1]:
                found.append("too large")
        return found


_FIELDS = fields(Record)
_WHOLE = {"inputs", "size", "real_size"}
_DIGITS = {"chip": 5, "ideal": 5, "own": 5, "output": 5, "real": 4, "seconds": 2}


def read(path: Path) -> dict[tuple[str, str, str], Record]:
    """The records of a file by their key; none where there is no file."""
    if not path.exists():
        return {}
    records = [_parsed(line.split("\t")) for line in path.read_text().splitlines()[1:]]
    return {record.key: record for record in records}


def write(path: Path, records: Iterable[Record]) -> None:
    """All records, in the order of their keys."""
    lines = ["\t".join(field.name for field in _FIELDS)]
    lines += ["\t".join(_line(record)) for record in sorted(records, key=lambda record: record.key)]
    write_atomically(path, ("\n".join(lines) + "\n").encode())


def _line(record: Record) -> list[str]:
    texts = []
    for field, value in zip(_FIELDS, astuple(record), strict=True):
        if value is None:
            texts.append("")
        elif field.name in _DIGITS:
            texts.append(f"{value:.{_DIGITS[field.name]}f}")
        else:
            texts.append(" ".join(str(value).split()))
    return texts


def _parsed(texts: list[str]) -> Record:
    values: dict[str, Any] = {}
    for field, text in zip(_FIELDS, texts, strict=True):
        if field.name in _WHOLE:
            values[field.name] = int(text) if text else None
        elif field.name in _DIGITS:
            values[field.name] = float(text) if text else None
        else:
            values[field.name] = text or None
    return Record(**values)
