"""What every command shares: ``--version``, exit codes, messages without tracebacks.

Exit codes: 0 success, 2 a user's error (message only), 1 a bug of ours (with traceback); where the user ended
it 130 (interrupted) or 141 (nobody reads the output any more), as is usual.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from nvdla_sim._version import __version__
from nvdla_sim.errors import NvdlaError

# What a file's names and lines may not do to a terminal.
CONTROLS = {code: "?" for code in (*range(32), *range(127, 160)) if code != ord("\n")}


def command_parser(prog: str, description: str, epilog: str | None = None) -> argparse.ArgumentParser:
    """A parser with ``--version``; long options must be spelled out, so a script never means two things."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=description,
        epilog=epilog,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


def run_command(
    parser: argparse.ArgumentParser,
    work: Callable[[argparse.Namespace], None],
    arguments: Sequence[str] | None = None,
) -> int:
    """Parse, do the work, and turn its outcome into an exit code."""
    options = parser.parse_args(arguments)

    def show_warning(message: Warning | str, *place: Any, **more: Any) -> None:
        print(f"{parser.prog}: warning: {message}", file=sys.stderr)

    try:
        with warnings.catch_warnings():
            warnings.showwarning = show_warning
            work(options)
        sys.stdout.flush()
    except NvdlaError as problem:
        print(f"{parser.prog}: error: {str(problem).translate(CONTROLS)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{parser.prog}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # who read the output has gone, as in "| head"
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        return 141
    return 0
