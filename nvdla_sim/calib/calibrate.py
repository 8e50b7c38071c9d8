"""The calibration run: the net in float over many images, twice, then a scale for every layer.

The first pass finds the largest |x| of every tensor, the second counts histograms up to it. One pass with a
range that grows would save the second float run, but gives other bins than the published methods are
defined on, and bins that depend on the order of the images.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from nvdla_sim.calib.datasets.dataset import Dataset, Skipped
from nvdla_sim.calib.histogram import Histogram, absolute_maximum
from nvdla_sim.calib.layers import entries, fused_range_of, range_of
from nvdla_sim.calib.methods import Method
from nvdla_sim.calib.preprocess import Preprocess
from nvdla_sim.calib.statistics import Statistics
from nvdla_sim.calib.table import Table
from nvdla_sim.errors import CalibrationError, ImageError, UnsupportedError, listed
from nvdla_sim.graph.graph import Graph
from nvdla_sim.graph.operator import Array

Seen = dict[str, Histogram]
Problems = dict[int, ImageError]

# Small images run several at once; about this many values of all tensors together.
BATCH_VALUES = 1 << 21
MAX_BATCH = 64
SAVE_EVERY = 30.0  # seconds
MUCH_CUT = 0.05  # a method that cuts off half the range and more of the values is worth a remark


def single_input(graph: Graph) -> str:
    """The net's only input; ``UnsupportedError`` when it has several."""
    if len(graph.inputs) != 1:
        raise UnsupportedError(
            f"the net has {len(graph.inputs)} inputs ({', '.join(graph.inputs)}); a data set feeds one"
        )
    return graph.inputs[0]


def input_batch(
    graph: Graph, dataset: Dataset, preprocess: Preprocess, indices: range
) -> tuple[Array | None, list[str], Problems]:
    """The readable images as the net's input (None: not one), their names, and why others are not."""
    tensor = graph.tensors[single_input(graph)]
    steps = preprocess.unless(dataset.preprocessed)
    values, names, problems = [], [], {}
    for index in indices:
        try:
            sample = dataset.read(index)
        except ImageError as problem:
            problems[index] = problem
            continue
        values.append(steps.apply(sample.pixels, tensor.chw, sample.name).reshape(tensor.shape))
        names.append(sample.name)
    return (np.stack(values) if values else None), names, problems


