#!/usr/bin/env python3
"""Calibrate a net with every method and score each table: scales and int8 top-1 in one matrix.

    python tools/calibration_matrix.py ../shared/goldens/lenet-mnist

The folder holds a ``.prototxt``, a ``.caffemodel``, ``images/<anything>_<label>.<ending>`` and, to compare
with, other tables (``.json``). One image in ``--every`` calibrates, the others are scored on
``--configtarget``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from nvdla_sim.caffe.importer import load_caffe
from nvdla_sim.calib.calibrate import collect, input_batch, make_table, single_input
from nvdla_sim.calib.datasets.dataset import Dataset, Skipped
from nvdla_sim.calib.datasets.pictures import Entry, Pictures, is_picture
from nvdla_sim.calib.methods import METHODS
from nvdla_sim.calib.preprocess import Preprocess
from nvdla_sim.calib.statistics import Statistics
from nvdla_sim.calib.table import Table
from nvdla_sim.calib.table_io import load_table
from nvdla_sim.cli._command import command_parser, run_command
from nvdla_sim.cli._numbers import whole
from nvdla_sim.cli._score import Scorer
from nvdla_sim.errors import OptionError
from nvdla_sim.graph.graph import Graph


def main(arguments: list[str] | None = None) -> int:
    parser = command_parser("calibration_matrix.py", __doc__ or "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", default="3", metavar="N")
    parser.add_argument("--normalize", type=float, default=255.0, metavar="N")
    parser.add_argument("--configtarget", default="nv_small", metavar="NAME")
    return run_command(parser, run, arguments)


def run(options: argparse.Namespace) -> None:
    folder: Path = options.folder
    files = [sorted(folder.glob(pattern)) for pattern in ("*.prototxt", "*.caffemodel", "images/*")]
    if not all(files):
        raise OptionError(f"{folder}: needed are a .prototxt, a .caffemodel and pictures in images/")
    graph = load_caffe(files[0][0], files[1][0])
    calibrating, scored = split(folder / "images", whole("--every", options.every))
    preprocess = Preprocess.of(normalize=options.normalize)
    tables = {path.name: load_table(path, graph) for path in sorted(folder.glob("*.json")) if is_table(path)}
    tables |= calibrated(graph, calibrating, preprocess)
    print(f"{len(calibrating)} images calibrate, {len(scored)} are scored; {preprocess.formula}")
    print("\n".join(matrix(graph, tables, scored, preprocess, options.configtarget)))


def is_table(path: Path) -> bool:
    return '"scale"' in path.read_text(errors="replace")[:500]


def split(folder: Path, every: int) -> tuple[Dataset, Dataset]:
    """One picture in ``every``, and the others, labelled by the end of their names."""
    pictures = [path for path in sorted(folder.iterdir()) if is_picture(path)]
    labels = [path.stem.rpartition("_")[2] for path in pictures]
    if not all(map(str.isdecimal, labels)):
        raise OptionError(f"{folder}: the names of its pictures must end in their label, as in 7_3.jpg")
    entries = [Entry(path, int(label)) for path, label in zip(pictures, labels, strict=True)]
    chosen = entries[::every]
    return Pictures("calibration", chosen), Pictures(
        "score", [entry for entry in entries if entry not in chosen]
    )


def calibrated(graph: Graph, dataset: Dataset, preprocess: Preprocess) -> dict[str, Table]:
    """A table by each method, from one run."""
    statistics = Statistics({}, len(dataset))
    collect(graph, dataset, preprocess, statistics, Skipped(0))
    return {name: make_table(graph, statistics, method, name)[0] for name, method in METHODS.items()}


def matrix(
    graph: Graph, tables: dict[str, Table], dataset: Dataset, preprocess: Preprocess, target: str
) -> list[str]:
    """A line for every table: amax of each layer, then top-1."""
    scorer = Scorer(graph, dataset, preprocess, range(len(dataset)), target)
    names = list(next(iter(tables.values())).scales)
    width = max(map(len, tables), default=0)
    lines = [" " * width + "".join(f"{name[:9]:>10}" for name in names) + f"{'top-1':>10}"]
    for title, table in tables.items():
        right = round(scorer.top1(table) * len(dataset))
        values = "".join(f"{127 * table.scales[name]:10.4f}" for name in names)
        lines.append(f"{title:{width}}{values}{f'{right}/{len(dataset)}':>10}")
    right = float_top1(graph, dataset, preprocess)
    lines.append(f"{'float':{width}}{'':{10 * len(names)}}{f'{right}/{len(dataset)}':>10}")
    return lines


def float_top1(graph: Graph, dataset: Dataset, preprocess: Preprocess) -> int:
    """How many images the float net gets right."""
    batch, _, _ = input_batch(graph, dataset, preprocess, range(len(dataset)))
    (output,) = graph.run({single_input(graph): batch}, graph.outputs[:1]).values()
    labels = [dataset.read(index).label for index in range(len(dataset))]
    return int((np.argmax(output.reshape(len(labels), -1), axis=1) == labels).sum())


if __name__ == "__main__":
    sys.exit(main())
