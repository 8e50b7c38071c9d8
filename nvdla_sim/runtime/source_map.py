"""What our own compiler notes in a loadable beside what the runtime needs: the blob ``nvdla-sim.json``."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

from nvdla_sim.hw.config import CONFIGS
from nvdla_sim.loadable.loadable import Loadable

NAME = "nvdla-sim.json"


@dataclass(frozen=True)
class SourceMap:
    """``target``: a configuration's name. ``scales``: of network inputs and outputs, real = scale * int8.

    What is missing or wrong is left out.
    """

    target: str | None = None
    scales: dict[str, float] = field(default_factory=dict)


def read_source_map(loadable: Loadable) -> SourceMap:
    """The loadable's own notes; empty for a loadable of another compiler."""
    blobs = [blob for blob in loadable.blobs if blob.name == NAME]
    try:
        content: Any = json.loads(blobs[0].data.tobytes()) if blobs else {}
    except (ValueError, RecursionError):
        content = {}
    content = content if isinstance(content, dict) else {}
    target = content.get("target")
    tensors = content.get("tensors")
    tensors = tensors if isinstance(tensors, dict) else {}
    entries = {name: entry for name, entry in tensors.items() if isinstance(entry, dict)}
    return SourceMap(
        target=target if isinstance(target, str) and target in CONFIGS else None,
        scales={name: e["scale"] for name, e in entries.items() if _is_scale(e.get("scale"))},
    )


def _is_scale(value: Any) -> bool:
    return type(value) is float and math.isfinite(value) and value > 0
