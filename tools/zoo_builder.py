"""Nets in the making: every layer runs as soon as it is added, so that parameters can follow from data."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nvdla_sim.calib.table import Table
from nvdla_sim.compiler.scales import needed_entries
from nvdla_sim.graph.graph import Graph
from nvdla_sim.graph.operator import Array, Operator
from nvdla_sim.graph.ops.batch_norm import BatchNorm
from nvdla_sim.graph.ops.concat import Concat
from nvdla_sim.graph.ops.convolution import Convolution, Pair
from nvdla_sim.graph.ops.deconvolution import Deconvolution
from nvdla_sim.graph.ops.dropout import Dropout
from nvdla_sim.graph.ops.eltwise import Eltwise
from nvdla_sim.graph.ops.inner_product import InnerProduct
from nvdla_sim.graph.ops.lrn import LRN
from nvdla_sim.graph.ops.pooling import Pooling
from nvdla_sim.graph.ops.relu import ReLU
from nvdla_sim.graph.ops.relu6 import ReLU6
from nvdla_sim.graph.ops.scale import Scale
from nvdla_sim.graph.ops.softmax import Softmax

INT8_LEVELS = 127
CONTRAST = 50.0  # standard deviation of a picture's pixels around their mean, which is taken off

FILTERS = 8  # what a reduced net divides its channels by, and the least that it has
CLASSES = {False: 1000, True: 10}


def pictures(rng: np.random.Generator, count: int, side: int, channels: int = 3) -> Array:
    """Something like photographs: amplitudes fall with the frequency; float32 NCHW within +-127."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]) * side
    spectrum = rng.normal(size=(2, count, channels + 1, *frequency.shape)) / np.maximum(frequency, 1)
    planes = np.fft.irfft2(spectrum[0] + 1j * spectrum[1], s=(side, side))
    colours = planes[:, 1:] + 2 * planes[:, :1]  # most of it is brightness
    colours -= colours.mean(axis=(2, 3), keepdims=True)
    colours *= CONTRAST / colours.std(axis=(1, 2, 3), keepdims=True)
    return np.clip(colours, -INT8_LEVELS, INT8_LEVELS).astype(np.float32)


