"""nvdla-compare: one input in float, fake-quantised and on the chip; names the layer that int8 spoils."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nvdla_sim.cli._command import command_parser, run_command
from nvdla_sim.cli._net import add_compiling, add_net, chosen_compiling
from nvdla_sim.cli._preprocessing import (
    add_preprocessing,
    check_flags,
    chosen_preprocessing,
    formula,
    with_scale,
)
from nvdla_sim.errors import OptionError, one_of
from nvdla_sim.files import check_places

if TYPE_CHECKING:
    from nvdla_sim.analysis.compare.comparison import Comparison
    from nvdla_sim.analysis.compare.dump import Agreement
    from nvdla_sim.analysis.compare.verdict import Verdict
    from nvdla_sim.analysis.compare.versions import Settings
    from nvdla_sim.calib.preprocess import Preprocess
    from nvdla_sim.calib.table import Table
    from nvdla_sim.graph.graph import Graph
    from nvdla_sim.graph.operator import Array

FLOAT_BITS = "32"


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command(_parser(), compare_net, arguments)


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "nvdla-compare",
        "Run one input through a net in float, fake-quantised float and on the int8 chip, hold every tensor "
        "against the float run, and name the first layer that int8 spoils, why, and what to try.",
    )
    add_net(parser)
    add = parser.add_argument
    add("--calibtable", metavar="FILE", required=True, help="the calibration table: JSON, cache or .table")
    add(
        "--image", metavar="FILE", dest="images", action="append", required=True,
        help="a picture, or .npy or .npz with the net's input as float; once for each network input",
    )  # fmt: skip
    add("--configtarget", metavar="NAME", default="nv_full", help="as nvdla-compile (default: nv_full)")
    add_compiling(parser)
    add(
        "--tensor-bits", metavar="N,N", default="32,16,8",
        help="which runs to make beside the chip's: 32 float (always), 16 and 8 fake-quantised "
        "(default: 32,16,8)",
    )  # fmt: skip
    add(
        "--deny", metavar="LAYER", nargs="+", default=[],
        help="layers that stay in float in the fake-quantised runs",
    )  # fmt: skip
    add("--html", metavar="FILE", help="write the comparison as a page with plots")
    add("--json", metavar="FILE", help="write the comparison as JSON")
    add("--dump", metavar="DIR", help="write every tensor of every run as .npy")
    add(
        "--against", metavar="DIR",
        help=".npy files of another tool or of hardware, named like the tensors: tell the first element that "
        "differs (integers from the chip's, others from the float run's)",
    )  # fmt: skip
    add_preprocessing(parser)
    return parser


def compare_net(options: argparse.Namespace) -> None:
    settings = _settings(options)
    check_places(options.html, options.json)
    preprocess = chosen_preprocessing(options)

    from nvdla_sim.analysis.compare.comparison import compare
    from nvdla_sim.analysis.compare.dump import against
    from nvdla_sim.analysis.compare.terminal import print_comparison
    from nvdla_sim.analysis.compare.verdict import judge
    from nvdla_sim.caffe.importer import load_caffe
    from nvdla_sim.cli._progress import SlowProgress

    graph = load_caffe(options.prototxt, options.caffemodel)
    table = _table(options.calibtable, graph)
    inputs, formulas = _inputs(options, graph, preprocess)
    with SlowProgress("comparing"):
        comparison = compare(graph, table, inputs, settings)
    verdict = judge(comparison)
    scales = comparison.versions.scales
    facts = [
        f"net {options.prototxt}, {options.caffemodel}; table {options.calibtable}; {settings.target}, "
        f"{settings.quantization}",
        *(f"input {name}: {with_scale(formulas[name], scales[name])}" for name in graph.inputs),
    ]
    print_comparison(comparison, verdict, facts)
    if options.against is not None:
        _print_agreement(options.against, against(Path(options.against), comparison))
    _write(options, comparison, verdict, facts)


def _settings(options: argparse.Namespace) -> Settings:
    from nvdla_sim.analysis.compare.versions import FAKE_BITS, Settings

    words = [*map(str, FAKE_BITS), FLOAT_BITS]
    chosen = {word.strip() for word in options.tensor_bits.split(",")}
    compiling = chosen_compiling(
        options, lambda: [one_of("--tensor-bits", word, words) for word in sorted(chosen)]
    )
    if options.deny and chosen == {FLOAT_BITS}:
        raise OptionError("--deny keeps layers in float in the fake-quantised runs: --tensor-bits has none")
    return Settings(
        target=options.configtarget,
        quantization=compiling.quantization,
        input_format=compiling.input_format,
        bits=tuple(bits for bits in FAKE_BITS if str(bits) in chosen),
        deny=tuple(options.deny),
    )


def _table(path: str, graph: Graph) -> Table:
    """Of a JSON table as it is: what it lacks is a fault to be shown."""
    from nvdla_sim.calib.table import Table
    from nvdla_sim.calib.table_io import kind_of_file, read_fit

    return Table.load(path) if kind_of_file(path) == "json" else read_fit(path, graph).table


def _inputs(
    options: argparse.Namespace, graph: Graph, preprocess: Preprocess
) -> tuple[dict[str, Array], dict[str, str]]:
    """The net's float inputs, and what was done to get each."""
    from nvdla_sim.calib.datasets.opening import open_dataset

    paths = options.images
    if len(paths) != len(graph.inputs):
        names = ", ".join(f'"{name}"' for name in graph.inputs)
        raise OptionError(f"the net has {len(graph.inputs)} inputs ({names}), {len(paths)} are given")
    inputs, formulas = {}, {}
    for name, path in zip(graph.inputs, paths, strict=True):
        source = open_dataset(path)
        check_flags(options, source)
        sample = source.read(0)
        steps = preprocess.unless(source.preprocessed)
        inputs[name] = steps.apply(sample.pixels, graph.tensors[name].chw, sample.name)
        formulas[name] = f"{sample.name}, {formula(preprocess, source.preprocessed)}"
    return inputs, formulas


def _print_agreement(folder: str, agreement: Agreement) -> None:
    compared = f"{len(agreement.compared)} tensors of {folder} compared"
    found = agreement.first
    if found is None:
        print(f"{compared}: all agree")
        return
    place = ", ".join(map(str, found.index))
    print(
        f'{compared}: "{found.tensor}" ({found.version}) is the first that differs, first at ({place}): '
        f"{found.theirs:.9g} there, {found.ours:.9g} here; {found.count} of {found.total} elements differ"
    )


def _write(
    options: argparse.Namespace, comparison: Comparison, verdict: Verdict, facts: Sequence[str]
) -> None:
    import json

    from nvdla_sim.analysis.compare.dump import write_dump
    from nvdla_sim.analysis.compare.page import page
    from nvdla_sim.analysis.compare.record import record
    from nvdla_sim.files import write_atomically

    if options.json is not None:
        content = {"facts": facts, **record(comparison, verdict)}
        write_atomically(options.json, json.dumps(content, indent=1, allow_nan=False).encode())
        print(f"wrote {options.json}")
    if options.html is not None:
        title = comparison.versions.graph.name or Path(options.prototxt).stem
        write_atomically(options.html, page(comparison, verdict, title, facts).encode())
        print(f"wrote {options.html}")
    if options.dump is not None:
        print(f"wrote {write_dump(Path(options.dump), comparison)} tensors to {options.dump}")


if __name__ == "__main__":
    sys.exit(main())
