"""nvdla-calibrate: a Caffe net and images -> a calibration table."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nvdla_sim.cli._command import command_parser, run_command
from nvdla_sim.cli._cores import chosen_jobs, one_thread_for_products
from nvdla_sim.cli._net import add_net
from nvdla_sim.cli._numbers import whole
from nvdla_sim.cli._preprocessing import (
    FLAGS,
    add_preprocessing,
    check_flags,
    chosen_preprocessing,
    formula,
)
from nvdla_sim.errors import OptionError, one_of

if TYPE_CHECKING:
    from nvdla_sim.calib.datasets.dataset import Dataset
    from nvdla_sim.calib.methods import Method
    from nvdla_sim.calib.preprocess import Preprocess
    from nvdla_sim.calib.statistics import Statistics
    from nvdla_sim.cli._score import Scorer
    from nvdla_sim.graph.graph import Graph

DEFAULT_METHOD = "kl-trt"
FIRST = "0"


def main(arguments: Sequence[str] | None = None) -> int:
    one_thread_for_products()
    return run_command(_parser(), calibrate, arguments)


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "nvdla-calibrate",
        "Make a calibration table: run the net in float over images and choose a scale for every layer.",
        "methods: minmax, percentile, mse, kl-trt (TensorRT's entropy 2), entropy-v1 (TensorRT's first),\n"
        "legacy (TensorRT 2: quantile and cutoff), kl-caffe-int8 (caffe-int8-convert-tools), kl-ncnn",
    )
    add_net(parser)
    add = parser.add_argument
    add(
        "--images", metavar="PATH",
        help="a folder of pictures or of class folders, a list of paths, an lmdb of Datum, TensorRT's batch "
        "files, .npy or .npz",
    )  # fmt: skip
    add("--root", metavar="DIR", help="where a list's relative paths start (default: the list's folder)")
    add("--count", metavar="N", help="how many images (default: all)")
    add("--first", metavar="N", default=FIRST, help="the number of the first image (default: 0)")
    add("--skip-limit", metavar="N", default="10", help="unreadable images to skip by name (default: 10)")
    add("--method", metavar="WORD", default=DEFAULT_METHOD, help=f"see below (default: {DEFAULT_METHOD})")
    add("--percentile", metavar="P", help="of method percentile, above 0 up to 100 (default: 99.99)")
    add("--quantile", metavar="Q", help="of method legacy, above 0 up to 1 (default: 0.999999)")
    add("--cutoff", metavar="C", help="of method legacy, above 0 up to 1 (default: 1)")
    add(
        "--search", metavar="PATH",
        help="method legacy: labelled images; quantile and cutoff are those with the best int8 top-1 on them",
    )  # fmt: skip
    add("--search-count", metavar="N", help="how many of them (default: all)")
    add("--configtarget", metavar="NAME", default="nv_full", help="for --search (default: nv_full)")
    add("-o", metavar="FILE", dest="output", required=True, help="the table: .json, .cache, .txt or .table")
    add("--format", metavar="WORD", help="json, cache or table (default: what the ending says)")
    add("--save-hist", metavar="FILE", help="keep the histograms (.npz)")
    add("--load-hist", metavar="FILE", help="use kept histograms instead of images")
    add("--resume", action="store_true", help="go on where an interrupted run was")
    add("--jobs", metavar="N", help="threads (default: one for each core)")
    add_preprocessing(parser)
    return parser


def calibrate(options: argparse.Namespace) -> None:
    from nvdla_sim.caffe.importer import load_caffe
    from nvdla_sim.calib.calibrate import make_table
    from nvdla_sim.calib.methods import METHODS
    from nvdla_sim.calib.statistics import Statistics
    from nvdla_sim.calib.table_io import kind_to_write, render
    from nvdla_sim.files import check_places, write_atomically

    kind = kind_to_write(options.output, options.format)
    check_places(options.output, options.save_hist)
    name = one_of("--method", options.method.lower(), METHODS)
    method = _with_numbers(name, METHODS[name], options)
    _check_source(options)
    graph = load_caffe(options.prototxt, options.caffemodel)
    net = _digest(options.prototxt, options.caffemodel)
    scorer = None if options.search is None else _scorer(options, graph)
    if options.load_hist is not None:
        statistics = Statistics.load(options.load_hist)
        statistics.check_identity({"net": net}, f"histograms {options.load_hist}")
        if not statistics.complete:
            raise OptionError(
                f"{options.load_hist} is of an interrupted run: finish it with --resume --save-hist FILE"
            )
        told = (
            statistics.identity.get(aspect, f"{aspect} not told") for aspect in ("images", "preprocessing")
        )
        print(f"histograms of {'; '.join(told)}")
    else:
        statistics = _collected(options, graph, net)
    if scorer is not None:
        method = _search(scorer, graph, statistics, method)
    table, remarks = make_table(graph, statistics, method, f"calibration table {options.output}")
    for remark in remarks:
        print(remark)
    write_atomically(options.output, render(table, kind, graph, method.trt_word))
    print(f"wrote {options.output}: {len(table.scales)} scales by {name}")


def _check_source(options: argparse.Namespace) -> None:
    """``OptionError`` without images, and for flags that kept histograms leave without a use."""
    if (options.images is None) == (options.load_hist is None):
        raise OptionError("give --images, or --load-hist with what an earlier run kept (one of them)")
    if options.load_hist is None:
        return
    unused = ["count", "save_hist", "jobs"]
    if options.search is None:
        unused += ["root", *FLAGS]
    given = [name for name in unused if getattr(options, name) is not None]
    given += ["resume"] if options.resume else []
    given += ["first"] if options.first != FIRST else []
    if given:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise OptionError(f"--load-hist takes numbers of images that were read before: leave {flags} out")


def _with_numbers(name: str, method: Method, options: argparse.Namespace) -> Method:
    """The method with the numbers that were given for it."""
    from functools import partial

    limits = {"percentile": ("percentile", 100.0), "quantile": ("legacy", 1.0), "cutoff": ("legacy", 1.0)}
    given: dict[str, float] = {}
    for option, (owner, limit) in limits.items():
        word = getattr(options, option)
        if word is None:
            continue
        if name != owner:
            raise OptionError(f"--{option} is a number of method {owner}, not of {name}")
        try:
            given[option] = float(word)
        except ValueError:
            given[option] = -1.0
        if not 0 < given[option] <= limit:
            raise OptionError(f'--{option} "{word}": allowed are numbers above 0 up to {limit:g}')
    if options.search is not None and (name != "legacy" or given):
        raise OptionError("--search is for method legacy without --quantile and --cutoff")
    return method._replace(amax=partial(method.amax, **given)) if given else method


def _collected(options: argparse.Namespace, graph: Graph, net: str) -> Statistics:
    """Histograms of the images; what an interrupted run leaves is in a file beside the table."""
    from nvdla_sim.calib.calibrate import collect
    from nvdla_sim.calib.datasets.dataset import Skipped
    from nvdla_sim.calib.statistics import Statistics
    from nvdla_sim.cli._progress import SlowProgress

    dataset, first, count = _images(options.images, options.root, options.first, options.count)
    preprocess, formula = _preprocessing(options, dataset)
    images = f"{count} images of {dataset.source} from number {first}"
    print(f"{images}; {formula}")
    state = options.save_hist or f"{options.output}.partial.npz"
    identity = {"net": net, "images": images, "preprocessing": formula}
    if options.resume and os.path.exists(state):
        statistics = Statistics.load(state)
        statistics.check_identity(identity, f"the interrupted run {state}")
    else:
        statistics = Statistics(identity, count)
    skipped = Skipped(whole("--skip-limit", options.skip_limit, least=0), statistics.skipped)
    jobs = chosen_jobs(options.jobs)
    with SlowProgress("calibrating") as bar, _deferred_interrupt() as interrupted:

        def progress(done: int, total: int) -> None:
            bar(done, total)
            if interrupted():
                statistics.save(state)
                print(f"{done} of {total} steps are kept in {state}; go on with --resume", file=sys.stderr)
                raise KeyboardInterrupt

        collect(
            graph, dataset, preprocess, statistics, skipped, first, jobs,
            lambda: statistics.save(state), progress,
        )  # fmt: skip
    for problem in skipped.problems.values():
        print(f"skipped: {problem}", file=sys.stderr)
    if options.save_hist is not None:
        statistics.save(state)
        print(f"wrote {state}: histograms")
    elif os.path.exists(state):
        os.unlink(state)
    return statistics


def _images(path: str, root: str | None, first: str, count: str | None) -> tuple[Dataset, int, int]:
    """The data set, and which of its images: number of the first one, how many."""
    from nvdla_sim.calib.datasets.opening import open_dataset

    dataset = open_dataset(path, root)
    start = whole("--first", first, least=0)
    if start >= len(dataset):
        raise OptionError(f"--first {start}: {dataset.source} has {len(dataset)} images")
    rest = len(dataset) - start
    return dataset, start, rest if count is None else min(rest, whole("--count", count))


def _preprocessing(options: argparse.Namespace, dataset: Dataset) -> tuple[Preprocess, str]:
    """What is done to the data set's images, and its formula; ``OptionError`` for flags without a use."""
    preprocess = chosen_preprocessing(options)
    check_flags(options, dataset)
    return preprocess, formula(preprocess, dataset.preprocessed)


