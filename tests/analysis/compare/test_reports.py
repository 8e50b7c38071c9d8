"""The comparison as page, JSON and text."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from nvdla_sim.analysis.compare.page import page
from nvdla_sim.analysis.compare.record import record
from nvdla_sim.analysis.compare.terminal import print_comparison, verdict_lines
from nvdla_sim.analysis.compare.verdict import judge
from nvdla_sim.calib.table import Table
from nvdla_sim.graph.graph import Graph
from nvdla_sim.graph.ops.relu import ReLU
from tests.analysis.compare.nets import chain, compared, true_table, with_scales


@pytest.fixture(scope="module")
def judged():
    graph, inputs = chain()
    table = true_table(graph, inputs)
    comparison = compared(graph, inputs, with_scales(table, relu2=table.scales["relu2"] / 10))
    return comparison, judge(comparison)


class Page(HTMLParser):
    """Counts elements; notes what would be fetched from somewhere, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: dict[str, int] = {}
        self.fetched: list[str] = []
        self.opened: list[bool] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag] = self.elements.get(tag, 0) + 1
        self.fetched += [str(value) for name, value in attrs if name in ("src", "href", "data")]
        if tag == "details":
            self.opened.append(("open", None) in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_page(judged) -> None:
    comparison, verdict = judged
    text = page(comparison, verdict, 'a "net" <b>', ["made & measured"])
    found = Page(text)
    assert found.elements["svg"] == 1 + 2 * len(comparison.tensors)
    assert found.elements["tr"] == 1 + len(comparison.tensors)
    assert "script" not in found.elements
    assert "link" not in found.elements
    assert found.fetched == []
    assert "http" not in text
    assert 'a "net" <b>: float against int8' in found.text
    assert "made & measured" in found.text
    assert "relu2: wrong table entry" in found.text
    assert text.count("<tr class=bad>") == 1
    # the bad layer's plots are shown at once
    assert found.opened == [False, False, False, True, False]
    assert "nan" not in text
    assert "inf" not in re.sub(r"information|infinite", "", text)


def test_names_are_text_wherever_they_are_shown() -> None:
    graph = Graph("net")
    graph.add_input("<i>in</i>", (8, 2, 2))
    graph.add("<b>relu</b>", ReLU(), ["<i>in</i>"], {})
    graph.outputs = ("<b>relu</b>",)
    inputs = {"<i>in</i>": np.linspace(-1, 1, 32, dtype=np.float32).reshape(8, 2, 2)}
    table = true_table(graph, inputs)
    for factor in (1, 10):
        comparison = compared(graph, inputs, Table({n: s * factor for n, s in table.scales.items()}))
        text = page(comparison, judge(comparison), "net", [])
        assert "<i>" not in text
        assert "<b>relu" not in text
        assert Page(text).text.count("<b>relu</b>") >= 3


def test_page_without_findings() -> None:
    graph, inputs = chain()
    comparison = compared(graph, inputs, true_table(graph, inputs))
    found = Page(page(comparison, judge(comparison), "net", []))
    assert "No layer stands out." in found.text
    assert found.opened == [False] * 5


def test_record(judged) -> None:
    comparison, verdict = judged
    content = json.loads(json.dumps(record(comparison, verdict), allow_nan=False))
    assert content["verdict"]["layer"] == "relu2"
    assert content["verdict"]["cause"] == "wrong table entry"
    assert content["findings"][0] == content["verdict"]
    assert [tensor["name"] for tensor in content["tensors"]] == ["data", "relu1", "pool1", "relu2", "ip"]
    assert content["tensors"][3]["accumulated"]["chip"]["snr_db"] < 10
    assert content["tensors"][0]["weights"] is None
    assert content["settings"]["target"] == "nv_small"
    assert {"name": "conv1", "tensor": "conv1"}.items() <= content["entries"][1].items()
    assert content["output"]["name"] == "ip"


def test_text(judged, capsys: pytest.CaptureFixture[str]) -> None:
    comparison, verdict = judged
    print_comparison(comparison, verdict, ["net [bold]x[/bold]"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "net [bold]x[/bold]"
    assert lines[1].split()[:3] == ["layer", "scale", "amax"]
    rows = {line.split()[0]: line.split() for line in lines[2:7]}
    assert list(rows) == ["data", "relu1", "pool1", "relu2", "ip"]
    assert len({len(row) for row in rows.values()}) == 1  # grep and awk find their columns
    assert lines[7:] == verdict_lines(verdict)
    assert lines[7] == "verdict: relu2: wrong table entry"
    assert lines[9].startswith('  try: set "relu2"')
    assert lines[-1].startswith('output "ip" of the chip: ')
