"""What comes out for one image, and when a prediction counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Prediction:
    """``best``: the class with the largest value, the first of equals. ``rank``: how many classes have at
    least the true class's value, that one included: it is among the top k if that is at most k.

    Source: tool-formats section 2.
    """

    best: int
    rank: int
    seconds: float

    @classmethod
    def of(cls, values: NDArray[Any], label: int, seconds: float) -> Prediction:
        """``values``: one for each class."""
        return cls(int(values.argmax()), int(np.count_nonzero(values >= values[label])), seconds)

    def in_top(self, k: int) -> bool:
        return self.rank <= k


@dataclass(frozen=True)
class Outcome:
    """Of image number ``index`` of the data set."""

    index: int
    name: str
    label: int
    in_float: Prediction
    in_int8: Prediction


@dataclass(frozen=True)
class Unreadable:
    """An image that could not be read, and why."""

    index: int
    problem: str
