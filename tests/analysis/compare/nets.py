"""Small nets with tables of their true ranges, so that nothing but what a test plants is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nvdla_sim.analysis.compare.comparison import Comparison, compare
from nvdla_sim.analysis.compare.verdict import Finding, judge
from nvdla_sim.analysis.compare.versions import Settings
from nvdla_sim.calib.table import Table
from nvdla_sim.compiler.scales import needed_entries
from nvdla_sim.graph.graph import Graph
from nvdla_sim.graph.operator import Array
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.inner_product import InnerProduct
from nvdla_sim.graph.ops.pooling import Pooling
from nvdla_sim.graph.ops.relu import ReLU


def chain(seed: int = 1) -> tuple[Graph, dict[str, Array]]:
    """conv1 + relu1 -> pool1 -> conv2 + relu2 -> ip, and an input; ranges differ from layer to layer."""
    random = np.random.default_rng(seed)

    def weight(*shape: int, size: float) -> dict[str, Array]:
        return {
            "weight": (random.normal(size=shape) * size).astype(np.float32),
            "bias": (random.normal(size=shape[0]) * 0.1).astype(np.float32),
        }

    graph = Graph("chain")
    graph.add_input("data", (3, 12, 12))
    graph.add("conv1", Convolution(8, (3, 3)), ["data"], weight(8, 3, 3, 3, size=1.0))
    graph.add("relu1", ReLU(), ["conv1"], {}, blobs=["conv1"])
    graph.add("pool1", Pooling("MAX", (2, 2), (2, 2)), ["relu1"], {})
    graph.add("conv2", Convolution(8, (3, 3)), ["pool1"], weight(8, 8, 3, 3, size=0.02))
    graph.add("relu2", ReLU(), ["conv2"], {}, blobs=["conv2"])
    graph.add("ip", InnerProduct(5), ["relu2"], weight(5, 72, size=0.1))
    graph.outputs = ("ip",)
    return graph, {"data": random.uniform(-1, 1, (3, 12, 12)).astype(np.float32)}


def true_table(graph: Graph, inputs: Mapping[str, Array]) -> Table:
    """max|x| / 127 of everything that needs a scale."""
    values = graph.run({name: value[None] for name, value in inputs.items()})
    scales = {
        name: float(np.abs(values[tensor]).max()) / 127 for tensor, name in needed_entries(graph).items()
    }
    return Table(scales)


def with_scales(table: Table, **scales: float) -> Table:
    """The table with other scales."""
    return Table({**table.scales, **scales})


def compared(graph: Graph, inputs: Mapping[str, Array], table: Table, **settings: Any) -> Comparison:
    return compare(graph, table, inputs, Settings("nv_small", **settings))


def first_finding(graph: Graph, inputs: Mapping[str, Array], table: Table, **settings: Any) -> Finding | None:
    return judge(compared(graph, inputs, table, **settings)).first
