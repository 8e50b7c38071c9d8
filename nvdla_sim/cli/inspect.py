"""nvdla-inspect: what is in a loadable, and whether the real stack would run it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nvdla_sim.cli._command import command_parser, run_command
from nvdla_sim.errors import LoadableError, OptionError, listed

if TYPE_CHECKING:
    from nvdla_sim.loadable.loadable import Loadable

MOST_FINDINGS = 100  # of each kind that are printed


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command(_parser(), inspect_loadable, arguments)


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "nvdla-inspect",
        "Show what is in a loadable: memories, inputs and outputs, and every operation with its cubes,\n"
        "scales, shifts and order. Layers and tensors are named where our own compiler made the loadable.",
        "--check ends with exit code 2 if NVIDIA's runtime, firmware or chip would refuse the loadable.",
    )
    add = parser.add_argument
    add("loadable", metavar="FILE", help="the compiled network (.nvdla)")
    add(
        "--check", action="store_true",
        help="check instead: errors are what the real stack refuses, warnings what may go wrong there",
    )  # fmt: skip
    add("--json", action="store_true", help="print JSON")
    add("--svg", metavar="SVG", help="also write a picture of what reads what")
    add(
        "--configtarget", metavar="NAME",
        help="the hardware configuration it was compiled for (default: inferred from the loadable)",
    )  # fmt: skip
    return parser


def inspect_loadable(options: argparse.Namespace) -> None:
    if options.check and options.svg is not None:
        raise OptionError("--check and --svg exclude each other: run the command twice")

    from nvdla_sim.loadable.loadable import Loadable

    loadable = Loadable.load(options.loadable)
    if options.check:
        _check(loadable, options)
    else:
        _show(loadable, options)


def _show(loadable: Loadable, options: argparse.Namespace) -> None:
    from dataclasses import asdict

    from nvdla_sim.analysis.inspect.inspection import inspect
    from nvdla_sim.analysis.inspect.picture import svg
    from nvdla_sim.analysis.inspect.text import lines
    from nvdla_sim.files import write_atomically

    inspection = inspect(loadable, options.configtarget)
    if options.svg is not None:
        write_atomically(options.svg, svg(inspection).encode())
    if options.json:
        print(json.dumps(asdict(inspection), indent=1))
        return
    print("\n".join(lines(inspection)))
    if options.svg is not None:
        print(f"wrote {options.svg}")


def _check(loadable: Loadable, options: argparse.Namespace) -> None:
    from nvdla_sim.analysis.check.check import check

    findings = check(loadable, options.configtarget)
    if options.json:
        told = {"target": findings.config.name, "errors": findings.errors, "warnings": findings.warnings}
        print(json.dumps(told, indent=1))
    else:
        assumed = f" ({findings.assumption})" if findings.assumption else ""
        print(
            f"{loadable.name} for {findings.config.name}{assumed}: {len(findings.errors)} errors, "
            f"{len(findings.warnings)} warnings"
        )
        for warning in findings.warnings[:MOST_FINDINGS]:
            print(f"warning: {warning}")
    if findings.errors:
        told_errors = findings.errors[:MOST_FINDINGS]
        if len(findings.errors) > MOST_FINDINGS:
            told_errors.append(f"and {len(findings.errors) - MOST_FINDINGS} more")
        raise LoadableError(listed(f"{loadable.name} would not run on {findings.config.name}:", told_errors))


if __name__ == "__main__":
    sys.exit(main())
