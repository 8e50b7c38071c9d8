"""Top-1 of the int8 net on labelled images: what a search for calibration numbers goes by."""

from __future__ import annotations

import numpy as np

from nvdla_sim.calib.calibrate import single_input
from nvdla_sim.calib.datasets.dataset import Dataset, check_labels
from nvdla_sim.calib.preprocess import Preprocess, quantize_input
from nvdla_sim.calib.table import Table
from nvdla_sim.compiler.pipeline import compile_graph
from nvdla_sim.graph.graph import Graph
from nvdla_sim.graph.operator import Array
from nvdla_sim.runtime.session import Runtime


class Scorer:
    """Images ``indices`` of ``dataset``, preprocessed once; ``ImageError`` when one cannot be used."""

    def __init__(
        self, graph: Graph, dataset: Dataset, preprocess: Preprocess, indices: range, target: str
    ) -> None:
        self._graph, self._target = graph, target
        self._input = single_input(graph)
        shape = graph.tensors[self._input].chw
        steps = preprocess.unless(dataset.preprocessed)
        classes = int(np.prod(graph.tensors[graph.outputs[0]].shape))
        self._images: list[tuple[Array, int]] = []
        for index in indices:
            sample = dataset.read(index)
            values = steps.apply(sample.pixels, shape, sample.name)
            self._images.append((values, check_labels(dataset, sample, classes)))

    def top1(self, table: Table) -> float:
        """The share of images whose largest output is the true class; of equals the first counts."""
        runtime = Runtime(compile_graph(self._graph, table, self._target), self._target)
        scale = table.scales[self._input]
        right = sum(
            int(np.argmax(runtime.run(quantize_input(values, scale))[0].values)) == label
            for values, label in self._images
        )
        return right / len(self._images)
