"""Chip and ideal measured on two reduced nets of the zoo, the records' file, and the page."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nvdla_sim.calib.table import Table
from nvdla_sim.errors import CalibrationError
from nvdla_sim.graph.graph import Graph
from tools.accuracy import MODES, RECORDS, TARGETS
from tools.accuracy_measure import Subject
from tools.accuracy_page import LARGER_BECAUSE, Cost, Equality, page
from tools.accuracy_records import BELOW_IDEAL, Record, read, write
from tools.zoo_builder import Builder, pictures
from tools.zoo_nets import NETS

RECORD = Record(
    "zoo/net", "nv_small", "per-filter", 16, 0.98765, 0.98777, 0.98, 0.9, 0.89, 12000, 11000, 0.25
)


def subject(graph: Graph, table: Table, count: int = 4) -> Subject:
    given = pictures(np.random.default_rng(2), count, graph.tensors["data"].shape[1])
    return Subject(graph, table, [{"data": picture} for picture in given])


# --- measuring ---


@pytest.mark.parametrize(
    ("name", "target", "mode"),
    [("squeezenet", "nv_small", "per-kernel"), ("unet", "nv_large", "per-filter")],
)
def test_zoo(name: str, target: str, mode: str) -> None:
    found = subject(*NETS[name](True).finished()).measure(target, mode)
    assert 0.95 < found.ideal < 0.99999
    assert found.chip > found.ideal - BELOW_IDEAL
    assert abs(found.ideal - found.own) < 0.005
    assert found.size > 0


def small_net() -> Builder:
    net = Builder("net", (16, 16), reduced=True)
    x = net.conv_relu("conv", "data", 8, 3)
    net.softmax(net.dense("fc", net.pool("pool", x, "MAX", 2, 2), 10))
    return net


def test_ideal_has_the_scales_that_the_compiler_assigned() -> None:
    """Pooling keeps its input's scale, whatever the table says."""
    graph, table = small_net().finished()
    right = subject(graph, table).measure("nv_small", "per-kernel")
    coarse = replace(table, scales={**table.scales, "pool": 20 * table.scales["pool"]})
    found = subject(graph, coarse).measure("nv_small", "per-kernel")
    assert (found.chip, found.ideal) == (right.chip, right.ideal)
    assert right.own == pytest.approx(right.ideal, abs=1e-3)
    assert found.own < right.ideal - 0.01


def test_shared_runs_do_not_mix_modes() -> None:
    made = small_net().finished()
    shared = subject(*made)
    ideals = {}
    for mode, target in itertools.product(MODES, ("nv_small", "nv_full")):
        ideals[mode] = shared.measure(target, mode).ideal
        assert ideals[mode] == subject(*made).measure(target, mode).ideal
    assert ideals["per-kernel"] != ideals["per-filter"]


def test_comparison_is_before_softmax() -> None:
    """Softmax makes one class 1 and the others 0, here as in float."""
    found = subject(*small_net().finished()).measure("nv_small", "per-kernel")
    assert found.output > 0.9999 > found.chip > 0.99


def test_table_without_an_entry_is_refused() -> None:
    graph, table = small_net().finished()
    scales = {name: scale for name, scale in table.scales.items() if name != "fc"}
    with pytest.raises(CalibrationError, match="fc"):
        subject(graph, replace(table, scales=scales)).measure("nv_small", "per-kernel")


# --- records ---


def test_records_round_trip(tmp_path: Path) -> None:
    refused = Record("zoo/net", "nv_large", "per-filter", refused="layer\tone\nlayer two")
    write(tmp_path / "records.tsv", [RECORD, refused])
    found = read(tmp_path / "records.tsv")
    assert list(found) == [refused.key, RECORD.key]
    assert found[RECORD.key] == RECORD
    assert found[refused.key] == replace(refused, refused="layer one layer two")
    assert read(tmp_path / "none.tsv") == {}


def test_faults() -> None:
    assert RECORD.faults == []
    assert replace(RECORD, chip=0.98576).faults == ["below ideal"]
    assert replace(RECORD, output=0.8889).faults == ["below the real compiler's"]
    assert replace(RECORD, size=11000 * 11 // 10 + 8193).faults == ["too large"]
    assert replace(RECORD, chip=None, output=None, size=None).faults == []


def test_kept_records_are_whole_and_without_faults() -> None:
    """Every net of the zoo is there; what is too large is known to be."""
    records = read(RECORDS)
    names = {net for net, _, _ in records}
    assert {f"zoo/{name}" for name in NETS} <= names
    assert records.keys() == set(itertools.product(names, TARGETS, MODES))
    assert [r.key for r in records.values() if r.faults and r.net not in LARGER_BECAUSE] == []
    assert {fault for r in records.values() for fault in r.faults} <= {"too large"}


# --- page ---


def test_page() -> None:
    other = replace(RECORD, target="nv_large", chip=0.9, size=12_340_000)
    refused = Record("zoo/other", "nv_full", "per-kernel", refused="no such engine")
    costs = [Cost("zoo/net", "nv_large", 3.26, 2.9, 310_000_000, 25_700_000)]
    text = page(
        [RECORD, other, refused], Equality(7, 8, 9, {"a defect (section 8.12)": ["one", "two"]}), costs
    )
    assert "| net | per-filter | 0.9000 | 0.9878 | -0.0878 | 0.9800 | nv_large | 12.3 |" in text
    assert "| other | per-kernel | refused on nv_full |" in text
    assert "- chip at most 0.002 below ideal: 1 of 2, the lowest -0.0878" in text
    assert "- output at most 0.001 below real: 2 of 2, the lowest +0.0100" in text
    assert "- **below ideal**: zoo/net on nv_large per-filter\n" in text
    assert "- **too large**: zoo/net on nv_large per-filter\n" in text
    assert "- zoo/other nv_full per-kernel: no such engine\n" in text
    assert "7 of 8 recorded outputs of 9 loadables" in text
    assert "- one, two: a defect\n" in text
    assert "| zoo/net | nv_large | 3.3 | 2.9 | 310 | 25.7 |" in text
    assert "| zoo/net | nv_small | per-filter | 0.9877 | 0.9878 | 0.9800 | 0.9000 | 0.8900 |" in text


def test_page_tells_where_configurations_are_alike() -> None:
    records = [replace(RECORD, target=target) for target in TARGETS]
    text = page(records, Equality(0, 0, 0, {}), [])
    assert "| net | per-filter | 0.9877 | 0.9878 | -0.0001 | 0.9800 | all alike | 0.0 |" in text
    text = page([replace(record, chip=0.9) for record in records], Equality(0, 0, 0, {}), [])
    assert "- **below ideal**: zoo/net on every configuration\n" in text
