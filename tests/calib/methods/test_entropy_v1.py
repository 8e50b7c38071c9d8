"""entropy-v1: kl-trt's thresholds, layers after fusion."""

from __future__ import annotations

import numpy as np

from nvdla_sim.calib.calibrate import make_table
from nvdla_sim.calib.histogram import Histogram
from nvdla_sim.calib.methods import METHODS
from nvdla_sim.calib.statistics import Statistics
from nvdla_sim.graph.graph import Graph
from nvdla_sim.graph.ops.batch_norm import BatchNorm
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.pooling import Pooling
from nvdla_sim.graph.ops.relu import ReLU


def test_fused_layers_have_the_last_ones_range() -> None:
    graph = Graph("net")
    graph.add_input("data", (3, 8, 8))
    graph.add("conv", Convolution(4, (1, 1)), ["data"])
    graph.add("bn", BatchNorm(), ["conv"])
    graph.add("relu", ReLU(), ["bn"])
    graph.add("pool", Pooling("MAX", (2, 2), (2, 2)), ["relu"])
    graph.add("again", ReLU(), ["pool"])
    r = np.random.default_rng(0)
    histograms = {
        name: Histogram.of(r.normal(0, spread, 4000).astype(np.float32))
        for name, spread in (("data", 1), ("conv", 2), ("bn", 3), ("relu", 4), ("again", 5))
    }
    statistics = Statistics({}, 1, histograms)
    before, _ = make_table(graph, statistics, METHODS["kl-trt"], "before")
    after, _ = make_table(graph, statistics, METHODS["entropy-v1"], "after")
    assert len({before.scales[name] for name in ("conv", "bn", "relu", "again", "data")}) == 5
    assert before.scales["pool"] == before.scales["relu"]
    assert after.scales == {**before.scales, "conv": before.scales["relu"], "bn": before.scales["relu"]}
