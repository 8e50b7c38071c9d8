#!/usr/bin/env python3
"""Write the package's register map from the full tables of both register families.

    python tools/make_registers.py ../shared/facts/registers.json

The full tables also hold comments, enumerations and access letters; the chip reads only what is kept here:
per unit its base, per register [offset, reset, write mask, read mask, {field: [msb, lsb]}].
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from nvdla_sim.cli._command import command_parser, run_command
from nvdla_sim.errors import OptionError
from nvdla_sim.files import read_bytes, write_atomically

TARGET = Path(__file__).resolve().parent.parent / "nvdla_sim" / "hw" / "registers.json"
FAMILIES = {"master": "nv_small_master", "v1": "nv_full_nvdlav1"}


def compact(tables: dict[str, Any]) -> str:
    """One line of JSON for each unit: small, and a change of one register is a change of one line."""
    families = []
    for family, key in FAMILIES.items():
        units = ",\n".join(f"{json.dumps(name)}: {unit_line(unit)}" for name, unit in tables[key].items())
        families.append(f'"{family}": {{\n{units}\n}}')
    return "{\n" + ",\n".join(families) + "\n}\n"


def unit_line(unit: dict[str, Any]) -> str:
    registers = {
        name: [row["offset"], row["reset"], row["write_mask"], row["read_mask"], row["fields"]]
        for name, row in unit["registers"].items()
    }
    return json.dumps({"base": unit["base"], "registers": registers}, separators=(",", ":"))


def main(arguments: list[str] | None = None) -> int:
    parser = command_parser("make_registers.py", __doc__ or "")
    parser.add_argument("tables", help="the full register tables (json)")
    return run_command(parser, write, arguments)


def write(options: argparse.Namespace) -> None:
    try:
        text = compact(json.loads(read_bytes(options.tables, OptionError, "register tables")))
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise OptionError(f"{options.tables}: no register tables: {problem}") from None
    write_atomically(TARGET, text.encode())


if __name__ == "__main__":
    sys.exit(main())