class Builder:
    """A graph that grows. ``reduced``: fewer channels, layers and classes, and smaller pictures.

    Weights are He-initialised; a BatchNorm takes the statistics of the data that reach it.
    """

    def __init__(self, name: str, side: Pair, reduced: bool, seed: int = 1, images: int = 2) -> None:
        """``side`` of the pictures: full, reduced."""
        self.graph = Graph(name)
        self.reduced = reduced
        self.classes = CLASSES[reduced]
        self._rng = np.random.default_rng(seed)
        data = pictures(self._rng, images, side[reduced])
        self.graph.add_input("data", data.shape[1:])
        self._values: dict[str, Array] = {"data": data}

    def channels(self, count: int) -> int:
        return max(count // FILTERS, FILTERS) if self.reduced else count

    def repeats(self, count: int) -> int:
        """Of how many equal blocks a stage is made."""
        return min(count, 2) if self.reduced else count

    def size(self, tensor: str) -> tuple[int, ...]:
        """The tensor's shape, without batch."""
        return self.graph.tensors[tensor].shape

    def finished(self) -> tuple[Graph, Table]:
        """The net, its outputs what nobody reads, and a table of the largest values that were seen."""
        read = {tensor for node in self.graph.nodes for tensor in node.inputs}
        self.graph.outputs = tuple(t for node in self.graph.nodes for t in node.outputs if t not in read)
        scales = {
            entry: float(np.abs(self._values[tensor]).max()) / INT8_LEVELS
            for tensor, entry in needed_entries(self.graph).items()
        }
        return self.graph, Table(scales)

    def alive(self) -> dict[str, float]:
        """Of each tensor the part of its values that are not 0."""
        return {name: float(np.mean(values != 0)) for name, values in self._values.items()}

    # --- layers ---

    def conv(
        self,
        name: str,
        bottom: str,
        channels: int,
        kernel: int,
        stride: int = 1,
        pad: int = 0,
        group: int = 1,
        bias: bool = True,
    ) -> str:
        op = Convolution(channels, (kernel, kernel), (stride, stride), (pad, pad), group=group, bias=bias)
        return self.add(name, op, bottom, **self._weights(op, bottom))

    def deconv(self, name: str, bottom: str, channels: int, kernel: int, stride: int) -> str:
        op = Deconvolution(channels, (kernel, kernel), (stride, stride))
        return self.add(name, op, bottom, **self._weights(op, bottom))

    def dense(self, name: str, bottom: str, channels: int) -> str:
        op = InnerProduct(channels)
        return self.add(name, op, bottom, **self._weights(op, bottom))

    def norm(self, name: str, bottom: str) -> str:
        """BatchNorm and Scale: ``name`` is that of the convolution in front."""
        values = self._values[bottom]
        mean, variance = values.mean(axis=(0, 2, 3)), values.var(axis=(0, 2, 3))
        normed = self.add(f"{name}/bn", BatchNorm(), bottom, mean=mean, variance=variance)
        channels = mean.size
        weight = self._rng.uniform(0.7, 1.3, channels).astype(np.float32)
        return self.add(
            f"{name}/scale", Scale(bias=True), normed, weight=weight, bias=self._normal((channels,), 0.2)
        )

    def relu(self, bottom: str, slope: float = 0.0) -> str:
        return self.add(f"{bottom}/relu", ReLU(slope), bottom)

    def relu6(self, bottom: str) -> str:
        return self.add(f"{bottom}/relu6", ReLU6(), bottom)

    def conv_relu(self, name: str, bottom: str, channels: int, kernel: int, **options: int) -> str:
        return self.relu(self.conv(name, bottom, channels, kernel, **options))

    def conv_norm(self, name: str, bottom: str, channels: int, kernel: int, **options: int) -> str:
        return self.norm(name, self.conv(name, bottom, channels, kernel, bias=False, **options))

    def pool(self, name: str, bottom: str, method: str, kernel: int, stride: int = 1, pad: int = 0) -> str:
        return self.add(name, Pooling(method, (kernel, kernel), (stride, stride), (pad, pad)), bottom)

    def global_average(self, name: str, bottom: str) -> str:
        return self.pool(name, bottom, "AVE", self.size(bottom)[1])

    def lrn(self, name: str, bottom: str) -> str:
        return self.add(name, LRN(local_size=5, alpha=1e-4, beta=0.75), bottom)

    def add_up(self, name: str, *bottoms: str) -> str:
        return self.add(name, Eltwise("SUM"), *bottoms)

    def concat(self, name: str, *bottoms: str) -> str:
        return self.add(name, Concat(), *bottoms)

    def dropout(self, bottom: str) -> str:
        return self.add(f"{bottom}/drop", Dropout(), bottom)

    def softmax(self, bottom: str) -> str:
        return self.add("prob", Softmax(), bottom)

    def add(self, name: str, op: Operator, *bottoms: str, **params: Array) -> str:
        """Append a layer and run it; the tensor that it gives."""
        node = self.graph.add(name, op, bottoms, params)
        (values,) = op.run([self._values[bottom] for bottom in bottoms], node.params)
        (top,) = node.outputs
        self._values[top] = values
        return top

    def _weights(self, op: Operator, bottom: str) -> Mapping[str, Array]:
        """He's normal distribution, for as many products as one output sums up; small biases."""
        shapes = op.param_shapes([self.size(bottom)])
        fan_in = int(np.prod(shapes["weight"][1:]))
        if isinstance(op, Deconvolution):  # [input channel, output channel, y, x]; pixels do not overlap
            fan_in = shapes["weight"][0] * fan_in // int(np.prod(op.stride)) // shapes["weight"][1]
        params = {"weight": self._normal(shapes["weight"], (2 / fan_in) ** 0.5)}
        if "bias" in shapes:
            spread = float(self._values[bottom].std())
            params["bias"] = self._normal(shapes["bias"], 0.1 * spread)
        return params

    def _normal(self, shape: tuple[int, ...], deviation: float) -> Array:
        return self._rng.standard_normal(shape, np.float32) * np.float32(deviation)
