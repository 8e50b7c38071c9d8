#!/usr/bin/env python3
"""Play register traces on the simulated chip.

    python tools/trace.py --goldens DIR [--match PATTERN]

plays the golden programs in DIR/*.npz, prints each case that fails with its first differing byte, and closes
with "N passed, M failed". fp16 programs must be refused; they are counted on a line of their own.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def play_goldens(folder: Path, match: str) -> bool:
    """Play, print, count; whether nothing failed."""
    from nvdla_sim.errors import NvdlaError, OptionError, UnsupportedError
    from nvdla_sim.hw.execute import reference_executor
    from tools.golden_programs import load, play

    files = sorted(folder.glob("*.npz"))
    if not files:
        raise OptionError(f"{folder} holds no golden programs (*.npz)")
    passed = failed = unsupported = 0
    for path in files:
        for case in load(path, match):
            try:
                problems = play(case, reference_executor)
            except NvdlaError as problem:
                if case.fp16 and isinstance(problem, UnsupportedError):
                    unsupported += 1
                    continue
                problems = [str(problem)]
            if problems:
                failed += 1
                print(case.name, *problems, sep="\n    ", flush=True)
            else:
                passed += 1
    if unsupported:
        print(f"{unsupported} not yet supported (fp16)")
    print(f"{passed} passed, {failed} failed")
    return failed == 0


def main(arguments: list[str] | None = None) -> int:
    from nvdla_sim.cli._command import command_parser, run_command

    parser = command_parser("trace.py", __doc__ or "")
    parser.add_argument("--goldens", metavar="DIR", type=Path, required=True, help="play DIR/*.npz")
    parser.add_argument(
        "--match", metavar="PATTERN", default="*", help="only cases with such a name (default: %(default)s)"
    )
    failed = False

    def work(options: argparse.Namespace) -> None:
        nonlocal failed
        failed = not play_goldens(options.goldens, options.match)

    return run_command(parser, work, arguments) or int(failed)


if __name__ == "__main__":
    sys.exit(main())
