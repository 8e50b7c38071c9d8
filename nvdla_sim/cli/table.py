"""nvdla-table: calibration tables of all kinds, and prototxts that go with them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nvdla_sim.cli._command import command_parser, run_command
from nvdla_sim.cli._preprocessing import add_preprocessing
from nvdla_sim.errors import OptionError

if TYPE_CHECKING:
    from nvdla_sim.calib.table import Table
    from nvdla_sim.graph.graph import Graph


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command(_parser(), lambda options: options.work(options), arguments)


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "nvdla-table", "Convert and check calibration tables; rewrite prototxts so that tensors have names."
    )
    verbs = parser.add_subparsers(metavar="VERB", required=True)

    verb = verbs.add_parser("convert", help="a table of any kind -> json, cache or table", allow_abbrev=False)
    verb.add_argument("table", metavar="IN", help="NVIDIA's JSON, TensorRT's cache or a caffe-int8 .table")
    verb.add_argument("--prototxt", metavar="FILE", help="the net; not needed for JSON -> JSON")
    verb.add_argument("--caffemodel", metavar="FILE", help="its weights, which a .table holds scales of")
    verb.add_argument("--default", metavar="SCALE", help="for layers that get no scale otherwise")
    verb.add_argument("--format", metavar="WORD", help="json, cache or table (default: what the ending says)")
    verb.add_argument(
        "-o", metavar="FILE", dest="output", required=True, help=".json, .cache, .txt or .table"
    )
    verb.set_defaults(work=convert)

    verb = verbs.add_parser("check", help="whether a table fits a net", allow_abbrev=False)
    verb.add_argument("table", metavar="TABLE")
    verb.add_argument("--prototxt", metavar="FILE", required=True, help="the net")
    verb.set_defaults(work=check)

    verb = verbs.add_parser("unique-top", help="give every layer its own top", allow_abbrev=False)
    verb.add_argument("prototxt", metavar="IN.prototxt")
    verb.add_argument("-o", metavar="FILE", dest="output", required=True, help="the new prototxt")
    verb.set_defaults(work=rewrite)

    verb = verbs.add_parser(
        "export-bm1684", help="the prototxts of SOPHON's quantization tools", allow_abbrev=False
    )
    verb.add_argument("prototxt", metavar="IN.prototxt")
    verb.add_argument("--table", metavar="FILE", required=True, help="a calibration table of any kind")
    verb.add_argument("--source", metavar="LMDB", default="lmdb", help="for the Data layer (default: lmdb)")
    verb.add_argument("-o", metavar="DIR", dest="output", required=True, help="where the four files go")
    add_preprocessing(verb)
    verb.set_defaults(work=export_bm1684)
    return parser


def convert(options: argparse.Namespace) -> None:
    from nvdla_sim.calib.table_io import kind_to_write, read_fit, render
    from nvdla_sim.files import write_atomically

    kind = kind_to_write(options.output, options.format)
    default = None if options.default is None else _scale(options.default)
    graph = _graph(options)
    if graph is None:
        table = _json_alone(options.table)
    else:
        result = read_fit(options.table, graph, default)
        print(result.report())
        table = result.complete()
    write_atomically(options.output, render(table, kind, graph))
    print(f"wrote {options.output}: {len(table.scales)} scales")


def check(options: argparse.Namespace) -> None:
    from nvdla_sim.caffe.importer import load_caffe
    from nvdla_sim.calib.layers import entries, range_of
    from nvdla_sim.calib.table_io import read_fit
    from nvdla_sim.errors import listed

    graph = load_caffe(options.prototxt, None)
    result = read_fit(options.table, graph)
    print(result.report())
    table = result.complete()
    names = {tensor: name for name, tensor in entries(graph)}
    ranges = range_of(graph)
    differing = []
    for name, tensor in entries(graph):
        base = names[ranges[tensor]]
        if table.scales[name] != table.scales[base]:
            differing.append(f"{name}: {table.scales[name]:.9g}, {base}: {table.scales[base]:.9g}")
    if differing:
        headline = "layers that cannot rescale and yet have another scale than their input (it is not used):"
        print(listed(headline, differing))
    print(f"{options.table} fits {options.prototxt}")


def rewrite(options: argparse.Namespace) -> None:
    from nvdla_sim.caffe.unique_top import unique_top
    from nvdla_sim.files import write_atomically

    write_atomically(options.output, unique_top(options.prototxt).encode())
    print(f"wrote {options.output}")


def export_bm1684(options: argparse.Namespace) -> None:
    from pathlib import Path

    from nvdla_sim.caffe.data_layers import data_sources
    from nvdla_sim.calib.bm1684 import export
    from nvdla_sim.calib.preprocess import Preprocess
    from nvdla_sim.cli._preprocessing import FLAGS, chosen_preprocessing
    from nvdla_sim.files import write_atomically

    preprocess = Preprocess()
    if not data_sources(options.prototxt):
        preprocess = chosen_preprocessing(options)
        print(f"the Data layers do: {preprocess.formula}")
    elif any(getattr(options, flag) is not None for flag in FLAGS):
        raise OptionError(
            f"{options.prototxt} has a data layer, which is kept: leave preprocessing flags out"
        )
    texts = export(options.prototxt, options.table, preprocess, options.source)
    folder = Path(options.output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise OptionError(f"cannot make {folder}: {problem.strerror}") from None
    for name, text in texts.items():
        write_atomically(folder / name, text.encode())
        print(f"wrote {folder / name}")


def _graph(options: argparse.Namespace) -> Graph | None:
    from nvdla_sim.caffe.importer import load_caffe

    if options.prototxt is None:
        return None
    return load_caffe(options.prototxt, options.caffemodel)


def _json_alone(path: str) -> Table:
    """A table that needs no net to be understood."""
    from nvdla_sim.calib.table import Table
    from nvdla_sim.calib.table_io import kind_of_file

    kind = kind_of_file(path)
    if kind != "json":
        raise OptionError(f"{path} is a {kind}, which names tensors by the net: give --prototxt")
    return Table.load(path)


def _scale(word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = 0.0
    if not 1e-30 < value < 1e30:
        raise OptionError(f'--default "{word}" is no scale: it must be a number above 0')
    return value


if __name__ == "__main__":
    sys.exit(main())
