"""nvdla-run: a loadable and its input -> output.dimg, with nvdla_runtime's options."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nvdla_sim.cli._command import command_parser, run_command
from nvdla_sim.errors import ImageError, OptionError, all_of

if TYPE_CHECKING:
    from nvdla_sim.loadable.loadable import Tensor
    from nvdla_sim.runtime.session import InputValue, Output


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command(_parser(), run_loadable, arguments)


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("nvdla-run", "Run a loadable on the simulated NVDLA, to the chip's bytes.")
    add = parser.add_argument
    add("--loadable", metavar="FILE", required=True, help="the compiled network (.nvdla)")
    add(
        "--image", metavar="FILE", dest="images", action="append", default=[],
        help="a picture of the input's size: PGM, JPEG or PNG; with a loadable of a batch once for each "
        "image, those that are not given are 0",
    )  # fmt: skip
    add(
        "--input", metavar="FILE", dest="inputs", action="append", default=[],
        help="int8 values channels x height x width as a .npy file, for a batch images x channels x height x "
        "width; once for each input of the network",
    )  # fmt: skip
    add("--rawdump", action="store_true", help="write the output as decimal numbers instead of binary")
    add("--mean", metavar="A,B,C", help="accepted and not used: int8 networks take pixels as they are")
    add("--normalize", metavar="N", help="accepted and not used, as --mean")
    add(
        "--configtarget", metavar="NAME",
        help="the hardware configuration it was compiled for (default: inferred from the loadable)",
    )  # fmt: skip
    add(
        "-o", metavar="FILE", dest="output", default="output.dimg",
        help="where the output goes, further ones to FILE.1, FILE.2, ..., those of further images of a "
        "batch to FILE.image1, FILE.1.image1, ... (default: output.dimg)",
    )  # fmt: skip
    add(
        "--topk",
        metavar="N",
        help="print the N largest values of the first output (default with --labels: 5)",
    )
    add("--labels", metavar="FILE", help="the name of each value, one a line, for --topk")
    return parser


def run_loadable(options: argparse.Namespace) -> None:
    from nvdla_sim.hw.config import config_named

    all_of(
        lambda: options.configtarget is None or config_named(options.configtarget),
        lambda: _check_inputs(options),
        lambda: _topk(options),
    )
    count = _topk(options)
    for name in ("mean", "normalize"):
        if getattr(options, name) is not None:
            print(f"--{name} is not used: int8 networks take pixels as they are")

    from nvdla_sim.cli._progress import SlowProgress
    from nvdla_sim.files import write_atomically
    from nvdla_sim.loadable.loadable import Loadable
    from nvdla_sim.runtime.dimg import binary_dump, text_dump
    from nvdla_sim.runtime.session import Runtime, pictures

    loadable = Loadable.load(options.loadable)
    labels = _labels(options.labels)
    inputs: list[InputValue] = [_array(path) for path in options.inputs]
    if options.images:
        inputs = [options.images]
    with SlowProgress("preparing"):
        runtime = Runtime(loadable, options.configtarget)
    if runtime.assumption is not None:
        print(f"assuming {runtime.config.name} ({runtime.assumption}); --configtarget sets another")
    if labels is not None and runtime.outputs:
        _check_labels(labels, runtime.outputs[0].tensor)
    with SlowProgress("running (kernels are compiled once)") as progress:
        outputs = runtime.run(inputs, progress)
    images = max((len(pictures(value)) for value in inputs), default=1)
    for number, output in enumerate(outputs):
        tensor = runtime.outputs[number].tensor
        for image, values in enumerate(_images(output)[:images]):
            path = f"{options.output}{f'.{number}' if number else ''}{f'.image{image}' if image else ''}"
            write_atomically(path, text_dump(values) if options.rawdump else binary_dump(values, tensor))
            shape = "x".join(map(str, values.shape))
            of = f" of image {image}" if images > 1 else ""
            print(f'wrote {path}: output "{output.name}"{of}, {shape} (channels x height x width)')
    if count and outputs:
        for image, values in enumerate(_images(outputs[0])[:images]):
            if images > 1:
                print(f"image {image}:")
            _print_top(values, outputs[0].scale, count, labels)


def _check_inputs(options: argparse.Namespace) -> None:
    if options.images and options.inputs:
        raise OptionError("--image and --input exclude each other: give the picture's values as an --input")


def _topk(options: argparse.Namespace) -> int:
    """How many values to print; 0: none."""
    word = options.topk
    if word is None:
        return 5 if options.labels is not None else 0
    if not (word.isascii() and word.isdigit() and int(word[:9]) > 0):
        raise OptionError(f'--topk "{word}" is not a positive number')
    return int(word[:9])


def _labels(path: str | None) -> list[str] | None:
    from nvdla_sim.files import read_bytes

    if path is None:
        return None
    names = read_bytes(path, OptionError, "labels").decode("utf-8", "replace").splitlines()
    if not all(name.replace("\t", " ").isprintable() for name in names):
        raise OptionError(f"labels {path}: no text but binary data; needed is one name a line")
    return names


def _check_labels(labels: list[str], tensor: Tensor) -> None:
    count = tensor.c * tensor.h * tensor.w
    if len(labels) < count:
        raise OptionError(f'--labels: {len(labels)} names, but output "{tensor.name}" has {count} values')


def _array(path: str) -> Any:
    """The array in a .npy file."""
    import numpy as np

    try:
        # mapped, so that a header cannot ask for more than the file has
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as problem:
        raise ImageError(f"input {path}: not a readable .npy file of numbers ({problem})") from None
    if not isinstance(array, np.ndarray):
        raise ImageError(f"input {path}: not a readable .npy file of numbers (an archive of several)")
    return np.array(array)


def _images(output: Output) -> Any:
    """The values of each image."""
    return output.values if output.values.ndim == 4 else output.values[None]


def _print_top(values: Any, scale: float | None, count: int, labels: list[str] | None) -> None:
    """The largest values, their positions in CHW order and, where known, their real values and names."""
    import numpy as np

    values = values.reshape(-1)
    for index in np.argsort(-values.astype(np.int64), kind="stable")[:count]:
        real = "" if scale is None else f"  {values[index] * scale:10.4f}"
        name = "" if labels is None else f"  {labels[index]}"
        print(f"{index:6}  {values[index]:6}{real}{name}")


if __name__ == "__main__":
    sys.exit(main())
