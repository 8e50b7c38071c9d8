"""The cores that a command may use."""

from __future__ import annotations

import os

from nvdla_sim.cli._numbers import whole


def chosen_jobs(word: str | None) -> int:
    """What ``--jobs`` says; None: one for each core that this process may use."""
    if word is not None:
        return whole("--jobs", word)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def one_thread_for_products() -> None:
    """For commands that run many images at once, each on a core: to be called before NumPy is imported.

    A matrix product that spreads over all cores would only disturb the other images.
    """
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
