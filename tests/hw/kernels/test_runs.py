from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nvdla_sim.hw.kernels.runs import place_runs


@given(
    st.integers(1, 9), st.integers(1, 20), st.integers(1, 9), st.integers(0, 30), st.sampled_from([1, 2, 7])
)
def test_every_pixel_is_written_once(height: int, width: int, chunk: int, gap: int, pixels: int) -> None:
    chunk, pitch = min(chunk, height), width + gap
    runs = place_runs(height, width, chunk, pitch, pixels)
    assert runs.y.size == runs.x.size == runs.skip.size == runs.start.size * pixels
    written = [(int(y), int(x)) for y, x, skip in zip(runs.y, runs.x, runs.skip, strict=True) if not skip]
    assert sorted(written) == [(y, x) for y in range(height) for x in range(width)]
    for slot in np.flatnonzero(~runs.skip):
        run, at = divmod(int(slot), pixels)
        assert runs.y[slot] // chunk == min(run // runs.per_chunk, (height - 1) // chunk)
        assert runs.start[run] + at == runs.y[slot] % chunk * pitch + runs.x[slot]


def test_runs_of_whole_rows_are_not_joined() -> None:
    assert place_runs(4, 14, 4, 16, 7).start.tolist() == [0, 7, 16, 23, 32, 39, 48, 55]


def test_narrow_rows_are_joined() -> None:
    """Four rows of 4 with one packed pixel after each are 19 pixels: three runs, the last from 12 on."""
    runs = place_runs(4, 4, 4, 5, 7)
    assert runs.start.tolist() == [0, 7, 12]
    between, repeated = [4, 9 - 7 + 7, 14 - 12 + 14], [14, 15]
    assert np.flatnonzero(runs.skip).tolist() == sorted({*between, *repeated})
