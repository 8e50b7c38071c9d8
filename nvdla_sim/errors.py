"""The one exception tree.

A message names the file, the layer or field, the value, what is allowed, and what to do.
``NvdlaError`` means "the input is at fault": commands print the message alone and exit with 2.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable


class NvdlaError(Exception):
    """Base of every error that a user's input can cause."""


class ModelError(NvdlaError):
    """A prototxt or caffemodel that cannot be read or does not fit together."""


class CalibrationError(NvdlaError):
    """A calibration table that cannot be read or does not fit the net."""


class UnsupportedError(NvdlaError):
    """A request that is legal but cannot be met: an operator, a mode, a target."""


class LoadableError(NvdlaError):
    """A loadable that is damaged or asks for something outside its own memory."""


class ProgramError(NvdlaError):
    """A register program that the chip would refuse, hang on, or that leaves its memory."""


class ImageError(NvdlaError):
    """A picture or input array that cannot be read or does not fit the input tensor."""


class OptionError(NvdlaError):
    """A wrong word or value on a command line or in an API call."""


def listed(headline: str, problems: Iterable[str]) -> str:
    """One message for all problems of an input: the headline, then a line for each."""
    return "\n".join([headline, *(f"  - {problem}" for problem in problems)])


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """``did you mean "x"? `` when a name is close to ``word`` (case apart), else nothing."""
    by_folded = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.5)
    return f'did you mean "{by_folded[close[0]]}"? ' if close else ""


def nearest(word: str, allowed: Iterable[str]) -> str:
    """``did you mean "x"? `` or nothing, then the allowed words: the tail of a message about a wrong name."""
    names = list(allowed)
    return f"{did_you_mean(word, names)}allowed: {', '.join(names)}"


def one_of(what: str, word: str, allowed: Iterable[str]) -> str:
    """Return ``word`` if it is allowed, else raise ``OptionError`` naming the nearest allowed one."""
    names = list(allowed)
    if word not in names:
        raise OptionError(f'{what} "{word}" is not known: {nearest(word, names)}')
    return word


def all_of(*checks: Callable[[], object]) -> None:
    """Do every check of an option; those that fail raise one error together."""
    problems: list[NvdlaError] = []
    for check in checks:
        try:
            check()
        except (OptionError, UnsupportedError) as problem:
            problems.append(problem)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise OptionError(listed(f"{len(problems)} options cannot be used:", map(str, problems)))
