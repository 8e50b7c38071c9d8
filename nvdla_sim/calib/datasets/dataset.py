"""What all data sets have in common: images by number, bad ones skipped by name up to a limit.

``open_dataset`` in ``opening.py`` finds the right one for a path.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from nvdla_sim.errors import ImageError, listed

Pixels = NDArray[Any]  # uint8 or float32


@dataclass(frozen=True)
class Sample:
    """``pixels``: CHW, uint8 or float32, colour in the order blue, green, red; ``label``: the true class."""

    name: str
    pixels: Pixels
    label: int | None


class Dataset(ABC):
    """``source``: its name in messages; ``preprocessed``: its values are the net's input as they are.

    ``read`` may be called from several threads.
    """

    source: str
    preprocessed: bool = False

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def read(self, index: int) -> Sample:
        """Image number ``index``; ``ImageError`` naming it when it is damaged."""


@dataclass
class Skipped:
    """Unreadable images so far, ``ImageError`` with all of them when there are more than ``limit``."""

    limit: int
    problems: dict[int, str] = field(default_factory=dict)  # by the image's number

    def add(self, index: int, problem: ImageError) -> None:
        self.problems[index] = str(problem)
        if len(self.problems) > self.limit:
            raise ImageError(
                listed(
                    f"{len(self.problems)} images cannot be read, allowed to be skipped: {self.limit}",
                    self.problems.values(),
                )
            )


def read_all(dataset: Dataset, indices: Iterable[int], skipped: Skipped) -> Iterator[tuple[int, Sample]]:
    """The readable images of ``indices`` with their numbers, in order."""
    for index in indices:
        try:
            yield index, dataset.read(index)
        except ImageError as problem:
            skipped.add(index, problem)


def check_labels(dataset: Dataset, sample: Sample, classes: int) -> int:
    """The sample's label; ``ImageError`` when it has none or it is not one of ``classes`` classes."""
    if sample.label is None:
        raise ImageError(
            f"{dataset.source}: {sample.name} has no label: give a list of paths and labels, or class folders"
        )
    if not 0 <= sample.label < classes:
        raise ImageError(
            f"{dataset.source}: {sample.name} has the label {sample.label}, the net has {classes} classes: "
            f"allowed 0 to {classes - 1}"
        )
    return sample.label
