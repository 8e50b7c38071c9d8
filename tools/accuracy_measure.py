"""How near a compiled net comes to its float run, and how near int8 with the same scales can come."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from nvdla_sim.analysis.compare.fake_quant import fake_run, nodes_to_run
from nvdla_sim.analysis.compare.metrics import error
from nvdla_sim.analysis.compare.versions import CHIP, FLOAT, Settings, Versions, run_versions
from nvdla_sim.calib.table import Table
from nvdla_sim.compiler.pipeline import compile_graph
from nvdla_sim.graph.graph import Graph
from nvdla_sim.graph.operator import Array
from nvdla_sim.graph.ops.softmax import Softmax


@dataclass(frozen=True)
class Accuracy:
    """Cosines with the float run, the worst of the net's outputs, each taken before a final Softmax.

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


def measure(graph: Graph, table: Table, inputs: Mapping[str, Array], target: str, mode: str) -> Accuracy:
    """``inputs``: float32 CHW of each network input. Raises what compiling raises."""
    began = time.perf_counter()
    loadable = compile_graph(graph, table, target, mode)
    seconds = time.perf_counter() - began
    versions = run_versions(graph, table, inputs, Settings(target, mode, bits=(8,)))
    values = {**versions.values, "own": _with_own_scales(versions, mode)}
    ends = [_before_softmax(graph, name) for name in graph.outputs]

    def worst(version: str) -> float:
        return min(error(versions.values[FLOAT][name], values[version][name]).cosine for name in ends)

    first = graph.outputs[0]
    return Accuracy(
        chip=worst(CHIP),
        ideal=worst("fake8"),
        own=worst("own"),
        output=error(versions.values[FLOAT][first], values[CHIP][first]).cosine,
        size=len(loadable.to_bytes()),
        seconds=seconds,
    )


def _with_own_scales(versions: Versions, mode: str) -> dict[str, Array]:
    """The fake-quantised run where each tensor has the table's scale; one without has its input's."""
    scales = {entry.tensor: versions.table.scales[entry.name] for entry in versions.entries}
    parts = list(versions.parts.values())
    for part in parts:
        scales.setdefault(part.output, scales[part.inputs[0]])
    nodes = [node for part in parts for node in part.nodes]
    inputs = {name: versions.values[FLOAT][name] for name in versions.graph.inputs}
    return fake_run(parts, inputs, scales, nodes_to_run(nodes, mode == "per-filter", 8), 8)


def _before_softmax(graph: Graph, name: str) -> str:
    maker = graph.producer(name)
    return maker.inputs[0] if maker is not None and isinstance(maker.op, Softmax) else name
