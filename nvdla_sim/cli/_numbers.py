"""Numbers on the command line."""

from __future__ import annotations

import re

from nvdla_sim.errors import OptionError


def whole(option: str, word: str, least: int = 1) -> int:
    """A whole number of at least ``least``; ``OptionError`` naming the option."""
    if not re.fullmatch(r"[0-9]{1,9}", word) or int(word) < least:
        raise OptionError(f'{option} "{word}" is not a whole number from {least} on')
    return int(word)
