"""``python -m nvdla_sim.demo``: compile the demo net, run a digit on the simulated chip, show the answer."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from nvdla_sim import demo
from nvdla_sim.cli._command import command_parser, run_command

SHADES = " .:-=+*#%@"
BAR_WIDTH = 40
Result = TypeVar("Result")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = command_parser(
        "python -m nvdla_sim.demo",
        "Compile the demo net for an NVDLA configuration, run a handwritten digit on the simulated chip, and "
        "show picture, scores and answer.",
    )
    parser.add_argument("--digit", type=int, default=7, choices=range(10), help="which picture (default: 7)")
    parser.add_argument(
        "--configtarget", default="nv_small", help="hardware configuration (default: nv_small)"
    )
    parser.add_argument(
        "--quantizationMode", default="per-filter", help="per-kernel or per-filter (default: per-filter)"
    )
    return run_command(parser, show, arguments)


def show(options: argparse.Namespace) -> None:
    picture = demo.picture(options.digit)
    api = timed("load the package", import_api)
    loadable = timed(
        f"compile for {options.configtarget}",
        lambda: api.compile(
            demo.PROTOTXT,
            demo.CAFFEMODEL,
            calibration=demo.TABLE,
            target=options.configtarget,
            quantization=options.quantizationMode,
        ),
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "digits.nvdla"
        timed(f"write the loadable ({len(loadable.to_bytes()) / 1024:.0f} KB)", lambda: loadable.save(path))
        loaded = timed("read it back", lambda: api.load(path))
    runtime = timed("prepare the chip's programs", lambda: api.Runtime(loaded, target=options.configtarget))
    timed("run the digit (compiles its kernels once)", lambda: runtime.run(picture))
    (output,) = timed("run it again", lambda: runtime.run(picture))

    print_picture(picture)
    print_scores(output.values.reshape(-1).tolist(), output.scale)


def import_api() -> ModuleType:
    from nvdla_sim import api

    return api


def timed(what: str, step: Callable[[], Result]) -> Result:
    print(f"{what:44} ", end="", flush=True)  # before the wait, which is long where kernels are compiled
    start = time.perf_counter()
    try:
        result = step()
    except BaseException:
        print(flush=True)  # the message about it gets a line of its own
        raise
    print(f"{1000 * (time.perf_counter() - start):9.1f} ms", flush=True)
    return result


def print_picture(path: Path) -> None:
    """The picture in characters: two rows of pixels to a line, since a character is twice as high as wide."""
    from PIL import Image

    with Image.open(path) as image:
        small = image.convert("L").resize((image.width, image.height // 2), Image.Resampling.BOX)
    pixels = small.tobytes()
    print()
    for y in range(small.height):
        row = pixels[y * small.width : (y + 1) * small.width]
        print("  " + "".join(SHADES[p * (len(SHADES) - 1) // 255] for p in row).rstrip())


def print_scores(scores: list[int], scale: float | None) -> None:
    best = max(range(len(scores)), key=scores.__getitem__)
    block = "█"
    try:
        block.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        block = "#"
    print()
    for digit, score in enumerate(scores):
        value = f"{score * scale:6.3f}" if scale else ""
        bar = block * round(max(score, 0) / 127 * BAR_WIDTH)
        print(f"  {digit}  {score:4d} {value}  {bar}{'  <-' if digit == best else ''}".rstrip())
    print(f"\nThe chip says: {best}")


if __name__ == "__main__":
    sys.exit(main())
