"""Figures from outcomes."""

from __future__ import annotations

import csv
import io

from nvdla_sim.analysis.evaluate.outcome import Outcome, Prediction
from nvdla_sim.analysis.evaluate.summary import Accuracy, Change, record, summarise, table


def outcome(index: int, label: int, in_float: tuple[int, int], in_int8: tuple[int, int]) -> Outcome:
    """``in_float`` and ``in_int8``: best class and rank of the true one."""
    return Outcome(index, f"{index}.pgm", label, Prediction(*in_float, 0.002), Prediction(*in_int8, 0.001))


OUTCOMES = {
    n: outcome(n, *rest)
    for n, rest in enumerate(
        [
            (3, (3, 1), (3, 1)),
            (3, (3, 1), (4, 2)),
            (3, (3, 1), (4, 6)),
            (4, (3, 5), (4, 1)),
            (0, (1, 6), (2, 6)),
        ]
    )
}


def test_figures() -> None:
    summary = summarise(OUTCOMES)
    assert summary.images == 5
    assert summary.in_float == Accuracy(top1=0.6, top5=0.8, ms=2.0)
    assert summary.in_int8 == Accuracy(top1=0.4, top5=0.6, ms=1.0)
    assert summary.agreement == 0.2
    assert summary.changes == [
        Change(in_float=3, in_int8=4, count=3, spoiled=2, mended=1),
        Change(in_float=1, in_int8=2, count=1, spoiled=0, mended=0),
    ]
    assert record(summary)["changes"][0]["spoiled"] == 2


def test_a_line_for_each_image() -> None:
    rows = list(csv.reader(io.StringIO(table(OUTCOMES).decode())))
    assert len(rows) == 6
    assert dict(zip(rows[0], rows[3], strict=True)) == {
        "image": "2",
        "name": "2.pgm",
        "label": "3",
        "float_class": "3",
        "float_rank": "1",
        "int8_class": "4",
        "int8_rank": "6",
        "float_ms": "2.000",
        "int8_ms": "1.000",
    }
