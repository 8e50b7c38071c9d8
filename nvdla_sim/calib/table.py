"""The calibration table: how large the values of each layer's output get.

A JSON object ``{"<layer or network input>": {"scale": s, "min": a, "max": b, "offset": 0}, ...}``: ``scale``
is max|x| / 127; where there is none, ``min`` and ``max`` give it. ``offset`` is always 0 in int8 and ignored.

Source: compiler-facts section 5, tool-formats section 1.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nvdla_sim.errors import CalibrationError, did_you_mean, listed
from nvdla_sim.files import read_bytes, write_atomically

INT8_LEVELS = np.float32(127)


@dataclass(frozen=True)
class Table:
    """Scales by layer name or network input blob: ``real = scale * int8``; float32 values, all > 0."""

    scales: Mapping[str, float]
    source: str = "the calibration table"  # its name in messages

    @classmethod
    def load(cls, path: str | os.PathLike[str], needed: Mapping[str, str] | None = None) -> Table:
        """Read a JSON table. ``needed``: as ``missing``.

        Raises ``CalibrationError`` with every wrong entry and every needed one that is not there.
        """
        source = f"calibration table {os.fspath(path)}"
        entries = _entries(read_bytes(path, CalibrationError, "calibration table"), source)
        scales: dict[str, float] = {}
        problems: dict[str, str] = {}
        for name, entry in entries:
            try:
                if name in scales:
                    raise ValueError("is there twice")
                scales[name] = _scale(entry)
            except ValueError as problem:
                problems[name] = f'"{name}" {problem}'
        table = cls(scales, source)
        lacking = table.missing({name: what for name, what in (needed or {}).items() if name not in problems})
        table.refuse([*problems.values(), *lacking])
        return table

    def missing(self, needed: Mapping[str, str]) -> list[str]:
        """A line for each entry that is needed (name -> what it is of) and not there."""
        spare = [name for name in self.scales if name not in needed]
        return [
            f"no scale for {what} {did_you_mean(name, spare)}".rstrip()
            for name, what in needed.items()
            if name not in self.scales
        ]

    def refuse(self, problems: Sequence[str]) -> None:
        """Raise one ``CalibrationError`` for all problems; nothing happens when there are none."""
        if problems:
            raise CalibrationError(listed(f"{self.source} cannot be used:", problems))

    def to_json(self) -> bytes:
        """The table as NVIDIA's compiler and ``load`` read it."""
        content = {
            name: {"scale": float(np.float32(scale)), "min": 0, "max": 0, "offset": 0}
            for name, scale in self.scales.items()
        }
        return json.dumps(content, indent=4, ensure_ascii=False).encode()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the table as JSON; ``NvdlaError`` when it cannot be written."""
        write_atomically(path, self.to_json())


def _entries(data: bytes, source: str) -> list[tuple[str, Any]]:
    """The (name, entry) pairs of the outermost object, duplicates included."""
    try:
        content = json.loads(data, object_pairs_hook=_Pairs)
    except RecursionError:
        raise CalibrationError(f"{source} is nested too deeply") from None
    except ValueError as problem:
        advice = "nvdla-table convert makes JSON of tables of other tools"
        raise CalibrationError(f"{source} is not JSON: {problem}; {advice}") from None
    if not isinstance(content, _Pairs):
        raise CalibrationError(f'{source}: expected an object {{"<layer>": {{"scale": <number>}}, ...}}')
    return content


class _Pairs(list[tuple[str, Any]]):
    """A JSON object that still knows its duplicates."""


@np.errstate(over="ignore", under="ignore")  # the result is checked
def _scale(entry: Any) -> float:
    """The scale of one entry, rounded to float32 as NVIDIA's compiler holds it."""
    if not isinstance(entry, _Pairs):
        raise ValueError(f'must be an object like {{"scale": 0.01}}, and is {_shown(entry)}')
    fields = dict(entry)
    if "scale" in fields:
        largest = np.float32(_number(fields, "scale")) * INT8_LEVELS
        given = f"scale {_shown(fields['scale'])}"
        if fields["scale"] < 0:
            raise ValueError(f"has {given}: it must be above 0")
    elif "min" in fields and "max" in fields:
        largest = np.float32(max(abs(_number(fields, "min")), abs(_number(fields, "max"))))
        given = f"min {_shown(fields['min'])}, max {_shown(fields['max'])}"
    else:
        raise ValueError('needs "scale", or "min" and "max"')
    scale = largest / INT8_LEVELS
    if not (np.isfinite(scale) and scale >= np.finfo(np.float32).tiny):
        raise ValueError(f"has {given}: the scale must be above 0 and finite in single precision")
    return float(scale)


def _number(fields: dict[str, Any], key: str) -> float:
    value = fields[key]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"has {key} {_shown(value)}: it must be a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"has {key} {_shown(value)}: it must be finite")
    return number


def _shown(value: Any) -> str:
    """A value in a message, short however long it is."""
    if isinstance(value, _Pairs):
        return "an object"
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
