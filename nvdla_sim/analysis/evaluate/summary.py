"""The evaluation's figures, and the files they go to."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nvdla_sim.analysis.evaluate.outcome import Outcome, Prediction

CSV_COLUMNS = (
    "image", "name", "label", "float_class", "float_rank", "int8_class", "int8_rank", "float_ms", "int8_ms",
)  # fmt: skip


@dataclass(frozen=True)
class Accuracy:
    """Shares of images, 0 to 1; ``ms``: mean milliseconds an image takes."""

    top1: float
    top5: float
    ms: float


@dataclass(frozen=True)
class Change:
    """``count`` images that float puts in class ``in_float`` and int8 in ``in_int8``.

    ``spoiled``: of those float was right; ``mended``: of those int8 is right.
    """

    in_float: int
    in_int8: int
    count: int
    spoiled: int
    mended: int


@dataclass(frozen=True)
class Summary:
    """``agreement``: the share of images with the same class in both; ``changes``: most frequent first."""

    images: int
    in_float: Accuracy
    in_int8: Accuracy
    agreement: float
    changes: Sequence[Change]


def summarise(outcomes: Mapping[int, Outcome]) -> Summary:
    """At least one outcome is needed."""
    pairs = [(outcome.label, outcome.in_float, outcome.in_int8) for outcome in outcomes.values()]
    changed = [(label, a.best, b.best) for label, a, b in pairs if a.best != b.best]
    counts = Counter((a, b) for _, a, b in changed)
    spoiled = Counter((a, b) for label, a, b in changed if label == a)
    mended = Counter((a, b) for label, a, b in changed if label == b)
    return Summary(
        images=len(pairs),
        in_float=_accuracy([a for _, a, _ in pairs]),
        in_int8=_accuracy([b for _, _, b in pairs]),
        agreement=(len(pairs) - len(changed)) / len(pairs),
        changes=[
            Change(*pair, count, spoiled[pair], mended[pair])
            for pair, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        ],
    )


def _accuracy(predictions: Sequence[Prediction]) -> Accuracy:
    count = len(predictions)
    return Accuracy(
        top1=sum(prediction.in_top(1) for prediction in predictions) / count,
        top5=sum(prediction.in_top(5) for prediction in predictions) / count,
        ms=1000 * sum(prediction.seconds for prediction in predictions) / count,
    )


def record(summary: Summary) -> dict[str, Any]:
    """The figures as JSON data, named as in ``Summary``."""
    return asdict(summary)


def table(outcomes: Mapping[int, Outcome]) -> bytes:
    """A CSV file with a line for each image."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(CSV_COLUMNS)
    for outcome in outcomes.values():
        a, b = outcome.in_float, outcome.in_int8
        times = f"{a.seconds * 1000:.3f}", f"{b.seconds * 1000:.3f}"
        writer.writerow([outcome.index, outcome.name, outcome.label, a.best, a.rank, b.best, b.rank, *times])
    return text.getvalue().encode()
