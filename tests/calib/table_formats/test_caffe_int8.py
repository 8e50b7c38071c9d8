"""The table of caffe-int8-convert-tools and ncnn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nvdla_sim.calib.table_formats.caffe_int8 import parse, render, resolve
from nvdla_sim.errors import CalibrationError, ModelError
from nvdla_sim.graph.graph import Graph
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.relu import ReLU
from tests.calib.nets import CONV, layer, structure


def test_lines_of_layers_are_read_and_those_of_weights_left(tmp_path: Path) -> None:
    text = "conv1_param_0 1.5 2.5\nconv2_param_0 0.0\nconv1 0.5\nconv2 127.0 \n\n"
    assert parse(text, "it") == {"conv1": 0.5, "conv2": 127.0}


@pytest.mark.parametrize("text", ["", "conv1_param_0 1\n", "conv1\n", "conv1 x\n", "conv1 1\nconv1 1\n"])
def test_wrong_files(text: str) -> None:
    with pytest.raises(CalibrationError, match=r"^it: "):
        parse(text, "it")


def test_a_factor_is_of_the_layers_input(tmp_path: Path) -> None:
    graph = structure(
        tmp_path,
        layer("c1", "Convolution", "data", "c1", CONV),
        layer("relu", "ReLU", "c1", "c1"),
        layer("c2", "Convolution", "c1", "c2", CONV),
        layer("c3", "Convolution", "c1", "c3", CONV),
    )
    found, unused = resolve(graph, {"c1": 0.5, "c2": 2.0, "c3": 4.0, "other": 1.0})
    assert found == {"data": 2.0, "relu": 0.5}
    assert unused == ['"other": the net has no such layer']
    assert resolve(graph, {"c1": 0.0})[0] == {"data": 0.0}


def weighted() -> Graph:
    """Convolutions of 1x1, of 3x3 with stride 1, the same depthwise, and 3x3 with stride 2."""
    graph = Graph("net")
    graph.add_input("data", (2, 9, 9))
    r = np.random.default_rng(0)
    for name, op in (
        ("one", Convolution(2, (1, 1), bias=False)),
        ("winograd", Convolution(2, (3, 3), bias=False)),
        ("depthwise", Convolution(2, (3, 3), group=2, bias=False)),
        ("strided", Convolution(2, (3, 3), stride=(2, 2), bias=False)),
    ):
        source = graph.nodes[-1].outputs[0] if graph.nodes else "data"
        (shape,) = op.param_shapes([graph.tensors[source].shape]).values()
        graph.add(name, op, [source], {"weight": r.normal(size=shape).astype(np.float32)})
    graph.add("relu", ReLU(), ["strided"])
    return graph


def test_weights_are_written_as_the_tool_does() -> None:
    graph = weighted()
    scales = {"data": 0.5, "one": 0.25, "winograd": 2.0, "depthwise": 4.0}
    lines = [line.split() for line in render(graph, scales).splitlines()]
    assert [line[0] for line in lines] == [
        *(f"{name}_param_0" for name in ("one", "winograd", "depthwise", "strided")),
        *("one", "winograd", "depthwise", "strided"),
    ]
    for line, levels in zip(lines, (127, 31, 127, 127), strict=False):
        weight = graph.node(line[0].removesuffix("_param_0")).params["weight"]
        largest = [max(abs(float(value)) for value in kernel.reshape(-1)) for kernel in weight]
        assert [float(word) for word in line[1:]] == pytest.approx([levels / value for value in largest])
    assert [float(line[1]) for line in lines[4:]] == [2.0, 4.0, 0.5, 0.25]


def test_a_dead_kernel_has_the_factor_0() -> None:
    graph = weighted()
    graph.node("one").params["weight"][1] = 1e-5
    words = render(graph, dict.fromkeys(graph.tensors, 1.0)).splitlines()[0].split()
    assert float(words[2]) == 0
    assert float(words[1]) > 0


def test_what_is_written_is_read() -> None:
    graph = weighted()
    scales = {"data": 0.1, "one": 0.3, "winograd": 0.7, "depthwise": 1.1}
    found, unused = resolve(graph, parse(render(graph, scales), "it"))
    assert found == pytest.approx(scales)
    assert unused == []


def test_weights_are_needed(tmp_path: Path) -> None:
    graph = structure(tmp_path, layer("c1", "Convolution", "data", "c1", CONV))
    with pytest.raises(ModelError, match="caffemodel"):
        render(graph, {"data": 1.0})
