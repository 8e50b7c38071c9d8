"""When a prediction counts: ties included."""

from __future__ import annotations

import numpy as np
import pytest

from nvdla_sim.analysis.evaluate.outcome import Prediction


@pytest.mark.parametrize(
    ("values", "label", "best", "rank"),
    [
        ([0, 5, 3], 1, 1, 1),
        ([0, 5, 3], 2, 1, 2),
        ([0, 5, 3], 0, 1, 3),
        # of equals the first is the best, and none of them is among the top 1
        ([5, 5, 3], 0, 0, 2),
        ([5, 5, 3], 1, 0, 2),
        ([0, 0, 0, 0, 0, 0], 0, 0, 6),
        ([-128, -128, 127], 0, 2, 3),
    ],
)
def test_rank_counts_classes_with_at_least_the_true_ones_value(values, label, best, rank) -> None:
    prediction = Prediction.of(np.array(values, np.int8), label, 0.5)
    assert prediction == Prediction(best, rank, 0.5)
    assert [k for k in range(1, 8) if prediction.in_top(k)] == list(range(rank, 8))
