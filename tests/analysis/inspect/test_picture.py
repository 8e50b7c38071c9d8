"""The picture: units that are alike are one box; the report names a few of many sources."""

from __future__ import annotations

import re

from nvdla_sim.analysis.inspect.inspection import inspect
from nvdla_sim.analysis.inspect.picture import svg
from nvdla_sim.analysis.inspect.text import lines
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.pooling import Pooling
from nvdla_sim.graph.ops.softmax import Softmax
from tests.compiler.ideal import Net, run


def test_alike_units_are_one_box() -> None:
    net = Net()
    depthwise = net.add(Convolution(16, (3, 3), group=16), net.input((16, 6, 7)))
    pool = net.add(Pooling("MAX", (9, 9), pad=(4, 4)), depthwise)  # one reads the other
    softmax = net.add(Softmax(), pool)  # of 20 pixels
    net.add(Convolution(3, (1, 1)), softmax)
    found = inspect(run(net).loadable)
    picture = svg(found)
    boxes = [re.findall(r">([^<]+)</text>", box) for box in re.findall(r"<g>.*?</g>", picture, re.DOTALL)]
    assert [box[1] for box in boxes[1:-1]] == [
        "0..3 2 x CONV+SDP",
        "4 PDP",
        "5 PDP",
        "6..7 2 x SDP",
        "0..19 20 x SOFTMAX",
        "0..1 2 x SDP",
        "2+3 CONV+SDP",
    ]
    assert picture.count("<path") == len(boxes) - 1
    assert "and 8 more" in picture
    reader = next(line for line in lines(found) if "task 1 operation 19" in line)
    assert reader.count("task 1 operation") == 9
    assert ".., task 1 operation 19" in reader
