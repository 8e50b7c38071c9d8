"""What a loadable may ask for altogether. What it leads to otherwise is tested by whole runs."""

from __future__ import annotations

import pytest

from nvdla_sim.errors import LoadableError, ProgramError
from nvdla_sim.hw import limits
from nvdla_sim.loadable.lists import MAX_OPERATIONS
from nvdla_sim.loadable.loadable import Loadable
from nvdla_sim.runtime.session import Runtime
from tests.shared import COMMITTED_GOLDENS

RECIPES = COMMITTED_GOLDENS / "recipes"


def chain() -> Loadable:
    """Two operations on the accelerator."""
    return Loadable.load(RECIPES / "02-eltwise" / "sum3_chain.nv_small.nvdla")


def test_operations_are_counted_as_often_as_they_are_submitted():
    loadable = chain()
    loadable.submits[0].task_ids = [0] * (MAX_OPERATIONS // 2 + 1)
    with pytest.raises(LoadableError, match=f"its submits run {MAX_OPERATIONS + 2} operations, at most"):
        Runtime(loadable)


def test_a_task_without_operations_counts():
    loadable = chain()
    network = loadable.blob("task-0-addr0")
    network.data = network.data.copy()
    network.data[30:32] = 0  # num_ops
    network.data[14:28] = 255  # op_head
    Runtime(loadable)
    loadable.submits[0].task_ids = [0] * (MAX_OPERATIONS + 1)
    with pytest.raises(LoadableError, match=f"its submits run {MAX_OPERATIONS + 1} operations, at most"):
        Runtime(loadable)


def test_a_program_that_takes_too_long_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "MAX_SECONDS", 2.5e-3)  # a millisecond for each launch, and its elements
    Runtime(chain())
    monkeypatch.setattr(limits, "MAX_SECONDS", 1.5e-3)
    with pytest.raises(ProgramError, match=r"task 0: operation 1 \(SDP\): the program is too long"):
        Runtime(chain())


def test_operations_on_the_cpu_take_their_time(monkeypatch: pytest.MonkeyPatch):
    taken: list[float] = []
    monkeypatch.setattr(limits.Allowance, "take", lambda _, seconds: taken.append(seconds))
    Runtime(Loadable.load(RECIPES / "11-dla-cpu-dla" / "conv_softmax.nv_small.nvdla"))
    assert len(taken) == 2  # the convolution with its SDP, the softmax
    assert min(taken) >= 1e-3
