"""A Dask cluster of two worker processes, one of which is killed while it works."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from nvdla_sim.analysis.evaluate.engine import evaluate
from nvdla_sim.calib.datasets.dataset import Skipped
from nvdla_sim.errors import OptionError
from tests.analysis.evaluate.nets import digits_job, digits_list

distributed = pytest.importorskip("distributed")

IMAGES = 400


def test_a_killed_worker_loses_nothing_and_nothing_counts_twice(tmp_path: Path) -> None:
    job = digits_job(digits_list(tmp_path, times=IMAGES // 10))
    killed: list[int] = []
    steps: list[int] = []
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        workers = set(client.run(os.getpid).values())
        assert len(workers) == 2

        def kill_one(done: int, total: int) -> None:
            steps.append(done)
            if not killed:
                assert 0 < done < total / 2
                killed.append(min(workers))
                os.kill(killed[0], signal.SIGKILL)

        outcomes = evaluate(
            job, range(IMAGES), Skipped(0), cluster=cluster.scheduler_address, progress=kill_one
        )
        assert killed[0] not in client.run(os.getpid).values()
    assert list(outcomes) == list(range(IMAGES))
    assert steps == sorted(set(steps))
    assert steps[-1] == IMAGES
    for index, outcome in outcomes.items():
        assert (outcome.index, outcome.label) == (index, index % 10)
        assert outcome.in_float.best == index % 10


def test_no_scheduler_at_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nvdla_sim.analysis.evaluate.engine.CONNECT_SECONDS", 1)
    job = digits_job(digits_list(tmp_path))
    for address in ("tcp://127.0.0.1:1", "nowhere://x"):
        with pytest.raises(OptionError, match=re.escape(f'no Dask scheduler at "{address}"')):
            evaluate(job, range(10), Skipped(0), cluster=address)


def test_a_scheduler_without_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nvdla_sim.analysis.evaluate.engine.CONNECT_SECONDS", 1)
    job = digits_job(digits_list(tmp_path))
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=None) as cluster,
        pytest.raises(OptionError, match="has no workers"),
    ):
        evaluate(job, range(10), Skipped(0), cluster=cluster.scheduler_address)
