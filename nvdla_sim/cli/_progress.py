"""A progress bar for commands: on a terminal, and only for work that takes longer than a second."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

QUIET_SECONDS = 1.0


class SlowProgress:
    """``with SlowProgress("compiling") as progress: ... progress(done, total) ...``

    Until the first call the bar only shows that something goes on.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._lock = threading.Lock()
        self._done, self._total = 0, 0
        self._bar: tuple[Progress, TaskID] | None = None
        self._timer = threading.Timer(QUIET_SECONDS, self._show)
        self._timer.daemon = True

    def __enter__(self) -> SlowProgress:
        if sys.stderr.isatty():
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            if self._bar is not None:
                self._bar[0].stop()

    def __call__(self, done: int, total: int) -> None:
        with self._lock:
            self._done, self._total = done, total
            if self._bar is not None:
                self._bar[0].update(self._bar[1], completed=done, total=total)

    def _show(self) -> None:
        # only who waits pays for the import
        from rich.console import Console
        from rich.progress import Progress

        with self._lock:
            if not self._timer.finished.is_set():  # a bar would stay after the work
                bar = Progress(console=Console(stderr=True), transient=True)
                self._bar = bar, bar.add_task(self._what, completed=self._done, total=self._total or None)
                bar.start()
