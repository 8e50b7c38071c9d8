#!/usr/bin/env python3
"""Set up and do one thing: the two commands of the README, on a machine that has only Python 3.11 or newer.

    python3 tools/dev.py demo     install the package, compile the demo net and run a digit
    python3 tools/dev.py test     install what the tests need and run them
    python3 tools/dev.py check    the same for the linter, the type checker and the import contract

Everything goes into the virtual environment `.venv` of this folder; it is made once and reused.
Further words go to the tool behind the command: `python3 tools/dev.py test -k sdp`.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
ENVIRONMENT = REPOSITORY / ".venv"
BIN = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin")


def main(words: list[str]) -> int:
    if not words or words[0] not in ("demo", "test", "check"):
        print(__doc__)
        return 2
    if sys.version_info < (3, 11):
        print(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}")
        return 2
    command, *extra = words
    install("" if command == "demo" else "[test]")
    if command == "demo":
        return run("python", "-m", "nvdla_sim.demo", *extra)
    if command == "test":
        # two workers: the golden suites are long and independent, and more would need more memory
        return run("python", "-m", "pytest", "-n", "2", "--dist", "worksteal", *extra)
    steps = [("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",), ("lint-imports",)]
    return max(run(*step) for step in steps)


def install(extras: str) -> None:
    """Install the package (editable) with its extras, unless this was done for the same pyproject.toml."""
    wanted = hashlib.sha256((REPOSITORY / "pyproject.toml").read_bytes() + extras.encode()).hexdigest()
    stamp = ENVIRONMENT / f"installed{extras or '[base]'}"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    print("setting up .venv (once) ...", flush=True)
    if not (BIN / "pip").exists() and not (BIN / "pip.exe").exists():
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
    code = run("python", "-m", "pip", "install", "--quiet", "--editable", f".{extras}")
    if code:
        sys.exit(code)
    stamp.write_text(wanted)


def run(program: str, *arguments: str) -> int:
    return subprocess.run([str(BIN / program), *arguments], cwd=REPOSITORY, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
