#!/usr/bin/env python3
"""Play register traces on the simulated chip.

    python tools/trace.py --goldens DIR [--match PATTERN]      golden programs, DIR/*.npz
    python tools/trace.py TRACE.cfg ... --target CONFIG        NVDLA's own text traces

print each case that fails with what is wrong first, and close with "N passed, M failed" (exit code 1 where
any failed, 2 where one cannot be read). fp16 programs must be refused; they are counted on a line of their
own.

    python tools/trace.py --export LOADABLE IMAGE -o DIR [--target CONFIG]

writes the loadable's run with this image as such a text trace, with its memory and checks of all results.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.golden_programs import Engine

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

UNSUPPORTED = "fp16"  # what a case gives that must be refused, and is


def engine_named(name: str) -> Engine:
    """What executes launches."""
    if name == "kernels":
        from nvdla_sim.hw.kernels.program import kernel_executor

        return kernel_executor
    from nvdla_sim.hw.execute import reference_executor

    return reference_executor


def goldens(folder: Path, match: str, engine: Engine) -> Iterator[tuple[str, list[str]]]:
    """Name and problems of each golden program."""
    from nvdla_sim.errors import NvdlaError, OptionError, UnsupportedError
    from tools.golden_programs import load, play

    files = sorted(folder.glob("*.npz"))
    if not files:
        raise OptionError(f"{folder} holds no golden programs (*.npz)")
    found = False
    for case in (case for path in files for case in load(path, match)):
        found = True
        try:
            yield case.name, play(case, engine)
        except NvdlaError as problem:
            refused = case.fp16 and isinstance(problem, UnsupportedError)
            yield case.name, [UNSUPPORTED if refused else str(problem)]
    if not found:
        raise OptionError(f"{folder} holds no program named {match}")


def texts(paths: list[Path], target: str, engine: Engine) -> Iterator[tuple[str, list[str]]]:
    """Name and problems of each text trace; ``OptionError`` before the first if any cannot be read."""
    from nvdla_sim.errors import NvdlaError, OptionError, ProgramError, listed
    from nvdla_sim.hw.config import config_named
    from tools.trace_format import read_trace
    from tools.trace_player import play_trace

    config = config_named(target)
    traces, unreadable = [], []
    for path in paths:
        try:
            traces.append((path, read_trace(path)))
        except ProgramError as problem:
            unreadable.append(str(problem))
    if unreadable:
        raise OptionError(listed("these traces cannot be read, so none is played:", unreadable))
    for path, commands in traces:
        try:
            yield str(path), play_trace(path, config, engine, commands)
        except NvdlaError as problem:
            yield str(path), [str(problem)]


def write_trace(loadable: str, image: str, folder: Path, target: str | None) -> Path:
    """Export a loadable's run; the trace's path."""
    from nvdla_sim.loadable.loadable import Loadable
    from tools.trace_export import export

    return export(Loadable.load(loadable), image, folder, target)


def report(results: Iterator[tuple[str, list[str]]]) -> int:
    """Print what failed and the counts; how many failed."""
    passed = failed = unsupported = 0
    for name, problems in results:
        if problems == [UNSUPPORTED]:
            unsupported += 1
        elif problems:
            failed += 1
            print(name, *problems, sep="\n    ", flush=True)
        else:
            passed += 1
    if unsupported:
        print(f"{unsupported} not yet supported ({UNSUPPORTED})")
    print(f"{passed} passed, {failed} failed")
    return failed


def main(arguments: list[str] | None = None) -> int:
    from nvdla_sim.cli._command import command_parser, run_command
    from nvdla_sim.errors import OptionError

    parser = command_parser("trace.py", __doc__ or "")
    parser.add_argument("traces", metavar="TRACE", nargs="*", type=Path, help="a text trace (.cfg)")
    parser.add_argument("--target", metavar="CONFIG", help="hardware configuration of traces or loadable")
    parser.add_argument("--goldens", metavar="DIR", type=Path, help="play the golden programs DIR/*.npz")
    parser.add_argument("--match", metavar="PATTERN", default="*", help="of these only cases named so")
    parser.add_argument(
        "--engine",
        choices=("reference", "kernels"),
        default="reference",
        help="what plays (default: %(default)s)",
    )
    parser.add_argument("--export", metavar=("LOADABLE", "IMAGE"), nargs=2, help="write a text trace")
    parser.add_argument("-o", metavar="DIR", dest="output", type=Path, help="where the exported trace goes")
    failed = 0

    def work(options: argparse.Namespace) -> None:
        nonlocal failed
        if sum(map(bool, (options.traces, options.goldens, options.export))) != 1:
            raise OptionError("say what to do: text traces, --goldens DIR or --export LOADABLE IMAGE")
        if options.traces and not options.target:
            raise OptionError("a text trace does not tell its hardware configuration: give --target")
        if options.export and not options.output:
            raise OptionError("say where the exported trace goes: -o DIR")
        if options.export:
            loadable, image = options.export
            print(f"wrote {write_trace(loadable, image, options.output, options.target)}")
        elif options.goldens:
            failed = report(goldens(options.goldens, options.match, engine_named(options.engine)))
        else:
            failed = report(texts(options.traces, options.target, engine_named(options.engine)))

    return run_command(parser, work, arguments) or min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
