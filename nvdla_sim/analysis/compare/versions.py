"""One input through a net in float, fake-quantised and on the chip.

The tensors are the network's inputs and those that the chip writes to memory: what lies between two of them
(a convolution before its ReLU) never exists in int8. The versions of each are "float"; "fake16" and "fake8",
the fake-quantised runs; "chip".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nvdla_sim.analysis.compare import parts
from nvdla_sim.analysis.compare.fake_quant import fake_run, nodes_to_run
from nvdla_sim.analysis.compare.parts import Part
from nvdla_sim.analysis.compare.table_use import Entry, completed, entries
from nvdla_sim.calib.preprocess import quantize_input
from nvdla_sim.calib.table import Table
from nvdla_sim.compiler.pipeline import compile_graph, image_inputs, simplified
from nvdla_sim.errors import ModelError, OptionError, did_you_mean, listed
from nvdla_sim.graph.graph import Graph
from nvdla_sim.graph.operator import Array
from nvdla_sim.hw.formats import Int8
from nvdla_sim.runtime.session import Runtime

FLOAT, CHIP = "float", "chip"
FAKE_BITS = (16, 8)


@dataclass(frozen=True)
class Settings:
    """How the net is compiled, which fake-quantised runs there are, which layers stay in float in them."""

    target: str = "nv_full"
    quantization: str = "per-kernel"
    input_format: str | None = None
    bits: tuple[int, ...] = FAKE_BITS
    deny: tuple[str, ...] = ()

    @property
    def per_filter(self) -> bool:
        return self.quantization == "per-filter"


@dataclass(frozen=True)
class Versions:
    """``values``: version -> tensor -> float32 with a batch axis of 1; "float" has every tensor of the graph,
    the others have those that the chip has in memory.

    ``table`` and ``entries``: the calibration table, completed, and what of it the net needs. ``parts``: what
    makes each of the latter, nodes of the graph that is lowered; ``layers``: the same as names of the net's
    layers, in their order, none for a network input.
    ``scales``: real = scale * int8. ``denied``: tensors that stay in float in the fake-quantised runs.
    """

    graph: Graph
    table: Table
    entries: Sequence[Entry]
    parts: Mapping[str, Part]
    layers: Mapping[str, tuple[str, ...]]
    scales: Mapping[str, float]
    denied: Collection[str]
    int8: Mapping[str, Int8]
    values: Mapping[str, Mapping[str, Array]]


def run_versions(graph: Graph, table: Table, inputs: Mapping[str, Array], settings: Settings) -> Versions:
    """``inputs``: float32 values as the net takes them, preprocessing done, one for each network input.

    Raises ``CalibrationError`` for a table of another net, ``OptionError`` for layers to deny that there are
    not, and what compiling raises.
    """
    start = {
        name: np.asarray(inputs[name], np.float32).reshape(1, *graph.tensors[name].shape)
        for name in graph.inputs
    }
    with np.errstate(over="ignore", invalid="ignore"):  # the results are checked
        every = graph.run(start)
    _check_finite(graph, every)
    needed = entries(graph, table, every)
    table = completed(table, needed)
    int8, scales = _run_chip(graph, table, start, settings)

    lowered = simplified(graph, image_inputs(graph, settings.input_format))
    net = parts.cut(lowered, int8.keys() - set(graph.inputs))
    layers = {**dict.fromkeys(graph.inputs, ()), **parts.layers_of(graph, net)}
    denied = _denied(layers, settings.deny)
    in_float = {node.name for part in net if part.output in denied for node in part.nodes}

    values = {FLOAT: every}
    for bits in settings.bits:
        nodes = nodes_to_run(lowered.nodes, settings.per_filter, bits, in_float)
        values[f"fake{bits}"] = fake_run(net, start, scales, nodes, bits, denied)
    values[CHIP] = {
        name: (int8[name] * np.float32(scales[name])).reshape(every[name].shape) for name in layers
    }
    made_by = {part.output: part for part in net}
    return Versions(graph, table, needed, made_by, layers, scales, denied, int8, values)


def _run_chip(
    graph: Graph, table: Table, start: Mapping[str, Array], settings: Settings
) -> tuple[dict[str, Int8], dict[str, float]]:
    """The chip's int8 CHW values of every tensor in memory, inputs first, and the tensors' scales."""
    loadable = compile_graph(graph, table, settings.target, settings.quantization, settings.input_format)
    scales = {name: float(np.float32(table.scales[name])) for name in graph.inputs}
    int8 = {
        name: quantize_input(value, scales[name]).reshape(graph.tensors[name].chw)
        for name, value in start.items()
    }
    runtime = Runtime(loadable)
    given = [int8[name] for name in graph.inputs]
    for tensor in runtime.intermediates(given):
        assert tensor.scale is not None
        int8[tensor.name], scales[tensor.name] = tensor.values, tensor.scale
    return int8, scales


def _check_finite(graph: Graph, tensors: Mapping[str, Array]) -> None:
    for name, values in tensors.items():
        if not np.isfinite(values).all():
            maker = graph.producer(name)
            where = f'input "{name}"' if maker is None else f'layer "{maker.name}" ({maker.op.kind})'
            raise ModelError(
                f"{where}: the float run gives values that are not finite; check weights and input"
            )


def _denied(layers: Mapping[str, tuple[str, ...]], deny: Sequence[str]) -> set[str]:
    """The tensors that stay in float: those of each layer (or input) of ``deny``."""
    known = [*layers, *(layer for names in layers.values() for layer in names)]
    unknown = [f'"{name}" {did_you_mean(name, known)}'.rstrip() for name in deny if name not in known]
    if unknown:
        raise OptionError(listed("layers to deny that the net does not have:", unknown))
    return {tensor for tensor, names in layers.items() if {tensor, *names} & set(deny)}
