"""What the exporter writes, the importer reads back as the same graph."""

from __future__ import annotations

import numpy as np
import pytest

from nvdla_sim.caffe.exporter import prototxt_text, save_caffe
from nvdla_sim.caffe.importer import load_caffe
from nvdla_sim.errors import ModelError, NvdlaError, UnsupportedError
from nvdla_sim.graph.graph import Graph
from nvdla_sim.graph.operator import Elementwise
from nvdla_sim.graph.ops.batch_norm import BatchNorm
from nvdla_sim.graph.ops.inner_product import InnerProduct
from nvdla_sim.graph.ops.pooling import Pooling
from nvdla_sim.graph.ops.relu import ReLU
from nvdla_sim.graph.ops.scale import Scale
from nvdla_sim.graph.ops.slice import Slice
from tests.caffe.test_layers import BOTTOMS, MEANINGS
from tests.graph.cases import random_array, random_params


def assert_same(one: Graph, other: Graph) -> None:
    assert (one.name, one.inputs, one.outputs) == (other.name, other.inputs, other.outputs)
    assert {t.name: t.shape for t in one.tensors.values()} == {
        t.name: t.shape for t in other.tensors.values()
    }
    for a, b in zip(one.nodes, other.nodes, strict=True):
        assert (a.name, a.op, a.inputs, a.outputs) == (b.name, b.op, b.inputs, b.outputs)
        assert a.params.keys() == b.params.keys()
        for name in a.params:
            np.testing.assert_array_equal(a.params[name], b.params[name])


@pytest.mark.parametrize(("kind", "param", "op"), MEANINGS)
def test_every_operator_comes_back(tmp_path, kind, param, op):
    graph = Graph("one")
    graph.add_input("data", (4, 6, 8))
    inputs = BOTTOMS.get(kind, "data").split()
    shapes = [(4, 6, 8)] * len(inputs)
    tops = [f"top{i}" for i in range(len(op.output_shapes(shapes)))]
    graph.add("it", op, inputs, random_params(op, shapes), tops)
    graph.outputs = tuple(tops)
    save_caffe(graph, tmp_path / "net.prototxt", tmp_path / "net.caffemodel")
    assert_same(graph, load_caffe(tmp_path / "net.prototxt", tmp_path / "net.caffemodel"))


def test_a_net_comes_back_and_gives_the_same_numbers(tmp_path):
    graph = Graph("net")
    graph.add_input("data", (4, 6, 8))
    graph.add("bn", BatchNorm(0.25), ["data"], random_params(BatchNorm(), [(4, 6, 8)]))
    graph.add("relu", ReLU(0.5), ["bn"], blobs=["data"])  # in place
    graph.add("pool", Pooling("AVE", (6, 8)), ["relu"])
    ip = InnerProduct(4)
    graph.add("ip", ip, ["pool"], random_params(ip, [(4, 1, 1)]))
    graph.add("gate", Scale(), ["relu", "ip"])
    graph.add("parts", Slice((1, 2, 1)), ["gate"], blobs=["one", "two", "three"])
    graph.outputs = ("one", "two", "three")
    save_caffe(graph, tmp_path / "net.prototxt", tmp_path / "net.caffemodel")
    again = load_caffe(tmp_path / "net.prototxt", tmp_path / "net.caffemodel")
    assert_same(graph, again)
    x = random_array(1, 2, 4, 6, 8)
    for name, value in graph.run({"data": x}).items():
        np.testing.assert_array_equal(again.run({"data": x})[name], value)


def test_defaults_are_left_out():
    graph = Graph("net")
    graph.add_input("data", (4, 6, 8))
    graph.add("pool", Pooling("MAX", (2, 2)), ["data"])
    assert "".join(prototxt_text(graph).split()) == (
        'name:"net"layer{name:"data"type:"Input"top:"data"input_param{shape{dim:1dim:4dim:6dim:8}}}'
        'layer{name:"pool"type:"Pooling"bottom:"data"top:"pool"pooling_param{kernel_size:2}}'
    )


def test_blobs_are_in_caffe_order_and_must_be_there(tmp_path):
    graph = Graph("net")
    graph.add_input("data", (5,))
    ip = InnerProduct(4)
    params = random_params(ip, [(5,)])
    node = graph.add("ip", ip, ["data"], dict(reversed(params.items())))
    save_caffe(graph, tmp_path / "net.prototxt", tmp_path / "net.caffemodel")
    again = load_caffe(tmp_path / "net.prototxt", tmp_path / "net.caffemodel")
    np.testing.assert_array_equal(again.node("ip").params["weight"], params["weight"])
    node.params.clear()
    with pytest.raises(ModelError, match='layer "ip" has no weight, bias: give a caffemodel'):
        save_caffe(graph, tmp_path / "net.prototxt", tmp_path / "net.caffemodel")


class Strange(Elementwise):
    kind = "Strange"

    def apply(self, x, params):
        return x


def test_nothing_is_written_for_what_caffe_has_no_layer_for(tmp_path):
    graph = Graph("net")
    graph.add_input("data", (4,))
    graph.add("odd", Strange(), ["data"])
    with pytest.raises(UnsupportedError, match='layer "odd": the operator Strange cannot be written'):
        save_caffe(graph, tmp_path / "net.prototxt", tmp_path / "net.caffemodel")
    assert list(tmp_path.iterdir()) == []
    graph.nodes.clear()
    with pytest.raises(NvdlaError, match="cannot write"):
        save_caffe(graph, tmp_path / "absent" / "net.prototxt", tmp_path / "net.caffemodel")
