"""nvdla-eval: top-1 and top-5 of a net in float and in int8 on labelled images."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nvdla_sim.cli._command import command_parser, run_command
from nvdla_sim.cli._cores import chosen_jobs, one_thread_for_products
from nvdla_sim.cli._net import add_compiling, add_net, chosen_compiling
from nvdla_sim.cli._numbers import whole
from nvdla_sim.cli._preprocessing import (
    add_preprocessing,
    check_flags,
    chosen_preprocessing,
    formula,
    with_scale,
)
from nvdla_sim.errors import OptionError

if TYPE_CHECKING:
    from nvdla_sim.analysis.evaluate.job import Job
    from nvdla_sim.analysis.evaluate.summary import Accuracy, Summary
    from nvdla_sim.calib.datasets.dataset import Dataset

MOST_CHANGES = 10  # printed; the JSON file has them all


def main(arguments: Sequence[str] | None = None) -> int:
    one_thread_for_products()
    return run_command(_parser(), evaluate_net, arguments)


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "nvdla-eval",
        "Score a net in float and in int8 on labelled images. A prediction is among the top k when at most k "
        "classes have at least the true class's value.",
    )
    add_net(parser)
    add = parser.add_argument
    add("--loadable", metavar="FILE", help="the int8 net; or else it is compiled with --calibtable")
    add(
        "--calibtable", metavar="FILE",
        help="the calibration table: JSON, cache or .table; with --loadable, for the scale of its input",
    )  # fmt: skip
    add("--configtarget", metavar="NAME", help="the hardware configuration (default: nv_full, or inferred)")
    add_compiling(parser)
    add(
        "--data", metavar="PATH", required=True,
        help="labelled images: a list of paths and labels, class folders, an lmdb of Datum, TensorRT's batch "
        "files, .npz",
    )  # fmt: skip
    add("--root", metavar="DIR", help="where a list's relative paths start (default: the list's folder)")
    add("--batch", metavar="N", default="1", help="images of a batch, for --first and --count (default: 1)")
    add("--first", metavar="N", default="0", help="the number of the first batch (default: 0)")
    add("--count", metavar="N", help="how many batches (default: all)")
    add("--skip-limit", metavar="N", default="10", help="unreadable images to skip by name (default: 10)")
    add("--jobs", metavar="N", help="processes (default: one for each core)")
    add("--cluster", metavar="ADDRESS", help="run on the workers of this Dask scheduler: tcp://host:8786")
    add("--json", metavar="FILE", help="write the figures, with all changed classes")
    add("--csv", metavar="FILE", help="write a line for each image")
    add_preprocessing(parser)
    return parser


def evaluate_net(options: argparse.Namespace) -> None:
    from nvdla_sim.analysis.evaluate.engine import MAX_CHUNK, evaluate
    from nvdla_sim.analysis.evaluate.summary import record, summarise, table
    from nvdla_sim.calib.datasets.dataset import Skipped
    from nvdla_sim.calib.datasets.opening import open_dataset
    from nvdla_sim.cli._progress import SlowProgress
    from nvdla_sim.files import check_places, write_atomically

    check_places(options.json, options.csv)
    job = _job(options)
    dataset = open_dataset(job.data, job.root)
    check_flags(options, dataset)
    indices = _indices(options, dataset)
    workers = chosen_jobs(options.jobs)
    skipped = Skipped(whole("--skip-limit", options.skip_limit, least=0))
    print(f"{len(indices)} images of {dataset.source} from number {indices.start}")
    done_to_images = _formula(job, dataset)
    print(done_to_images)
    with SlowProgress("evaluating") as progress:
        # a process is worth its start from a chunk on
        jobs = min(workers, -(-len(indices) // MAX_CHUNK))
        outcomes = evaluate(job, indices, skipped, jobs, options.cluster, progress)
    for _, problem in sorted(skipped.problems.items()):
        print(f"skipped: {problem}", file=sys.stderr)
    if not outcomes:
        raise OptionError(f"{dataset.source}: not one image could be read")
    summary = summarise(outcomes)
    _print(summary)
    if options.json is not None:
        import json

        content = {
            "net": [job.prototxt, job.caffemodel],
            "loadable": job.loadable,
            "table": job.table,
            "preprocessing": done_to_images,
            "data": dataset.source,
            "first": indices.start,
            **record(summary),
        }
        write_atomically(options.json, json.dumps(content, indent=1, allow_nan=False).encode())
        print(f"wrote {options.json}")
    if options.csv is not None:
        write_atomically(options.csv, table(outcomes))
        print(f"wrote {options.csv}")


def _job(options: argparse.Namespace) -> Job:
    from nvdla_sim.analysis.evaluate.job import Job

    compiling = chosen_compiling(options, lambda: _check_int8(options))

    def whole_path(path: str | None) -> str | None:
        # workers may have another working directory
        return None if path is None else os.path.abspath(path)

    return Job(
        prototxt=os.path.abspath(options.prototxt),
        caffemodel=os.path.abspath(options.caffemodel),
        data=os.path.abspath(options.data),
        preprocess=chosen_preprocessing(options),
        root=whole_path(options.root),
        table=whole_path(options.calibtable),
        loadable=whole_path(options.loadable),
        target=options.configtarget,
        quantization=compiling.quantization,
        input_format=compiling.input_format,
    )


def _check_int8(options: argparse.Namespace) -> None:
    if options.loadable is None and options.calibtable is None:
        raise OptionError("int8 needs --loadable FILE, or --calibtable FILE to compile with")


def _indices(options: argparse.Namespace, dataset: Dataset) -> range:
    """The images' numbers."""
    batch = whole("--batch", options.batch)
    first = whole("--first", options.first, least=0) * batch
    if first >= len(dataset):
        raise OptionError(f"the first image would be number {first}, {dataset.source} has {len(dataset)}")
    end = len(dataset)
    if options.count is not None:
        end = first + whole("--count", options.count) * batch
        if end > len(dataset):
            raise OptionError(f"images up to {end} are asked for, {dataset.source} has {len(dataset)}")
    return range(first, end)


def _formula(job: Job, dataset: Dataset) -> str:
    """What is done to the images; fails for a net that cannot be loaded or compiled, before anything runs."""
    from nvdla_sim.caffe.importer import load_caffe

    text = formula(job.preprocess, dataset.preprocessed)
    _, scale = job.load_int8(load_caffe(job.prototxt, job.caffemodel))
    if scale is not None:
        return with_scale(text, scale)
    return f"{text}; int8 input q = floor(pixel * 127 / 255 + 0.5), since the loadable tells no scale"


def _print(summary: Summary) -> None:
    def row(name: str, accuracy: Accuracy) -> str:
        return f"{name:6} {100 * accuracy.top1:7.2f} %  {100 * accuracy.top5:7.2f} %  {accuracy.ms:9.3f}"

    print(f"{'':6} {'top-1':>9}  {'top-5':>9}  {'ms/image':>9}")
    print(row("float", summary.in_float))
    print(row("int8", summary.in_int8))
    changed = summary.images - round(summary.agreement * summary.images)
    print(f"{summary.images} images, {changed} in another class in int8")
    for change in summary.changes[:MOST_CHANGES]:
        print(
            f"  class {change.in_float} -> {change.in_int8}: {change.count} "
            f"({change.spoiled} right before, {change.mended} right now)"
        )
    if len(summary.changes) > MOST_CHANGES:
        print(f"  and {len(summary.changes) - MOST_CHANGES} other pairs of classes")


if __name__ == "__main__":
    sys.exit(main())
