"""nvdla-convert-imageset: pictures and their labels -> an lmdb, with Caffe's convert_imageset's flags."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence

from nvdla_sim.cli._command import command_parser, run_command
from nvdla_sim.cli._numbers import whole
from nvdla_sim.errors import UnsupportedError, one_of

SWITCHES = {
    "gray": "treat pictures as grey",
    "shuffle": "in a random order, the same one each time",
    "check_size": "an error when pictures have different sizes",
    "encoded": "store picture files instead of pixels",
}


def main(arguments: Sequence[str] | None = None) -> int:
    words = sys.argv[1:] if arguments is None else arguments
    return run_command(_parser(), convert_imageset, [_plain(word) for word in words])


def _plain(word: str) -> str:
    """gflags' switches: ``-gray=true`` is ``--gray``, ``-gray=false`` and ``-nogray`` are ``--nogray``."""
    form = re.fullmatch(r"--?(no)?(\w+?)(?:=(true|false|1|0))?", word)
    if form is None or form[2] not in SWITCHES:
        return word
    on = (form[1] is None) == (form[3] in (None, "true", "1"))
    return f"--{'' if on else 'no'}{form[2]}"


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "nvdla-convert-imageset",
        "Make an lmdb of pictures and labels, as Caffe's convert_imageset does.",
        "options may be written as Caffe's: -resize_height=256, -gray, -encoded=true",
    )
    add = parser.add_argument
    add("root", metavar="ROOT", help="where the list's paths start")
    add("listing", metavar="LIST", help="lines of a path and a label")
    add("database", metavar="DB", help="the folder to make")
    add("-backend", "--backend", metavar="WORD", default="lmdb", help="lmdb, the only one")
    for name, meaning in SWITCHES.items():
        add(f"--{name}", action="store_true", help=meaning)
        add(f"--no{name}", action="store_false", dest=name, default=False, help=argparse.SUPPRESS)
    add(
        "-encode_type",
        "--encode_type",
        metavar="WORD",
        default="",
        help="bmp, jpg or png (default: the file's)",
    )
    add("-resize_height", "--resize_height", metavar="N", default="0", help="with the width: resize to")
    add("-resize_width", "--resize_width", metavar="N", default="0")
    add("--skip-limit", metavar="N", default="10", help="unreadable pictures to skip by name (default: 10)")
    return parser


def convert_imageset(options: argparse.Namespace) -> None:
    from nvdla_sim.calib.datasets.dataset import Skipped
    from nvdla_sim.calib.imageset import Settings, convert
    from nvdla_sim.cli._progress import SlowProgress

    if one_of("-backend", options.backend.lower(), ("lmdb", "leveldb")) != "lmdb":
        raise UnsupportedError("-backend leveldb is not supported; use lmdb")
    settings = Settings(
        resize_height=whole("-resize_height", options.resize_height, least=0),
        resize_width=whole("-resize_width", options.resize_width, least=0),
        encode_type=options.encode_type.lower(),
        **{name: getattr(options, name) for name in SWITCHES},
    )
    skipped = Skipped(whole("--skip-limit", options.skip_limit, least=0))
    with SlowProgress("converting") as progress:
        count = convert(options.root, options.listing, options.database, settings, skipped, progress)
    for problem in skipped.problems.values():
        print(f"skipped: {problem}", file=sys.stderr)
    print(f"wrote {options.database}: {count} images")


if __name__ == "__main__":
    sys.exit(main())
