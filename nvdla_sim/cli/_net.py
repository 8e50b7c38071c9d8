"""Options that commands share: a net's files, and how it is compiled."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NamedTuple

from nvdla_sim.errors import all_of, one_of


def add_net(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--prototxt", metavar="FILE", required=True, help="the net's layers")
    parser.add_argument("--caffemodel", metavar="FILE", required=True, help="the net's trained weights")


def add_compiling(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--quantizationMode", metavar="WORD", dest="quantization", default="per-kernel",
        help="how many scales the weights of a layer have: per-kernel, one; per-filter, one for each output "
        "channel (default: per-kernel)",
    )  # fmt: skip
    add(
        "--informat", metavar="WORD", dest="input_format",
        help="how the input lies in memory: nhwc, 4-byte pixels; nchw, a feature surface (default: nhwc for "
        "1, 3 or 4 channels, else nchw)",
    )  # fmt: skip


class Compiling(NamedTuple):
    """As ``compile_graph`` takes them."""

    quantization: str
    input_format: str | None


def chosen_compiling(options: argparse.Namespace, *checks: Callable[[], object]) -> Compiling:
    """What ``add_compiling``'s options say; ``OptionError`` telling all that is wrong with them, with
    ``options.configtarget`` (None: not given) and with what ``checks`` look at.
    """
    from nvdla_sim.compiler.pipeline import INPUT_FORMATS, QUANTIZATIONS
    from nvdla_sim.hw.config import config_named

    quantization = options.quantization.lower()
    input_format = options.input_format.lower() if options.input_format is not None else None
    all_of(
        lambda: options.configtarget is None or config_named(options.configtarget),
        lambda: one_of("--quantizationMode", quantization, QUANTIZATIONS),
        lambda: input_format is None or one_of("--informat", input_format, INPUT_FORMATS),
        *checks,
    )
    return Compiling(quantization, input_format)
