"""Our .fbs schema as the tests see it: read from its text, walked through the generated classes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nvdla_sim.loadable
from nvdla_sim.loadable._generated import loadable_generated as fb

TEXT = (Path(nvdla_sim.loadable.__file__).parent / "loadable.fbs").read_text()


def tables() -> dict[str, list[tuple[str, str, bool]]]:
    """Table -> (field, type, required) in slot order."""
    return {
        table: [
            (field, kind, bool(required))
            for field, kind, required in re.findall(r"(\w+) : (\S+?)( \(required\))?;", body)
        ]
        for table, body in re.findall(r"table (\w+) \{(.*?)\}", TEXT, re.DOTALL)
    }


def walk(data: bytes) -> dict[str, Any]:
    """Every value that the generated classes give for the file; absent and empty lists look alike."""
    return _walk_table(fb.Loadable.GetRootAs(data), "Loadable", tables())


def _walk_table(entry: Any, table: str, schema: dict[str, list[tuple[str, str, bool]]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for field, kind, _ in schema[table]:
        accessor = "".join(part.capitalize() for part in field.split("_"))
        get = getattr(entry, accessor)
        if kind == "[ubyte]":
            values[field] = get.__self__.DataAsNumpy().tobytes()
        elif kind.startswith("["):
            items = [get(i) for i in range(getattr(entry, accessor + "Length")())]
            element = kind[1:-1]
            values[field] = [_walk_table(x, element, schema) for x in items] if element in schema else items
        elif kind == "Version":
            version = get()
            values[field] = (version.Major(), version.Minor(), version.SubMinor())
        else:
            values[field] = get()
    return values
