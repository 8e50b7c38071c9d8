"""Random nets: lint, compiler, checker and chip agree, and the chip is as near to float as int8 can be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from nvdla_sim.analysis.check.check import check
from nvdla_sim.analysis.compare.metrics import error
from nvdla_sim.analysis.compare.versions import CHIP, FLOAT, Settings, run_versions
from nvdla_sim.analysis.lint import lint
from nvdla_sim.calib.table import Table
from nvdla_sim.compiler.pipeline import compile_graph
from nvdla_sim.errors import ModelError, UnsupportedError
from nvdla_sim.graph.graph import Graph
from nvdla_sim.graph.operator import Array, Operator, Shape
from nvdla_sim.graph.ops.batch_norm import BatchNorm
from nvdla_sim.graph.ops.clip import Clip
from nvdla_sim.graph.ops.concat import Concat
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.deconvolution import Deconvolution
from nvdla_sim.graph.ops.eltwise import Eltwise
from nvdla_sim.graph.ops.flatten import Flatten
from nvdla_sim.graph.ops.inner_product import InnerProduct
from nvdla_sim.graph.ops.interp import Interp
from nvdla_sim.graph.ops.lrn import LRN
from nvdla_sim.graph.ops.pooling import Pooling
from nvdla_sim.graph.ops.power import Power
from nvdla_sim.graph.ops.prelu import PReLU
from nvdla_sim.graph.ops.relu import ReLU
from nvdla_sim.graph.ops.scale import Scale
from nvdla_sim.graph.ops.shuffle_channel import ShuffleChannel
from nvdla_sim.graph.ops.sigmoid import Sigmoid
from nvdla_sim.graph.ops.slice import Slice
from nvdla_sim.graph.ops.split import Split
from nvdla_sim.graph.ops.tanh import TanH
from nvdla_sim.graph.ops.upsample import Upsample
from tests.compiler.ideal import MODES, TARGETS

MOST_ELEMENTS = 20_000
LAYERS = 8
Rng = np.random.Generator
Draw = Callable[[Rng, Shape], Operator]


def _window(rng: Rng) -> dict[str, tuple[int, int]]:
    kernel = tuple(rng.integers(1, 6, 2).tolist())
    pad = tuple(int(rng.integers(0, k)) for k in kernel)
    return {"kernel": kernel, "stride": tuple(rng.integers(1, 4, 2).tolist()), "pad": pad}


def _divisor(rng: Rng, number: int) -> int:
    return int(rng.choice([n for n in range(1, number + 1) if number % n == 0]))


def _grouped(rng: Rng, shape: Shape) -> Operator:
    group = _divisor(rng, shape[0])
    return Convolution(group * int(rng.integers(1, 4)), **_window(rng), group=group)


def _cut(rng: Rng, shape: Shape) -> Operator:
    axis = int(rng.integers(1, len(shape) + 1))
    first = int(rng.integers(1, shape[axis - 1]))  # an axis of one cannot be cut
    return Slice((first, shape[axis - 1] - first), axis)


ONE_INPUT: list[Draw] = [
    lambda rng, shape: Convolution(int(rng.integers(1, 40)), **_window(rng)),
    lambda rng, shape: Convolution(int(rng.integers(1, 40)), (3, 3), pad=(2, 2), dilation=(2, 2), bias=False),
    _grouped,
    lambda rng, shape: Deconvolution(int(rng.integers(1, 12)), **_window(rng)),
    lambda rng, shape: InnerProduct(int(rng.integers(1, 40))),
    lambda rng, shape: Pooling("MAX", **_window(rng)),
    lambda rng, shape: Pooling("AVE", **_window(rng)),
    lambda rng, shape: Pooling("AVE", (shape[1], shape[2])),
    lambda rng, shape: BatchNorm(),
    lambda rng, shape: Scale(bias=True),
    lambda rng, shape: Power(scale=-1.5, shift=0.2),
    lambda rng, shape: LRN(5, alpha=0.1),
    lambda rng, shape: ReLU(float(rng.choice([0.0, 0.1]))),
    lambda rng, shape: PReLU(),
    lambda rng, shape: Sigmoid(),
    lambda rng, shape: TanH(),
    lambda rng, shape: Clip(float(rng.choice([-1.0, 0.0])), 1.2),
    lambda rng, shape: Flatten(),
    lambda rng, shape: Split(2),
    lambda rng, shape: Upsample((2, 3)),
    lambda rng, shape: Interp(2 * shape[1] - 1, 3 * shape[2] - 2),
    lambda rng, shape: ShuffleChannel(_divisor(rng, shape[0])),
    _cut,
]
SEVERAL_INPUTS: list[Draw] = [
    lambda rng, shape: Concat(),
    lambda rng, shape: Eltwise("SUM"),
    lambda rng, shape: Eltwise("SUM", (1.5, -0.3)),
    lambda rng, shape: Eltwise("PROD"),
    lambda rng, shape: Eltwise("MAX"),
]


def drawn(rng: Rng) -> Graph:
    """A net of up to ``LAYERS`` layers; what does not fit the tensors that are there is drawn again."""
    graph = Graph("net")
    shape = (int(rng.choice([1, 3, 4, 8, 19, 33])), int(rng.integers(4, 16)), int(rng.integers(4, 16)))
    graph.add_input("data", shape)
    while len(graph.nodes) < LAYERS:
        tensors = list(graph.tensors)
        x = tensors[-1] if rng.random() < 0.6 else str(rng.choice(tensors))
        shape = graph.tensors[x].shape
        several = rng.random() < 0.25
        inputs = [x, str(rng.choice(tensors))] if several else [x]
        draws = SEVERAL_INPUTS if several else ONE_INPUT
        try:
            op = draws[rng.integers(len(draws))](rng, shape)
            shapes = [graph.tensors[name].shape for name in inputs]
            sizes = op.output_shapes(shapes)
        except (ModelError, ValueError, IndexError):  # of the operator, of drawing from nothing, of the rank
            continue
        if max(int(np.prod(size)) for size in sizes) > MOST_ELEMENTS:
            continue
        name = f"{op.kind}{len(graph.nodes)}"
        tops = [name] if len(sizes) == 1 else [f"{name}_{index}" for index in range(len(sizes))]
        params = {key: _numbers(rng, key, size) for key, size in op.param_shapes(shapes).items()}
        graph.add(name, op, inputs, params, tops)
    read = {name for node in graph.nodes for name in node.inputs}
    graph.outputs = tuple(name for node in graph.nodes for name in node.outputs if name not in read)
    return graph


def _numbers(rng: Rng, name: str, shape: Shape) -> Array:
    if name in ("variance", "slope") or (name == "weight" and len(shape) == 1):
        return rng.uniform(0.3, 1.5, shape).astype(np.float32)
    inputs = int(np.prod(shape[1:])) if name == "weight" else 16
    return rng.normal(0, np.sqrt(2 / inputs), shape).astype(np.float32)


def calibrated(graph: Graph, pictures: list[dict[str, Array]]) -> Table:
    largest = dict.fromkeys(graph.tensors, 1e-3)
    for picture in pictures:
        for name, values in graph.run({key: value[None] for key, value in picture.items()}).items():
            largest[name] = max(largest[name], float(np.abs(values).max()))
    scales = {name: largest[name] / 127 for name in graph.inputs}
    scales |= {node.name: max(largest[name] for name in node.outputs) / 127 for node in graph.nodes}
    return Table(scales)


@pytest.mark.parametrize("seed", range(40))
def test_a_net(seed: int) -> None:
    rng = np.random.default_rng(seed)
    target, mode = TARGETS[seed % len(TARGETS)], MODES[seed // len(TARGETS) % len(MODES)]
    graph = drawn(rng)
    size = graph.tensors["data"].shape
    pictures = [{"data": rng.normal(0, 1, size).clip(-2.5, 2.5).astype(np.float32)} for _ in range(3)]
    table = calibrated(graph, pictures)
    if complaints := lint(graph, target):
        with pytest.raises(UnsupportedError, match=complaints[0].layer):
            compile_graph(graph, table, target, mode)
        return
    findings = check(compile_graph(graph, table, target, mode))
    assert (findings.errors, findings.warnings) == ([], [])
    versions = run_versions(graph, table, pictures[0], Settings(target, mode, bits=(8,))).values
    for name in versions[CHIP].keys() & versions["fake8"].keys():
        chip, ideal = (error(versions[FLOAT][name], versions[made][name]).cosine for made in (CHIP, "fake8"))
        assert chip > min(ideal - 0.004, 0.9995), f"{name}: {chip} on the chip, {ideal} ideally"