def collect(
    graph: Graph,
    dataset: Dataset,
    preprocess: Preprocess,
    statistics: Statistics,
    skipped: Skipped,
    first: int = 0,
    jobs: int = 1,
    save: Callable[[], None] = lambda: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Complete ``statistics`` of the images from number ``first`` on, continuing where they stand.

    ``jobs``: threads. ``save`` is called now and then; ``progress`` gets images done and to do, of both
    passes. Whenever they are called, ``statistics`` is a state to continue from. ``ImageError`` when too many
    images are unreadable or none is readable, ``CalibrationError`` for values that are not finite.
    """
    name = single_input(graph)
    own = {tensor for tensor, base in range_of(graph).items() if tensor == base}
    values = sum(math.prod(graph.tensors[tensor].shape) for tensor in graph.tensors)
    size = min(MAX_BATCH, max(1, BATCH_VALUES // values))

    def look(indices: range, visit: Callable[[str, Array], None]) -> Problems:
        batch, names, problems = input_batch(graph, dataset, preprocess, indices)
        if batch is not None:
            try:
                graph.run({name: batch}, (), visit)
            except CalibrationError as problem:
                raise CalibrationError(f"{problem} (images {names[0]} to {names[-1]})") from None
        return problems

    def measure(indices: range) -> tuple[Seen, Problems]:
        seen: Seen = {}

        def visit(tensor: str, values: Array) -> None:
            if tensor in own:
                absmax = absolute_maximum(values)
                if not np.isfinite(absmax):
                    raise CalibrationError(f'tensor "{tensor}" holds values that are not finite')
                seen[tensor] = Histogram(absmax)

        return seen, look(indices, visit)

    def count(indices: range) -> tuple[Seen, Problems]:
        seen: Seen = {}

        def visit(tensor: str, values: Array) -> None:
            if tensor in own:
                seen[tensor] = Histogram(statistics.histograms[tensor].absmax)
                seen[tensor].count(values)

        return seen, look(indices, visit)

    def add_maxima(seen: Seen, done: int) -> None:
        for tensor, found in seen.items():
            known = statistics.histograms.setdefault(tensor, found)
            known.absmax = max(known.absmax, found.absmax)
        statistics.measured += done

    def add_counts(seen: Seen, done: int) -> None:
        for tensor, found in seen.items():
            statistics.histograms[tensor].merge(found)
        statistics.counted += done

    saved = time.monotonic()
    passes = ((measure, add_maxima, statistics.measured), (count, add_counts, statistics.counted))
    for work, add, start in passes:
        batches = _batches(first + start, first + statistics.images, size)
        for indices, (seen, problems) in _in_order(work, batches, jobs):
            for index, problem in problems.items():
                skipped.add(index, problem)
            add(seen, len(indices))
            statistics.skipped = skipped.problems
            if time.monotonic() - saved > SAVE_EVERY:
                save()
                saved = time.monotonic()
            progress(statistics.measured + statistics.counted, 2 * statistics.images)
        if not statistics.histograms:
            raise ImageError(
                listed(
                    f"{dataset.source}: not one of {statistics.images} images can be read",
                    skipped.problems.values(),
                )
            )


def make_table(graph: Graph, statistics: Statistics, method: Method, source: str) -> tuple[Table, list[str]]:
    """The table, and remarks on what a user may not expect of it.

    Layers whose values are all 0 get the scale 1/127. ``CalibrationError`` when ``statistics`` lack a tensor.
    """
    ranges = fused_range_of(graph) if method.after_fusion else range_of(graph)
    missing = sorted({tensor for tensor in ranges.values() if tensor not in statistics.histograms})
    if missing:
        raise CalibrationError(f"there are no histograms of {', '.join(missing)}: run over the images again")
    scales: dict[str, np.float32] = {}
    remarks = []
    for tensor in dict.fromkeys(ranges.values()):
        histogram = statistics.histograms[tensor]
        amax = 1.0 if histogram.empty else method.amax(histogram)
        scales[tensor] = np.float32(amax) / np.float32(127)
        cut = 0.0 if 2 * amax > histogram.absmax else histogram.beyond(amax)
        if cut > MUCH_CUT:
            remarks.append(
                f"{tensor}: {100 * cut:.0f} % of the values other than 0 are above amax {amax:.4g} and are "
                f"cut off, the largest is {histogram.absmax:.4g}: does another method score better?"
            )
    table = {name: float(scales[ranges[tensor]]) for name, tensor in entries(graph)}
    dead = [name for name, tensor in entries(graph) if statistics.histograms[ranges[tensor]].empty]
    if dead:
        remarks.append(f"all values are 0, scale 1/127: {', '.join(dead)}")
    return Table(table, source), remarks


def _batches(start: int, stop: int, size: int) -> Iterator[range]:
    for at in range(start, stop, size):
        yield range(at, min(at + size, stop))


def _in_order(
    work: Callable[[range], tuple[Seen, Problems]], batches: Iterator[range], jobs: int
) -> Iterator[tuple[range, tuple[Seen, Problems]]]:
    """``work`` of every batch in threads, its results in order; a few batches ahead of what is asked for."""
    pool = ThreadPoolExecutor(jobs)
    waiting: list[tuple[range, Future[tuple[Seen, Problems]]]] = []
    try:
        for indices in batches:
            waiting.append((indices, pool.submit(work, indices)))
            if len(waiting) > jobs:
                indices, future = waiting.pop(0)
                yield indices, future.result()
        for indices, future in waiting:
            yield indices, future.result()
    finally:
        pool.shutdown(cancel_futures=True)
