"""How near a compiled net comes to its float run, and how near int8 with the same scales can come."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nvdla_sim.analysis.compare import parts
from nvdla_sim.analysis.compare.fake_quant import fake_run, nodes_to_run
from nvdla_sim.analysis.compare.metrics import error
from nvdla_sim.calib.preprocess import quantize_input
from nvdla_sim.calib.table import Table
from nvdla_sim.compiler.pipeline import compile_graph, image_inputs, simplified
from nvdla_sim.compiler.scales import needed_entries
from nvdla_sim.graph.graph import Graph
from nvdla_sim.graph.operator import Array
from nvdla_sim.graph.ops.softmax import Softmax
from nvdla_sim.loadable.loadable import Loadable
from nvdla_sim.runtime.session import Runtime

BITS = 8


@dataclass(frozen=True)
class Accuracy:
    """Cosines with the float run, each taken before a final Softmax: of the net's outputs the worst, and of
    that the mean over the inputs.

    ``chip``: what our loadable computes. ``ideal``: a float run whose tensors and weights are rounded to int8
    with the scales that our compiler assigned. ``own``: the same with the table's own scales. ``output``: the
    chip's first output itself, Softmax included, as the real flow's is known. ``size``: of the loadable,
    bytes. ``seconds``: of compiling.
    """

    chip: float
    ideal: float
    own: float
    output: float
    size: int
    seconds: float


class Subject:
    """A net with its table and the inputs that it is measured with: float32 CHW of each network input.

    Configurations that give the tensors the same scales share the runs with rounded values.
    """

    def __init__(self, graph: Graph, table: Table, inputs: Sequence[Mapping[str, Array]]) -> None:
        self._graph, self._table = graph, table
        self._inputs = [{name: each[name][np.newaxis] for name in graph.inputs} for each in inputs]
        self._ends = [_before_softmax(graph, name) for name in graph.outputs]
        self._first = graph.outputs[0]
        self._float = [graph.run(start, keep={*self._ends, self._first}) for start in self._inputs]
        self._rounded: dict[tuple[str, frozenset[tuple[str, float]]], float] = {}

    def measure(self, target: str, mode: str) -> Accuracy:
        """Raises what compiling raises."""
        began = time.perf_counter()
        loadable = compile_graph(self._graph, self._table, target, mode)
        seconds = time.perf_counter() - began
        results, scales = self._on_chip(loadable)
        outputs = [
            error(expected[self._first], result[self._first].reshape(expected[self._first].shape)).cosine
            for expected, result in zip(self._float, results, strict=True)
        ]
        return Accuracy(
            chip=self._cosine(results),
            ideal=self._with(mode, scales),
            own=self._with(mode, self._own_scales(scales)),
            output=float(np.mean(outputs)),
            size=len(loadable.to_bytes()),
            seconds=seconds,
        )

    def _on_chip(self, loadable: Loadable) -> tuple[list[dict[str, Array]], dict[str, float]]:
        """The ends for each input, and the scale of every tensor that the chip has in memory."""
        scales = {name: float(np.float32(self._table.scales[name])) for name in self._graph.inputs}
        given = dict(scales)
        runtime = Runtime(loadable)
        results = []
        for start in self._inputs:
            steps = {
                name: quantize_input(values, given[name]).reshape(self._graph.tensors[name].chw)
                for name, values in start.items()
            }
            found = {name: values * np.float32(given[name]) for name, values in steps.items()}
            for tensor in runtime.intermediates(list(steps.values())):
                assert tensor.scale is not None
                scales[tensor.name] = tensor.scale
                if tensor.name in {*self._ends, self._first}:
                    found[tensor.name] = tensor.values * np.float32(tensor.scale)
            results.append(found)
        return results, scales

    def _own_scales(self, assigned: Mapping[str, float]) -> dict[str, float]:
        """The table's scale of each tensor in memory; one without has its input's."""
        entries = needed_entries(self._graph)
        scales = {name: self._table.scales[entry] for name, entry in entries.items() if name in assigned}
        for part in self._parts(assigned):
            scales.setdefault(part.output, scales[part.inputs[0]])
        return scales

    def _with(self, mode: str, scales: Mapping[str, float]) -> float:
        """The cosine of the runs whose tensors in memory, those with a scale, are rounded to int8."""
        key = mode, frozenset(scales.items())
        if key not in self._rounded:
            net = self._parts(scales)
            nodes = [node for part in net for node in part.nodes]
            rounded = nodes_to_run(nodes, mode == "per-filter", BITS)
            runs = (fake_run(net, start, scales, rounded, BITS) for start in self._inputs)
            self._rounded[key] = self._cosine([{name: run[name] for name in self._ends} for run in runs])
        return self._rounded[key]

    def _parts(self, scales: Mapping[str, float]) -> list[parts.Part]:
        lowered = simplified(self._graph, image_inputs(self._graph, None))
        return parts.cut(lowered, scales.keys() - set(self._graph.inputs))

    def _cosine(self, results: Sequence[Mapping[str, Array]]) -> float:
        """Of the ends, one mapping for each input, with the float run's."""
        worst = [
            min(error(expected[end], result[end].reshape(expected[end].shape)).cosine for end in self._ends)
            for expected, result in zip(self._float, results, strict=True)
        ]
        return float(np.mean(worst))


def _before_softmax(graph: Graph, name: str) -> str:
    maker = graph.producer(name)
    return maker.inputs[0] if maker is not None and isinstance(maker.op, Softmax) else name
