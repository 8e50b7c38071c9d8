"""The progress bar: only on a terminal, and only when it takes long."""

from __future__ import annotations

import io
import subprocess
import sys
import time

import pytest

from nvdla_sim.cli import _progress
from nvdla_sim.cli._progress import SlowProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_slow_work_shows_a_bar_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(_progress, "QUIET_SECONDS", 0.01)
    with SlowProgress("working") as progress:
        progress(1, 4)
        for _ in range(500):
            if "working" in terminal.getvalue():
                break
            time.sleep(0.02)
        progress(3, 4)
    shown = terminal.getvalue()
    assert "25%" in shown
    assert shown.endswith("\x1b[2K")  # the line is erased


def test_quick_work_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(_progress, "QUIET_SECONDS", 60.0)
    with SlowProgress("working") as progress:
        progress(1, 4)
    assert terminal.getvalue() == ""


def test_nothing_is_imported_without_a_terminal() -> None:
    code = (
        "import sys, time; from nvdla_sim.cli import _progress; _progress.QUIET_SECONDS = 0.0\n"
        "with _progress.SlowProgress('working') as progress: progress(1, 2); time.sleep(0.1)\n"
        "sys.exit('rich' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
