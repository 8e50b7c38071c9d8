"""nvdla-lint: which layers of a net a hardware configuration cannot run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from nvdla_sim.cli._command import command_parser, run_command
from nvdla_sim.errors import UnsupportedError


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command(_parser(), lint_net, arguments)


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "nvdla-lint",
        "List every layer of a net that a hardware configuration cannot run: its line in the prototxt, the\n"
        "reason, and the nearest thing that works. Neither weights nor a calibration table are needed.",
        "The exit code is 2 if there is such a layer.",
    )
    add = parser.add_argument
    add("--prototxt", metavar="FILE", required=True, help="the net")
    add(
        "--configtarget", metavar="NAME", default="nv_full",
        help="the hardware configuration (default: nv_full, as nvdla-compile)",
    )  # fmt: skip
    add(
        "--informat", metavar="WORD", dest="input_format", type=str.lower,
        help="nhwc or nchw (default: nhwc for 1, 3 or 4 input channels, else nchw)",
    )  # fmt: skip
    return parser


def lint_net(options: argparse.Namespace) -> None:
    from nvdla_sim.analysis.lint import lint
    from nvdla_sim.caffe.importer import survey_caffe

    graph, unknown = survey_caffe(options.prototxt)
    for problem in unknown:
        print(problem)
    complaints = lint(graph, options.configtarget, options.input_format)
    for complaint in complaints:
        line = f"line {complaint.line}: " if complaint.line else ""
        print(f'{line}layer "{complaint.layer}" ({complaint.kind}): {complaint.reason}')
        print(f"  works: {complaint.nearest}")
    wrong = len({complaint.layer for complaint in complaints}) + len(unknown)
    layers = len(graph.nodes) + len(unknown)
    if wrong:
        behind = ", and those behind unknown ones have not been judged" if unknown else ""
        raise UnsupportedError(
            f"{options.prototxt}: {wrong} of {layers} layers cannot run on {options.configtarget}{behind}"
        )
    print(f"{options.prototxt}: all {layers} layers can run on {options.configtarget}")


if __name__ == "__main__":
    sys.exit(main())
