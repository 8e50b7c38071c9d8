"""Plots as SVG."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvdla_sim.analysis.svg import Axis, Plot


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 60, [0, 10, 20, 30, 40, 50, 60]),
        (-0.5, 0.5, [-0.4, -0.2, 0, 0.2, 0.4]),
        (3, 1003, [200, 400, 600, 800, 1000]),
    ],
)
def test_ticks_are_round(low: float, high: float, ticks: list[float]) -> None:
    assert Axis(low, high, 0, 1).ticks() == pytest.approx(ticks)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_lie_on_the_axis(low: float, size: float) -> None:
    axis = Axis(low, low + size, 0, 100)
    ticks = axis.ticks()
    assert 2 <= len(ticks) <= 12
    assert all(-0.01 <= axis.at(tick) <= 100.01 for tick in ticks)


def test_pixels() -> None:
    axis = Axis(10, 20, 100, 0)
    assert [axis.at(value) for value in (10, 15, 20, 9, 25)] == [100, 50, 0, 100, 0]


def test_a_plot_is_well_formed() -> None:
    plot = Plot((200, 100), (0, 2), (0, 5))
    plot.grid("x < y", 'a "label"')
    plot.names(["one", "<two>", "three & four"])
    plot.bars([0, 1, 2], [0, 5], "#123456", "bars")
    plot.line([(0, 0), (2, 5)], "red", "line")
    plot.dots([(1, 1)], "blue")
    plot.threshold(1, "black", "within")
    plot.threshold(3, "black", "beyond")
    plot.diagonal("grey")
    root = ElementTree.fromstring(plot.svg("<title>"))
    texts = [element.text for element in root.iter() if element.text]
    for text in ("x < y", 'a "label"', "<two>", "three & four", "bars", "within", "beyond", "<title>"):
        assert text in texts
    assert len([line for line in root.iter("line") if line.get("class") == "limit"]) == 1
    assert next(root.iter("polyline")).get("points") == "52.0,60.0 186.0,26.0"
    # the bar of height 0 is not drawn
    assert [path.get("d", "").count("z") for path in root.iter("path")] == [1, 0]


@pytest.mark.parametrize("same", [0.0, 5.0, -3.0])
def test_a_range_without_width_is_widened(same: float) -> None:
    plot = Plot((200, 100), (same, same), (same, same))
    plot.dots([(same, same)], "red")
    assert plot.x.low < same < plot.x.high
    ElementTree.fromstring(plot.svg("one point"))
