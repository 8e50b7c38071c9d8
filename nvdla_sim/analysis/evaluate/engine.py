"""Where the images run: in this process, in processes of this machine, or on a Dask cluster.

A chunk of images gives its outcomes whole or not at all, and outcomes are kept by the image's number: a
worker that dies loses nothing, and nothing counts twice.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from nvdla_sim.analysis.evaluate.job import Job, evaluate_chunk
from nvdla_sim.analysis.evaluate.outcome import Outcome, Unreadable
from nvdla_sim.calib.datasets.dataset import Skipped
from nvdla_sim.errors import ImageError, NvdlaError, OptionError

MAX_CHUNK = 16
CHUNKS_EACH = 4  # at least so many for each worker, so that all end at about the same time
CONNECT_SECONDS = 20

Chunk = list[Outcome | Unreadable]
Pool = tuple[Executor, int]  # and how many workers it has
Progress = Callable[[int, int], None]


def evaluate(
    job: Job,
    indices: range,
    skipped: Skipped,
    jobs: int = 1,
    cluster: str | None = None,
    progress: Progress = lambda done, total: None,
) -> dict[int, Outcome]:
    """The outcome of every readable image by its number, in order; ``skipped`` takes the others.

    ``jobs``: processes of this machine. ``cluster``: the address of a Dask scheduler whose workers run
    instead; they read the job's files by the same paths. ``progress(done, total)`` counts images.
    ``NvdlaError`` of any image or worker ends the whole evaluation.
    """
    outcomes: dict[int, Outcome] = {}
    done = 0
    for chunk in _chunks(job, indices, jobs, cluster):
        for outcome in chunk:
            if isinstance(outcome, Unreadable):
                skipped.add(outcome.index, ImageError(outcome.problem))
            else:
                outcomes[outcome.index] = outcome
        done += len(chunk)
        progress(done, len(indices))
    return dict(sorted(outcomes.items()))


def _chunks(job: Job, indices: range, jobs: int, cluster: str | None) -> Iterator[Chunk]:
    if cluster is None and jobs == 1:
        for index in indices:
            yield evaluate_chunk(job, [index])
        return
    with _local(jobs) if cluster is None else _cluster(cluster) as (executor, workers):
        size = max(1, min(MAX_CHUNK, len(indices) // (CHUNKS_EACH * workers)))
        futures: list[Future[Chunk]] = [
            executor.submit(evaluate_chunk, job, indices[start : start + size])
            for start in range(0, len(indices), size)
        ]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            for future in futures:
                future.cancel()


@contextmanager
def _local(jobs: int) -> Iterator[Pool]:
    # a new interpreter each: a copy of this one would have its threads' locks as they are
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(jobs, mp_context=context) as executor:
            yield executor, jobs
    except BrokenProcessPool:
        raise NvdlaError(
            "a worker process was killed, perhaps for lack of memory: use fewer of them with --jobs"
        ) from None


@contextmanager
def _cluster(address: str) -> Iterator[Pool]:
    try:
        from distributed import Client, KilledWorker
    except ImportError:
        raise OptionError('a cluster needs Dask: pip install "nvdla-sim[cluster]"') from None
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as problem:
        raise OptionError(f'there is no Dask scheduler at "{address}": {problem}') from None
    with client:
        try:
            client.wait_for_workers(1, timeout=CONNECT_SECONDS)
            yield client.get_executor(pure=False), len(client.scheduler_info()["workers"])
        except TimeoutError:
            raise OptionError(f'the Dask scheduler at "{address}" has no workers') from None
        except KilledWorker as problem:
            raise NvdlaError(f"the cluster's workers die of these images: {problem}") from None
        except CancelledError:
            raise NvdlaError(f'the Dask scheduler at "{address}" is gone') from None