def _scorer(options: argparse.Namespace, graph: Graph) -> Scorer:
    """Of the labelled images of --search."""
    from nvdla_sim.cli._score import Scorer

    dataset, first, count = _images(options.search, options.root, FIRST, options.search_count)
    preprocess, formula = _preprocessing(options, dataset)
    print(f"search on {count} images of {dataset.source}; {formula}")
    return Scorer(graph, dataset, preprocess, range(first, first + count), options.configtarget)


def _search(scorer: Scorer, graph: Graph, statistics: Statistics, method: Method) -> Method:
    """The method with the quantile and cutoff that score best."""
    from functools import partial

    from nvdla_sim.calib.calibrate import make_table
    from nvdla_sim.calib.methods import legacy

    def score(quantile: float, cutoff: float) -> float:
        chosen = method._replace(amax=partial(legacy.amax, quantile=quantile, cutoff=cutoff))
        result = scorer.top1(make_table(graph, statistics, chosen, "the table of this try")[0])
        print(f"top-1 {100 * result:.2f} %: quantile {quantile:.10g}, cutoff {cutoff:g}")
        return result

    best = legacy.search(score)
    print(f"best top-1 {100 * best.score:.2f} %: quantile {best.quantile:.10g}, cutoff {best.cutoff:g}")
    return method._replace(amax=partial(legacy.amax, quantile=best.quantile, cutoff=best.cutoff))


@contextmanager
def _deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """Tells whether Ctrl-C was pressed, so that a run stops between images; a second one stops at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return

    def note(number: int, frame: Any) -> None:
        asked.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def _digest(*paths: str) -> str:
    """A net's identity: a hash of its files."""
    import hashlib

    from nvdla_sim.errors import ModelError
    from nvdla_sim.files import read_bytes

    digest = hashlib.sha256()
    for path in paths:
        digest.update(hashlib.sha256(read_bytes(path, ModelError, "file")).digest())
    return digest.hexdigest()[:16]


if __name__ == "__main__":
    sys.exit(main())
