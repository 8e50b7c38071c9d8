"""Small nets, compiled and run, against what they mean in real numbers.

Weights and input are whole numbers of their steps, so that nothing is lost before the chip computes: what an
output is off is the fault of multipliers, shifts and roundings alone. Half a step is a perfect result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from nvdla_sim.analysis.check.check import check
from nvdla_sim.calib.table import Table
from nvdla_sim.compiler.pipeline import compile_graph
from nvdla_sim.graph.graph import Graph
from nvdla_sim.graph.operator import Array, Operator, Shape
from nvdla_sim.graph.ops.deconvolution import Deconvolution
from nvdla_sim.loadable.loadable import Loadable
from nvdla_sim.runtime.session import Runtime

TARGETS = ("nv_small", "nv_large", "nv_full")
MODES = ("per-kernel", "per-filter")
INPUT_SCALE = np.float32(2.0**-5)


@dataclass
class Net:
    """A graph in the making, the scales of its table, and a generator for its numbers."""

    graph: Graph = field(default_factory=lambda: Graph("net"))
    scales: dict[str, float] = field(default_factory=dict)
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(1))

    def input(self, shape: Shape, name: str = "data", scale: float = float(INPUT_SCALE)) -> str:
        self.graph.add_input(name, shape)
        self.scales[name] = scale
        return name

    def add(self, op: Operator, *inputs: str, name: str = "", **params: Array) -> str:
        """Append a layer; parameters that are not given are random."""
        name = name or f"{op.kind.lower()}{len(self.graph.nodes)}"
        shapes = [self.graph.tensors[tensor].shape for tensor in inputs]
        made = {key: self._param(key, shape) for key, shape in op.param_shapes(shapes).items()}
        outputs = [name] if len(op.output_shapes(shapes)) == 1 else None
        tops = outputs or [f"{name}_{i}" for i in range(len(op.output_shapes(shapes)))]
        self.graph.add(name, op, inputs, {**made, **params}, tops)
        return name if outputs else " ".join(tops)

    def whole_weights(self, op: Deconvolution, channels: int) -> Array:
        """Weights of a deconvolution, whole numbers of 2^-9 with the scale 2^-9 for each output channel."""
        shape = (channels, op.num_output // op.group, *op.kernel)
        weights = self.rng.integers(-100, 101, shape)
        weights[:: channels // op.group, :, 0, 0] = 127  # the first input channel of each group
        return (weights * 2.0**-9).astype(np.float32)

    def _param(self, name: str, shape: Shape) -> Array:
        if name == "weight" and len(shape) > 1:
            weights = self.rng.integers(-100, 101, shape)
            weights.reshape(shape[0], -1)[:, 0] = 127  # every filter has the scale 2^-9
            return (weights * 2.0**-9).astype(np.float32)
        if name == "variance":
            return self.rng.uniform(0.3, 3, shape).astype(np.float32)
        return self.rng.normal(0, 0.5, shape).astype(np.float32)


@dataclass
class Result:
    """``errors``: for each output the distances |output - ideal| in its steps, which are ``scales``."""

    loadable: Loadable
    outputs: list[np.ndarray]
    errors: list[np.ndarray]
    scales: list[float]

    @property
    def worst(self) -> float:
        return max(float(error.max()) for error in self.errors)

    @property
    def mean(self) -> float:
        return max(float(error.mean()) for error in self.errors)


def run(
    net: Net,
    target: str = "nv_small",
    quantization: str = "per-kernel",
    scales: Mapping[str, float] | None = None,
    **options: str,
) -> Result:
    """Calibrate on the very input, compile, check, run; ``scales`` replaces entries of the table."""
    graph = net.graph
    if not graph.outputs:
        read = {tensor for node in graph.nodes for tensor in node.inputs}
        graph.outputs = tuple(t for node in graph.nodes for t in node.outputs if t not in read)
    inputs = {
        name: net.rng.integers(-128, 128, graph.tensors[name].chw).astype(np.int8) for name in graph.inputs
    }
    floats = {
        name: (values.reshape(graph.tensors[name].shape) * np.float32(net.scales[name]))[None]
        for name, values in inputs.items()
    }
    values = graph.run(floats)
    table = dict(net.scales)
    for node in graph.nodes:
        table[node.name] = max(float(np.abs(values[t]).max()) for t in node.outputs) / 127 or 1.0
    table |= scales or {}
    loadable = compile_graph(graph, Table(table), target, quantization, **options)
    findings = check(loadable)
    assert (findings.errors, findings.warnings) == ([], [])
    made = Runtime(loadable, target).run([inputs[name] for name in graph.inputs])
    outputs, errors, out_scales = [], [], []
    for output, name in zip(made, graph.outputs, strict=True):
        assert output.scale is not None
        ideal = np.clip(values[name][0].astype(np.float64) / output.scale, -128, 127)
        outputs.append(output.values)
        out_scales.append(output.scale)
        errors.append(np.abs(output.values.reshape(ideal.shape) - ideal))
    return Result(loadable, outputs, errors, out_scales)
