"""nvdla-compile: a Caffe net and its calibration table -> a loadable, with nvdla_compiler's options."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nvdla_sim.cli._command import command_parser, run_command
from nvdla_sim.cli._net import add_compiling, add_net, chosen_compiling
from nvdla_sim.cli._numbers import whole
from nvdla_sim.errors import OptionError, UnsupportedError, one_of

if TYPE_CHECKING:
    from nvdla_sim.loadable.loadable import Loadable

PRECISIONS = ("int8", "fp16")


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command(_parser(), compile_net, arguments)


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("nvdla-compile", "Compile a Caffe net to an int8 loadable for NVDLA.")
    add_net(parser)
    add = parser.add_argument
    add(
        "--calibtable", metavar="FILE",
        help='the scale of each layer, as JSON: {"conv1": {"scale": 0.01}, ...}',
    )  # fmt: skip
    add("-o", metavar="FILE", dest="output", help="the loadable to write (default: PROFILE.nvdla here)")
    add(
        "--profile", metavar="NAME", default="fast-math",
        help="basic (every tensor keeps memory of its own), default, performance or fast-math; any other "
        "name is taken as the loadable's (default: fast-math)",
    )  # fmt: skip
    add(
        "--configtarget", metavar="NAME", default="nv_full",
        help="the hardware configuration (default: nv_full)",
    )  # fmt: skip
    add("--cprecision", metavar="WORD", default="int8", help="int8; fp16 is not built yet (default: int8)")
    add_compiling(parser)
    add(
        "--batch", metavar="N", default="1",
        help="images of a run: every input and output holds so many, one after the other, and each has "
        "its own memory for tensors (default: 1, whatever the first dimension in the prototxt is)",
    )  # fmt: skip
    return parser


def compile_net(options: argparse.Namespace) -> None:
    from nvdla_sim.compiler.pipeline import PROFILES

    quantization, input_format = chosen_compiling(
        options,
        lambda: _check_precision(options.cprecision.lower()),
        lambda: whole("--batch", options.batch),
        lambda: _check_table(options.calibtable),
    )
    profile = options.profile if options.profile in PROFILES else "fast-math"
    if profile != options.profile:
        known = ", ".join(PROFILES)
        print(f'profile "{options.profile}" is none of {known}: it names the loadable, compiled as {profile}')
    batch = whole("--batch", options.batch)
    output = f"{options.profile}.nvdla" if options.output is None else options.output
    chosen = input_format or "nhwc for 1, 3 or 4 input channels, else nchw"
    print(f"int8, {quantization}, {profile}, {options.configtarget}, batch {batch}, {chosen}")

    from nvdla_sim import api
    from nvdla_sim.cli._progress import SlowProgress

    with SlowProgress("compiling") as progress:
        loadable = api.compile(
            options.prototxt,
            options.caffemodel,
            options.calibtable,
            target=options.configtarget,
            quantization=quantization,
            input_format=input_format,
            profile=profile,
            batch=batch,
            progress=progress,
        )
        loadable.save(output)
    print(f"wrote {output}: {_sizes(loadable, os.path.getsize(output))}")


def _sizes(loadable: Loadable, size: int) -> str:
    """The file's size, and what the network takes where it runs."""
    from nvdla_sim.loadable.entries import SOURCE_MAP

    memory = json.loads(loadable.blob(SOURCE_MAP).data.tobytes())["memory"]
    total = sum(entry.size for entry in loadable.memories)
    shared = f"{memory['pool']} of them for {memory['tensors']} bytes of tensors between layers"
    return f"{size} bytes; takes {total} bytes to run, {shared}"


def _check_precision(word: str) -> None:
    if one_of("--cprecision", word, PRECISIONS) != "int8":
        raise UnsupportedError(f"--cprecision {word} is not built yet; use int8")


def _check_table(path: str | None) -> None:
    if path is None:
        raise OptionError(
            "int8 needs the scale of each layer: give --calibtable FILE; nvdla-calibrate makes one"
        )


if __name__ == "__main__":
    sys.exit(main())
