"""legacy: the quantile's edge counted value by value, and sampleINT8's grid."""

from __future__ import annotations

import math

import pytest

from nvdla_sim.calib.methods import legacy
from tests.calib.methods.vectors import NAMES, histogram, in_bins

EDGES = {
    0.99: (919, 1261, 197, 1355, 124, 2012),
    0.9999: (1835, 1960, 418, 1959, 1064, 2048),
    0.999999: (2048, 2048, 2048, 2048, 2048, 2048),
    1.0: (2048, 2048, 2048, 2048, 2048, 2048),
}


@pytest.mark.parametrize("quantile", EDGES)
@pytest.mark.parametrize("place", range(len(NAMES)))
def test_the_edge_below_which_the_quantile_lies(place: int, quantile: float) -> None:
    counts = histogram(NAMES[place])
    assert in_bins(counts, legacy.amax(counts, quantile)) == EDGES[quantile][place]
    assert in_bins(counts, legacy.amax(counts, quantile, 0.5)) == EDGES[quantile][place] / 2


def test_the_defaults() -> None:
    counts = histogram("an outlier")
    assert legacy.amax(counts) == legacy.amax(counts, 1 - 1e-6, 1)


def searched(best_index: float, best_cutoff: float) -> tuple[legacy.Choice, list[tuple[float, float]]]:
    """A search over a score with one peak, and all that it asked for."""
    asked = []

    def score(quantile: float, cutoff: float) -> float:
        asked.append((quantile, cutoff))
        return -abs(-math.log10(1 - quantile) - best_index) - abs(cutoff - best_cutoff)

    return legacy.search(score), asked


def test_the_search_goes_over_the_published_grid() -> None:
    choice, asked = searched(3.3, 0.58)
    assert choice.cutoff == 0.58
    assert choice.quantile == pytest.approx(legacy.quantile_of(3.3))
    assert asked[:7] == [(1 - 10.0**-n, 1) for n in range(2, 9)]
    assert [cutoff for _, cutoff in asked[7:56:7]] == [0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7]
    assert len(asked) == len(set(asked))
    assert all(0 < quantile < 1 and 0 < cutoff <= 1 for quantile, cutoff in asked)


def test_the_search_stays_at_cutoff_1_where_it_is_best() -> None:
    choice, asked = searched(5.2, 1.0)
    assert (choice.cutoff, choice.quantile) == (1, pytest.approx(legacy.quantile_of(5.2)))
    assert all(cutoff == 1 for _, cutoff in asked[56:])


def test_the_first_of_equals() -> None:
    choice = legacy.search(lambda quantile, cutoff: 0.5)
    assert (choice.score, choice.cutoff) == (0.5, 1)
    assert choice.quantile == legacy.quantile_of(2)
