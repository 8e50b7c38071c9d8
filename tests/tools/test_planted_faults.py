"""A few planted faults of each kind; ``tools/planted_faults.py`` plants as many as wanted."""

from __future__ import annotations

import random

import pytest

from nvdla_sim.analysis.compare.verdict import judge
from tests.shared import golden_set
from tools import planted_faults

NETS = ("lenet", "resnet_cifar", "eltwise_sum_relu", "ip_softmax")
COUNT = 12


@pytest.fixture(scope="module")
def nets() -> list[planted_faults.Net]:
    folder = golden_set("loadables")
    loaded = [planted_faults.load(folder / name) for name in NETS]
    assert all(loaded)
    return [net for net in loaded if net]


def test_the_verdict_names_what_was_broken(nets: list[planted_faults.Net]) -> None:
    kinds = set()
    for fault in planted_faults.faults(nets, COUNT, seed=7):
        finding = judge(fault.net.compare(fault.table)).first
        assert finding is not None, fault
        assert finding.layer in fault.broken
        assert finding.cause is fault.cause
        kinds.add(fault.kind)
    assert kinds == set(planted_faults.KINDS)


def test_good_tables_leave_nothing_to_say(nets: list[planted_faults.Net]) -> None:
    assert [judge(net.compare()).findings for net in nets] == [()] * len(nets)


def test_entries_are_exchanged_only_where_that_does_harm() -> None:
    scales = {"a": 1.0, "b": 2.9, "c": 0.5}
    assert planted_faults.exchanged(scales, "a", random.Random(1)) == ()
    scales["d"] = 3.1
    assert planted_faults.exchanged(scales, "a", random.Random(1)) == ("a", "d")
    assert (scales["a"], scales["d"]) == (3.1, 1.0)
