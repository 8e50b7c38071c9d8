"""The whole compile: options, and every kind of net or table that it must refuse."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvdla_sim.calib.table import Table
from nvdla_sim.compiler.constraints import RULES
from nvdla_sim.compiler.lower import LOWER
from nvdla_sim.compiler.pipeline import compile_graph
from nvdla_sim.errors import CalibrationError, ModelError, OptionError, UnsupportedError
from nvdla_sim.graph.graph import Graph
from nvdla_sim.graph.ops.batch_norm import BatchNorm
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.deconvolution import Deconvolution
from nvdla_sim.graph.ops.dropout import Dropout
from nvdla_sim.graph.ops.eltwise import Eltwise
from nvdla_sim.graph.ops.flatten import Flatten
from nvdla_sim.graph.ops.inner_product import InnerProduct
from nvdla_sim.graph.ops.lrn import LRN
from nvdla_sim.graph.ops.pooling import Pooling
from nvdla_sim.graph.ops.power import Power
from nvdla_sim.graph.ops.prelu import PReLU
from nvdla_sim.graph.ops.relu import ReLU
from nvdla_sim.graph.ops.relu6 import ReLU6
from nvdla_sim.graph.ops.scale import Scale
from nvdla_sim.graph.ops.sigmoid import Sigmoid
from nvdla_sim.graph.ops.softmax import Softmax
from nvdla_sim.graph.ops.split import Split
from nvdla_sim.loadable.enums import MemoryFlags
from nvdla_sim.loadable.loadable import Loadable


def add(graph: Graph, name: str, op, *inputs: str) -> str:
    """Append a layer with small random parameters."""
    shapes = [graph.tensors[tensor].shape for tensor in inputs]
    rng = np.random.default_rng(len(graph.nodes))
    params = {
        param: rng.normal(0, 0.1, shape).astype(np.float32)
        for param, shape in op.param_shapes(shapes).items()
    }
    return graph.add(name, op, inputs, params).outputs[0]


def small_net(channels: int = 1) -> Graph:
    graph = Graph("net")
    graph.add_input("data", (channels, 12, 12))
    add(graph, "conv1", Convolution(10, (3, 3)), "data")
    add(graph, "pool1", Pooling("MAX", (2, 2), (2, 2)), "conv1")
    add(graph, "drop1", Dropout(), "pool1")
    add(graph, "flat1", Flatten(), "drop1")
    add(graph, "ip1", InnerProduct(4), "flat1")
    add(graph, "prob", Softmax(), "ip1")
    graph.outputs = ("prob",)
    return graph


SCALES = dict.fromkeys(("data", "conv1", "pool1", "ip1", "prob"), 2.0 ** (-6))


def source_map(loadable: Loadable) -> dict:
    return json.loads(loadable.blob("nvdla-sim.json").data.tobytes())


@pytest.mark.parametrize("target", ["nv_small", "nv_small_256", "nv_medium_1024_full", "nv_large", "nv_full"])
@pytest.mark.parametrize("quantization", ["per-kernel", "per-filter"])
def test_the_loadable_is_whole(target: str, quantization: str) -> None:
    loadable = compile_graph(small_net(), Table(SCALES), target, quantization)
    assert Loadable.from_bytes(loadable.to_bytes()) == loadable
    notes = source_map(loadable)
    assert notes["target"] == target
    assert [op["layer"] for op in notes["operations"]] == ["conv1", "conv1", "pool1", "ip1", "ip1", "prob"]
    assert notes["tensors"]["data"] == {"scale": 2.0**-6}


def test_layers_that_move_nothing_need_no_scale() -> None:
    compile_graph(small_net(), Table(SCALES), "nv_small")


def test_all_missing_scales_are_told_with_the_nearest_names() -> None:
    scales = {"Data": 1.0, "conv_1": 1.0, "pool1": 1.0, "prob": 1.0}
    with pytest.raises(CalibrationError) as error:
        compile_graph(small_net(), Table(scales, "calibration table t.json"), "nv_small")
    message = str(error.value)
    assert "t.json" in message
    assert 'input "data" did you mean "Data"?' in message
    assert 'layer "conv1" (Convolution) did you mean "conv_1"?' in message
    assert 'layer "ip1"' in message
    assert 'layer "pool1"' not in message
    assert "drop1" not in message


@pytest.mark.parametrize(
    ("option", "word", "hint"),
    [
        ("target", "nv_smal", 'did you mean "nv_small"?'),
        ("quantization", "per_filter", 'did you mean "per-filter"?'),
        ("input_format", "nhw", 'did you mean "nhwc"?'),
        ("profile", "fastmath", 'did you mean "fast-math"?'),
    ],
)
def test_wrong_words(option: str, word: str, hint: str) -> None:
    with pytest.raises(OptionError) as error:
        compile_graph(small_net(), Table(SCALES), **{option: word})
    assert hint in str(error.value)


@pytest.mark.parametrize(("channels", "image"), [(1, True), (2, False), (3, True), (4, True), (5, False)])
def test_the_input_format_follows_the_channels(channels: int, image: bool) -> None:
    (tensor, _) = compile_graph(small_net(channels), Table(SCALES), "nv_small").tensors
    assert (tensor.data_format == 2) is image
    (tensor, _) = compile_graph(small_net(channels), Table(SCALES), "nv_small", input_format="nchw").tensors
    assert (tensor.data_format, tensor.c) == (3, channels)


@pytest.mark.parametrize("channels", [2, 5])
def test_pixels_need_their_channels(channels: int) -> None:
    with pytest.raises(OptionError, match=f'"data" has {channels} channels'):
        compile_graph(small_net(channels), Table(SCALES), input_format="nhwc")


def test_basic_keeps_every_tensor() -> None:
    def pool(profile: str) -> int:
        loadable = compile_graph(small_net(), Table(SCALES), "nv_small", profile=profile)
        return sum(m.size for m in loadable.memories[1:] if m.flags == MemoryFlags.ALLOC)

    assert pool("basic") > 0
    assert pool("basic") >= pool("fast-math")


def test_all_layers_that_cannot_run_are_told_at_once() -> None:
    graph = Graph("net")
    graph.add_input("data", (8, 60, 60))
    add(graph, "wide", Convolution(8, (33, 1)), "data")
    add(graph, "fast", Convolution(8, (3, 3), stride=(9, 1)), "wide")
    add(graph, "big", Pooling("MAX", (1, 9), (1, 9)), "fast")
    add(graph, "prob", Softmax(2), "big")
    graph.outputs = ("prob",)
    with pytest.raises(UnsupportedError) as error:
        compile_graph(graph, Table(dict.fromkeys(("data", "wide", "fast", "big", "prob"), 0.1)))
    message = str(error.value)
    assert "nv_full" in message
    for layer, reason in (("wide", "33x1"), ("fast", "9x1"), ("big", "1x9"), ("prob", "axis 2")):
        (line,) = [line for line in message.splitlines() if f'"{layer}"' in line]
        assert reason in line


def test_scales_that_do_not_fit_together_are_told_for_all_layers() -> None:
    graph = small_net()
    scales = {**SCALES, "data": 1e6, "conv1": 1e-6, "ip1": 1e-14}
    with pytest.raises(UnsupportedError) as error:
        compile_graph(graph, Table(scales), "nv_small")
    assert 'layer "conv1"' in str(error.value)
    assert 'layer "ip1"' in str(error.value)


def test_an_output_that_only_renames_gets_the_renamed_tensor() -> None:
    graph = Graph("net")
    graph.add_input("data", (3, 4, 4))
    add(graph, "conv", Convolution(5, (1, 1)), "data")
    add(graph, "drop", Dropout(), "conv")
    add(graph, "flat", Flatten(), "drop")
    graph.outputs = ("flat",)
    loadable = compile_graph(graph, Table({"data": 1.0, "conv": 1.0}), "nv_small")
    assert [(t.name, t.c, t.h, t.w) for t in loadable.tensors[1:]] == [("flat", 5, 4, 4)]


def test_an_output_that_renames_the_input_is_a_copy() -> None:
    graph = Graph("net")
    graph.add_input("data", (3, 4, 4))
    add(graph, "drop", Dropout(), "data")
    add(graph, "relu", ReLU(), "data")
    graph.outputs = ("drop", "relu")
    loadable = compile_graph(graph, Table({"data": 1.0, "relu": 1.0}), "nv_small")
    assert [tensor.name for tensor in loadable.tensors] == ["data", "drop", "relu"]


def test_the_copies_of_a_split_are_outputs() -> None:
    graph = Graph("net")
    graph.add_input("data", (3, 4, 4))
    add(graph, "conv", Convolution(5, (1, 1)), "data")
    graph.add("split", Split(3), ["conv"], blobs=["a", "b", "c"])
    add(graph, "relu", ReLU(), "c")
    graph.outputs = ("a", "b", "relu")
    loadable = compile_graph(graph, Table({"data": 1.0, "conv": 1.0, "relu": 1.0}), "nv_small")
    assert [tensor.name for tensor in loadable.tensors] == ["data", "a", "b", "relu"]


def test_outputs_that_no_layer_makes_or_that_come_twice() -> None:
    graph = small_net()
    graph.outputs = ("prob", "data", "prov", "prob")
    with pytest.raises(ModelError) as refused:
        compile_graph(graph, Table(SCALES))
    assert str(refused.value).splitlines() == [
        'the outputs of net "net" are different tensors of layers:',
        '  - "data" is made by no layer',
        '  - "prov" is made by no layer',
        '  - "prob" is given 2 times',
    ]


def test_outputs_are_bound_in_the_order_of_the_graph() -> None:
    graph = Graph("net")
    graph.add_input("data", (3, 4, 4))
    first = add(graph, "first", Convolution(5, (1, 1)), "data")
    second = add(graph, "second", Convolution(6, (1, 1)), "data")
    graph.outputs = (second, first)
    loadable = compile_graph(graph, Table({"data": 1.0, "first": 1.0, "second": 1.0}), "nv_small")
    bound = {m.bind_id: m.tensor_desc_id for m in loadable.memories if m.flags & MemoryFlags.OUTPUT}
    assert [loadable.tensors[bound[i]].name for i in range(2)] == ["second", "first"]


def test_every_rule_has_an_operator_and_every_operator_its_rules() -> None:
    assert RULES.keys() == LOWER.keys()
    assert all(rule.__doc__ for rules in RULES.values() for rule in rules)


NETS = {
    "lenet": [Convolution(10, (3, 3)), Pooling("MAX", (2, 2)), InnerProduct(4), Softmax()],
    "sums": [Convolution(4, (1, 1)), BatchNorm(), PReLU(), Eltwise("SUM"), Eltwise("PROD"), ReLU6()],
    "tables": [LRN(3), Sigmoid(), Power(0.5), Deconvolution(4, (2, 2), (2, 2)), Scale(bias=True)],
}


@settings(max_examples=100)
@given(st.sampled_from(sorted(NETS)), st.data(), st.sampled_from(["per-kernel", "per-filter"]))
def test_scales_however_far_apart_compile_or_are_refused(name: str, data: st.DataObject, mode: str) -> None:
    graph = Graph("net")
    x = "data"
    graph.add_input(x, (4, 8, 8))
    for index, op in enumerate(NETS[name]):
        x = add(graph, f"layer{index}", op, *([x, x] if isinstance(op, Eltwise) else [x]))
    graph.outputs = (x,)
    exponents = {name: data.draw(st.integers(-125, 120)) for name in ("data", *(n.name for n in graph.nodes))}
    try:
        table = Table({name: 2.0**exponent for name, exponent in exponents.items()})
        loadable = compile_graph(graph, table, "nv_small", mode)
    except UnsupportedError:
        return
    assert Loadable.from_bytes(loadable.to_bytes()) == loadable


@pytest.mark.parametrize("alone", [True, False])
def test_a_variance_below_0_is_told(alone: bool) -> None:
    graph = Graph("net")
    graph.add_input("data", (4, 8, 8))
    x = "data" if alone else add(graph, "conv", Convolution(4, (1, 1)), "data")
    params = {"mean": np.zeros(4, np.float32), "variance": np.array([1, -1, 1, 1], np.float32)}
    graph.outputs = graph.add("bn", BatchNorm(), [x], params).outputs
    table = Table({"data": 1.0, "conv": 1.0, "bn": 1.0})
    with pytest.raises(UnsupportedError, match="factor of channel 1 is nan" if alone else "variance below 0"):
        compile_graph(graph, table, "nv_small", input_format="nchw")
