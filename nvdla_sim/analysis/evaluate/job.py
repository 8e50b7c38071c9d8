"""What is evaluated, and the worker that does it: a worker is made once in each process and thread."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.analysis.evaluate.outcome import Outcome, Prediction, Unreadable
from nvdla_sim.caffe.importer import load_caffe
from nvdla_sim.calib.calibrate import single_input
from nvdla_sim.calib.datasets.dataset import Sample, check_labels
from nvdla_sim.calib.datasets.opening import open_dataset
from nvdla_sim.calib.preprocess import Preprocess, quantize_input
from nvdla_sim.calib.preprocess_steps import Standardise
from nvdla_sim.calib.table_io import load_table
from nvdla_sim.compiler.pipeline import compile_graph
from nvdla_sim.errors import CalibrationError, ImageError, OptionError
from nvdla_sim.graph.graph import Graph
from nvdla_sim.graph.operator import Array
from nvdla_sim.hw.formats import Int8
from nvdla_sim.loadable.loadable import Loadable
from nvdla_sim.runtime.image import PIXEL_TO_INT8
from nvdla_sim.runtime.session import Runtime
from nvdla_sim.runtime.source_map import read_source_map


@dataclass(frozen=True)
class Job:
    """A net, its int8 form and a labelled data set, as files that every worker can read.

    Without ``loadable`` the net is compiled with ``table``; otherwise ``table`` may tell the scale of the
    input of a loadable that does not. ``id`` tells jobs apart.
    """

    prototxt: str
    caffemodel: str
    data: str
    preprocess: Preprocess
    root: str | None = None
    table: str | None = None
    loadable: str | None = None
    target: str | None = None
    quantization: str = "per-kernel"
    input_format: str | None = None
    id: str = field(init=False, default_factory=lambda: uuid.uuid4().hex)

    def load_int8(self, graph: Graph) -> tuple[Loadable, float | None]:
        """The loadable, and its input's scale: that of the table, or the loadable's own, None if unknown."""
        name = single_input(graph)
        table = None if self.table is None else load_table(self.table, graph)
        if self.loadable is not None:
            loadable = Loadable.load(self.loadable)
            scale = read_source_map(loadable).scales.get(name) if table is None else table.scales[name]
            return loadable, scale
        if table is None:
            raise OptionError("int8 needs a loadable, or a calibration table to compile with")
        target = self.target or "nv_full"
        loadable = compile_graph(graph, table, target, self.quantization, self.input_format)
        return loadable, table.scales[name]


class Worker:
    """Runs images in float and in int8."""

    def __init__(self, job: Job) -> None:
        self.dataset = open_dataset(job.data, job.root)
        self._graph = load_caffe(job.prototxt, job.caffemodel)
        self._input = single_input(self._graph)
        self._output = self._graph.outputs[0]
        self._shape = self._graph.tensors[self._input].chw
        self._classes = int(np.prod(self._graph.tensors[self._output].shape))
        self._preprocess = job.preprocess.unless(self.dataset.preprocessed)
        loadable, self._scale = job.load_int8(self._graph)
        self._runtime = Runtime(loadable, job.target)
        images = max(port.tensor.n for port in (*self._runtime.inputs, *self._runtime.outputs))
        if images > 1:
            raise OptionError(
                f"{job.loadable} is compiled for a batch of {images}; images are evaluated one by one: "
                "compile it with --batch 1"
            )
        if self._scale is None and self.dataset.preprocessed:
            raise CalibrationError(
                f"{self.dataset.source} holds the net's input as it is, and the scale of the input of "
                f"{job.loadable} is not known: give the calibration table that it was compiled with"
            )
        # the first runs prepare what they need, kernels above all: that is not what an image takes
        self._runtime.run(np.zeros(self._shape, np.int8))
        self._run_float(np.zeros(self._shape, np.float32))

    def evaluate(self, index: int) -> Outcome | Unreadable:
        """One image. ``ImageError`` for a label that cannot be right."""
        try:
            sample = self.dataset.read(index)
        except ImageError as problem:
            return Unreadable(index, str(problem))
        label = check_labels(self.dataset, sample, self._classes)
        real = self._preprocess.apply(sample.pixels, self._shape, sample.name)
        int8 = self._int8_input(real, sample)
        began = time.perf_counter()
        in_float = self._run_float(real)
        middle = time.perf_counter()
        in_int8 = self._runtime.run(int8)[0].values.reshape(-1)
        ended = time.perf_counter()
        if in_int8.size != self._classes:
            raise OptionError(
                f"the loadable gives {in_int8.size} values, the net {self._classes}: it is of another net"
            )
        return Outcome(
            index,
            sample.name,
            label,
            Prediction.of(in_float, label, middle - began),
            Prediction.of(in_int8, label, ended - middle),
        )

    def _run_float(self, real: Array) -> NDArray[np.float32]:
        batch = real.reshape(1, *self._graph.tensors[self._input].shape)
        return self._graph.run({self._input: batch}, [self._output])[self._output].reshape(-1)

    def _int8_input(self, real: Array, sample: Sample) -> Int8:
        if self._scale is not None:
            return quantize_input(real, self._scale)
        # as the real runtime does it: pixels, whatever mean and normalisation are
        geometry = Preprocess(tuple(s for s in self._preprocess.steps if not isinstance(s, Standardise)))
        pixels = geometry.apply(sample.pixels, self._shape, sample.name)
        return PIXEL_TO_INT8[np.clip(np.rint(pixels), 0, 255).astype(np.uint8)]


_own = threading.local()


def evaluate_chunk(job: Job, indices: Sequence[int]) -> list[Outcome | Unreadable]:
    """The outcome of each image; called in whichever process and thread."""
    if getattr(_own, "id", None) != job.id:
        _own.worker, _own.id = Worker(job), job.id
    return [_own.worker.evaluate(index) for index in indices]
