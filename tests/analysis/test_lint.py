"""Lint: each rule with a net that breaks it and the nearest that does not; layers too large; real nets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nvdla_sim.analysis.lint import lint
from nvdla_sim.caffe.importer import load_caffe
from nvdla_sim.calib.table import Table
from nvdla_sim.compiler import constraints
from nvdla_sim.compiler.constraints import COMMON_RULES, RULES, told
from nvdla_sim.compiler.pipeline import compile_graph
from nvdla_sim.errors import OptionError, UnsupportedError
from nvdla_sim.graph.graph import Graph
from nvdla_sim.graph.operator import Operator, Shape
from nvdla_sim.graph.ops.concat import Concat
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.deconvolution import Deconvolution
from nvdla_sim.graph.ops.eltwise import Eltwise
from nvdla_sim.graph.ops.flatten import Flatten
from nvdla_sim.graph.ops.inner_product import InnerProduct
from nvdla_sim.graph.ops.interp import Interp
from nvdla_sim.graph.ops.lrn import LRN
from nvdla_sim.graph.ops.permute import Permute
from nvdla_sim.graph.ops.pooling import Pooling
from nvdla_sim.graph.ops.power import Power
from nvdla_sim.graph.ops.reshape import Reshape
from nvdla_sim.graph.ops.scale import Scale
from nvdla_sim.graph.ops.softmax import Softmax
from nvdla_sim.graph.ops.upsample import Upsample
from nvdla_sim.hw.config import CONFIGS
from tests.shared import golden_paths

SMALL: Shape = (8, 64, 64)


def with_numbers(graph: Graph) -> Graph:
    """The graph with random parameters."""
    rng = np.random.default_rng(0)
    for node in graph.nodes:
        shapes = node.op.param_shapes([graph.tensors[name].shape for name in node.inputs])
        node.params |= {name: rng.normal(0, 0.1, shape).astype(np.float32) for name, shape in shapes.items()}
    return graph


def table(graph: Graph) -> Table:
    return Table(dict.fromkeys([*graph.inputs, *(node.name for node in graph.nodes)], 1.0))


def net(*ops: Operator, shape: Shape = SMALL) -> Graph:
    """Layers one after the other; a layer with several inputs gets the same tensor for all."""
    graph = Graph("net")
    last = graph.add_input("data", shape).name
    for number, op in enumerate(ops):
        inputs = [last] * (2 if isinstance(op, Concat | Eltwise) else 1)
        (last,) = graph.add(f"layer{number}", op, inputs).outputs
    graph.outputs = (last,)
    return graph


def conv(kernel: int = 1, stride: int = 1, pad: int = 0, dilation: int = 1, num_output: int = 8) -> Operator:
    k, s, p, d = ((value, value) for value in (kernel, stride, pad, dilation))
    return Convolution(num_output, k, s, p, d, bias=False)


def deconv(kernel: int, stride: int = 1, pad: int = 0) -> Operator:
    k, s, p = ((value, value) for value in (kernel, stride, pad))
    return Deconvolution(8, k, s, p, bias=False)


def pool(method: str, kernel: int, stride: int) -> Operator:
    return Pooling(method, (kernel, kernel), (stride, stride))


EVERY_SECOND = Pooling("MAX", (1, 1), (2, 2), ceil=False)
WIDE, LONG = (1, 1, 8193), (8, 33, 33)
# rule -> a net that breaks it, and the one that its text calls the nearest that works
CASES: dict[str, tuple[Graph, Graph]] = {
    "tensor_sizes": (net(conv(), shape=WIDE), net(conv(), shape=(1, 1, 8192))),
    "convolution_kernel": (net(conv(33)), net(conv(32), conv(2))),
    "convolution_stride": (net(conv(3, stride=16)), net(conv(3, stride=8), EVERY_SECOND)),
    "convolution_pad": (net(conv(5, pad=40)), net(conv(1, pad=31), conv(5, pad=9))),
    "convolution_dilation": (
        net(conv(2, dilation=33)),
        net(conv(2, dilation=32)),
    ),
    "deconvolution_kernel": (net(deconv(33), shape=LONG), net(deconv(32), deconv(2), shape=LONG)),
    "deconvolution_pad": (
        net(deconv(2, pad=2)),
        net(deconv(2, pad=1)),
    ),
    "interp_factor": (net(Interp(100, 100)), net(Upsample((2, 2)))),
    "eltwise_coefficients": (
        net(Eltwise("SUM", (0.0, 0.0))),
        net(Eltwise("SUM", (0.0, 1.0))),
    ),
    "concat_axis": (net(Concat(2)), net(Concat(1))),
    "reshape_vector": (net(Reshape((4, 128, 64))), net(Flatten(), InnerProduct(4), shape=(8, 4, 4))),
    "permute_readers": (
        net(Permute((0, 2, 3, 1)), conv()),
        net(Permute((0, 2, 3, 1)), Flatten(), InnerProduct(4), shape=(8, 4, 4)),
    ),
    "inner_product_axis": (
        net(InnerProduct(4, axis=2), shape=(8, 4, 4)),
        net(Flatten(), InnerProduct(4), shape=(8, 4, 4)),
    ),
    "inner_product_input": (
        net(InnerProduct(4)),
        net(pool("MAX", 2, 2), InnerProduct(4)),
    ),
    "average_kernel": (
        net(pool("AVE", 36, 1)),
        net(pool("AVE", 6, 6), pool("AVE", 6, 6)),
    ),
    "pooling_stride": (
        net(pool("MAX", 16, 16)),
        net(pool("MAX", 16, 8), EVERY_SECOND),
    ),
    "scale_shape": (net(Scale(2, 1)), net(Scale(1, 1))),
    "lrn_window": (net(LRN(11)), net(LRN(9))),
    "lrn_base": (net(LRN(5, k=0.0)), net(LRN(5, k=1.0))),
    "softmax_shape": (net(Softmax(2)), net(Softmax(1))),
}
NETS = golden_paths("loadables/*/deploy.prototxt")


@pytest.mark.parametrize("rule", CASES)
def test_a_rule_and_what_works_instead(rule: str) -> None:
    wrong, nearest = CASES[rule]
    (complaint,) = [c for c in lint(wrong, "nv_large") if told(getattr(constraints, rule))[0] in c.reason]
    assert complaint.layer == "layer0"
    assert complaint.kind == wrong.nodes[0].op.kind
    assert complaint.nearest == told(getattr(constraints, rule))[1] != ""
    assert lint(nearest, "nv_large") == []


@pytest.mark.parametrize("rule", CASES)
def test_the_compiler_agrees(rule: str) -> None:
    wrong, nearest = (with_numbers(graph) for graph in CASES[rule])
    with pytest.raises(UnsupportedError) as refused:
        compile_graph(wrong, table(wrong), "nv_large")
    assert told(getattr(constraints, rule))[0] in str(refused.value)
    compile_graph(nearest, table(nearest), "nv_large")


def test_every_rule_is_tried() -> None:
    rules = {rule.__name__ for rules in (COMMON_RULES, *RULES.values()) for rule in rules}
    assert rules == set(CASES)


def test_all_layers_are_told_in_order() -> None:
    found = lint(net(conv(40, stride=9), pool("MAX", 2, 2), conv(2, pad=33)), "nv_small")
    assert [complaint.layer for complaint in found] == ["layer0", "layer0", "layer2"]


def test_a_layer_too_large_for_a_buffer() -> None:
    """A kernel of 128 KB and four rows of 64 KB: nv_small's buffer has 128 KB, nv_large's 512."""
    net_ = net(conv(4, num_output=16), shape=(8192, 8, 8))
    (complaint,) = lint(net_, "nv_small")
    assert "one kernel of 131072 bytes" in complaint.reason
    assert complaint.nearest == ("the configurations nv_medium_512, nv_medium_1024_full, nv_large, nv_full")
    assert lint(net_, "nv_large") == []
    (complaint,) = lint(net(conv(9, num_output=16), shape=(8192, 16, 16)), "nv_full")
    assert complaint.nearest == "fewer channels, a smaller kernel, or a narrower input"


def test_what_a_table_decides_is_no_matter_of_the_layer() -> None:
    graph = net(Power(scale=255.0), conv())
    assert lint(graph, "nv_small") == []
    graph = with_numbers(graph)
    scales = table(graph)
    compile_graph(graph, Table({**scales.scales, "layer0": 255.0, "layer1": 255.0}), "nv_small")
    with pytest.raises(UnsupportedError, match=r'"layer0".*: the factor'):
        compile_graph(graph, Table({**scales.scales, "layer0": 1e-5}), "nv_small")


def test_options() -> None:
    with pytest.raises(OptionError, match="did you mean"):
        lint(net(conv()), "nv_ful")
    with pytest.raises(OptionError, match="did you mean"):
        lint(net(conv()), "nv_full", "nchv")
    with pytest.raises(OptionError, match="8 channels"):
        lint(net(conv()), "nv_full", "nhwc")


@pytest.mark.parametrize("path", NETS, ids=lambda path: path.parent.name)
def test_golden_nets(path: Path) -> None:
    """All of them can run on every configuration, and the compiler agrees."""
    caffemodel, calibration = path.with_name("net.caffemodel"), path.with_name("calib.json")
    for target in CONFIGS:
        assert lint(load_caffe(path, None), target) == []
        if caffemodel.exists():
            compile_graph(load_caffe(path, caffemodel), Table.load(calibration), target)
