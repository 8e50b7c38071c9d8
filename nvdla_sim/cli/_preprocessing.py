"""What becomes of pictures before the net sees them: one set of flags, or the prototxt's transform_param."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from nvdla_sim.errors import OptionError

if TYPE_CHECKING:
    from nvdla_sim.calib.datasets.dataset import Dataset
    from nvdla_sim.calib.preprocess import Preprocess

FLAGS = ("mean", "normalize", "resize", "resize_side", "crop", "channel_order")


def add_preprocessing(parser: argparse.ArgumentParser) -> None:
    """The flags; none of them given means what the prototxt's data layer says, or pixels as they are."""
    add = parser.add_argument_group(
        "preprocessing", "x = (pixel - mean[c]) / normalize. Default: the prototxt's transform_param, if any."
    ).add_argument
    add("--mean", metavar="A,B,C|FILE", help="one number, one for each channel, a .binaryproto or .npy file")
    add(
        "--normalize", metavar="N", help="what pixels are divided by after the mean is taken off (default: 1)"
    )
    add("--resize", metavar="HxW", help="resize pictures to this height and width")
    add("--resize-side", metavar="N", help="resize so that the shorter side is N")
    add("--crop", metavar="HxW", help="cut this height and width out of the middle")
    add("--channel-order", metavar="WORD", help="the order of the net's channels, BGR or RGB (default: BGR)")


def chosen_preprocessing(options: argparse.Namespace) -> Preprocess:
    """What the flags or ``options.prototxt`` say; ``OptionError`` when both say something."""
    from nvdla_sim.caffe.data_layers import Transform, data_sources
    from nvdla_sim.calib.mean_image import read_mean_image
    from nvdla_sim.calib.preprocess import Preprocess

    sources = data_sources(options.prototxt)
    given = [name for name in FLAGS if getattr(options, name) is not None]
    own = [source for source in sources if source.transform != Transform()]
    if not given:
        return Preprocess.of_transform(own[0].transform) if own else Preprocess()
    if own:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise OptionError(
            f'prototxt {options.prototxt}: layer "{own[0].layer}" (line {own[0].line}) has a '
            f"transform_param, and there is {flags} as well: leave out one of them"
        )
    mean = () if options.mean is None else _numbers(options.mean)
    return Preprocess.of(
        mean=read_mean_image(options.mean) if mean is None else mean,
        normalize=1.0 if options.normalize is None else _number("--normalize", options.normalize),
        resize=None if options.resize is None else _size("--resize", options.resize),
        resize_side=None if options.resize_side is None else _count("--resize-side", options.resize_side),
        crop=None if options.crop is None else _size("--crop", options.crop),
        order=options.channel_order or "BGR",
    )


def check_flags(options: argparse.Namespace, dataset: Dataset) -> None:
    """``OptionError`` for flags where the data set holds the net's input as it is."""
    given = ["--" + flag.replace("_", "-") for flag in FLAGS if getattr(options, flag) is not None]
    if dataset.preprocessed and given:
        raise OptionError(f"{dataset.source} is preprocessed already: leave {', '.join(given)} out")


def formula(preprocess: Preprocess, preprocessed: bool) -> str:
    """How pictures become the net's input, to be printed."""
    return "x = the stored value, preprocessed already" if preprocessed else preprocess.formula


def with_scale(text: str, scale: float) -> str:
    """The formula with what an int8 net whose input has this scale is fed."""
    return f"{text}; int8 input q = clip(floor(x / {scale:.9g} + 0.5), -128, 127)"


def _numbers(text: str) -> tuple[float, ...] | None:
    """Numbers with commas between them; None when it is something else, a file's name."""
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError:
        return None


def _number(flag: str, word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise OptionError(f'{flag} "{word}" is not a number') from None


def _count(flag: str, word: str) -> int:
    if not (word.isascii() and word.isdigit() and len(word) < 9):
        raise OptionError(f'{flag} "{word}" is not a number of pixels')
    return int(word)


def _size(flag: str, text: str) -> tuple[int, int]:
    """ "HxW", or one number for both."""
    words = text.lower().split("x")
    if len(words) not in (1, 2):
        raise OptionError(f'{flag} "{text}" is not a size: give HxW, as 224x224')
    height, width = _count(flag, words[0]), _count(flag, words[-1])
    return height, width
