"""What our own compiler notes in a loadable beside what the runtime needs: the blob ``SOURCE_MAP``."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

from nvdla_sim.hw.config import CONFIGS
from nvdla_sim.loadable.entries import SOURCE_MAP
from nvdla_sim.loadable.loadable import Loadable

MAX_CUBES = 1 << 12  # a few for each layer
MAX_BYTES = 1 << 24  # of the notes; JSON takes some twenty times as much when it is read


@dataclass(frozen=True)
class NotedCube:
    """A tensor of the net that the chip has in memory: ``real = scale * int8``.

    It is complete after step number ``step`` (counted from 0; engines that run together are one step) and
    may be gone after the next one. ``offset`` and strides are bytes. ``lanes``: the channels in order, as
    (first lane, count).
    """

    tensor: str
    step: int
    scale: float
    memory: int
    offset: int
    lanes: tuple[tuple[int, int], ...]
    height: int
    width: int
    line: int
    surf: int


@dataclass(frozen=True)
class SourceMap:
    """``target``: a configuration's name. ``scales``: of network inputs and outputs, real = scale * int8.

    ``cubes``: tensors between them, in the order of their layers. ``layers``: the net's layer that an
    operation is of, by (task, operation). ``producer``: the compiler. What is missing or wrong is left out.
    """

    target: str | None = None
    scales: dict[str, float] = field(default_factory=dict)
    cubes: tuple[NotedCube, ...] = ()
    layers: dict[tuple[int, int], str] = field(default_factory=dict)
    producer: str | None = None


def read_source_map(loadable: Loadable) -> SourceMap:
    """The loadable's own notes; empty for a loadable of another compiler."""
    blobs = [b for b in loadable.blobs if b.name == SOURCE_MAP and b.data.size <= MAX_BYTES]
    try:
        content: Any = json.loads(blobs[0].data.tobytes()) if blobs else {}
    except (ValueError, RecursionError):
        content = {}
    content = content if isinstance(content, dict) else {}
    target = content.get("target")
    tensors = content.get("tensors")
    tensors = tensors if isinstance(tensors, dict) else {}
    entries = {name: entry for name, entry in tensors.items() if isinstance(entry, dict)}
    producer, cubes, operations = (content.get(name) for name in ("producer", "cubes", "operations"))
    operations = operations if isinstance(operations, list) else []
    return SourceMap(
        target=target if isinstance(target, str) and target in CONFIGS else None,
        scales={name: e["scale"] for name, e in entries.items() if _is_scale(e.get("scale"))},
        cubes=tuple(_cube(entry) for entry in cubes[:MAX_CUBES] if _is_cube(entry))
        if isinstance(cubes, list)
        else (),
        layers={(entry["task"], entry["op"]): entry["layer"] for entry in operations if _is_operation(entry)},
        producer=producer if isinstance(producer, str) else None,
    )


def _is_scale(value: Any) -> bool:
    return type(value) is float and math.isfinite(value) and value > 0


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 32


def _is_operation(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and all(_is_count(entry.get(name)) for name in ("task", "op"))
        and isinstance(entry.get("layer"), str)
    )


def _is_cube(entry: Any) -> bool:
    if not (
        isinstance(entry, dict) and isinstance(entry.get("tensor"), str) and _is_scale(entry.get("scale"))
    ):
        return False
    runs = entry.get("lanes")
    return (
        all(_is_count(entry.get(name)) for name in ("step", "memory", "offset", "line", "surf"))
        and all(_is_count(entry.get(name)) and entry[name] > 0 for name in ("height", "width"))
        and isinstance(runs, list)
        and bool(runs)
        and all(isinstance(run, list) and len(run) == 2 and all(map(_is_count, run)) for run in runs)
        and all(count > 0 for _, count in runs)
    )


def _cube(entry: dict[str, Any]) -> NotedCube:
    names = ("tensor", "step", "scale", "memory", "offset", "height", "width", "line", "surf")
    return NotedCube(lanes=tuple(map(tuple, entry["lanes"])), **{name: entry[name] for name in names})
