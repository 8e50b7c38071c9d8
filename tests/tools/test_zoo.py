"""The zoo at reduced size: nets stay alive, their files read back, and every one of them compiles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nvdla_sim.analysis.check.check import check
from nvdla_sim.caffe.importer import load_caffe
from nvdla_sim.calib.table import Table
from nvdla_sim.compiler.pipeline import compile_graph
from tools.zoo import write_net
from tools.zoo_builder import Builder, pictures
from tools.zoo_nets import NETS

TARGETS = ("nv_small", "nv_large", "nv_full")


@pytest.mark.parametrize("name", NETS)
def test_activations_stay_alive(name: str) -> None:
    """A tenth of every tensor is not 0, and no layer's values are far from those of the layer before."""
    net = NETS[name](True)
    dead = {tensor: part for tensor, part in net.alive().items() if part < 0.1}
    assert dead == {}
    _, table = net.finished()
    assert all(1e-4 < scale < 100 for scale in table.scales.values())


@pytest.mark.parametrize("name", NETS)
def test_files_read_back_and_compile(name: str, tmp_path: Path) -> None:
    write_net(name, tmp_path, reduced=True)
    made, table = NETS[name](True).finished()
    graph = load_caffe(tmp_path / "deploy.prototxt", tmp_path / "net.caffemodel")
    assert graph.tensors == made.tensors
    assert graph.outputs == made.outputs
    for node, other in zip(graph.nodes, made.nodes, strict=True):
        for key, values in made.weights(other).items():
            np.testing.assert_array_equal(graph.weights(node)[key], values)
    table = Table.load(tmp_path / "calib.json")
    for target in TARGETS:
        found = check(compile_graph(graph, table, target, "per-filter"), target)
        assert (found.errors, found.warnings) == ([], [])


def test_full_nets_have_the_published_parameters() -> None:
    """Weights in all, in millions, without building the large ones' data."""
    graph, _ = NETS["squeezenet"](False).finished()
    count = sum(params.size for node in graph.nodes for params in node.params.values())
    assert count == 1_235_496


def test_pictures() -> None:
    made = pictures(np.random.default_rng(1), 2, 64)
    assert made.shape == (2, 3, 64, 64)
    assert made.dtype == np.float32
    assert np.abs(made).max() <= 127
    assert 40 < made.std() < 55
    neighbours = np.corrcoef(made[..., 1:].ravel(), made[..., :-1].ravel())[0, 1]
    assert neighbours > 0.6  # as in photographs


def test_batch_norm_has_the_statistics_of_its_data() -> None:
    net = Builder("net", (16, 16), reduced=True)
    net.conv_norm("conv", "data", 8, 3)
    (norm,) = (node for node in net.graph.nodes if node.op.kind == "BatchNorm")
    normed = net.graph.run({"data": pictures(np.random.default_rng(1), 2, 16)})[norm.outputs[0]]
    np.testing.assert_allclose(normed.mean(axis=(0, 2, 3)), 0, atol=1e-4)
    np.testing.assert_allclose(normed.std(axis=(0, 2, 3)), 1, atol=1e-3)
