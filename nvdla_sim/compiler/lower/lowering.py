"""The state of a lowering: where each tensor is, and the operations so far."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from nvdla_sim.compiler.program import (
    Buffer,
    Cube,
    IntArray,
    Op,
    Port,
    Program,
    Role,
    Tensor,
    packed,
    packed_size,
)
from nvdla_sim.compiler.weights import PIXEL
from nvdla_sim.graph.graph import Graph
from nvdla_sim.hw.config import Config
from nvdla_sim.hw.formats import round_up

IMAGE_LINE = 32  # bytes that a picture's line stride is a multiple of


class Lowering:
    """Collects the operations of one net for one configuration."""

    def __init__(
        self,
        config: Config,
        graph: Graph,
        scales: Mapping[str, np.float32],
        per_filter: bool,
        images: Collection[str],
    ) -> None:
        self.config = config
        self.graph = graph
        self.scales = scales
        self.per_filter = per_filter
        self.program = Program()
        self.tensors = self.program.tensors
        for name in graph.inputs:
            self._add_input(name, name in images)

    def emit(self, *unit: Op) -> None:
        """Append operations that run together."""
        self.program.units.append(unit)

    def destination(self, name: str, lanes: IntArray | None = None) -> Tensor:
        """Memory for the graph's tensor ``name``; from here on it is there. An output has no ``lanes``."""
        channels, height, width = self.graph.tensors[name].chw
        output = name in self.graph.outputs
        if lanes is not None:
            channels = int(lanes.max()) + 1
        role = Role.OUTPUT if output else Role.WORK
        tensor = self.tensors[name] = self.scratch(channels, height, width, self.scales[name], lanes, role)
        if output:
            port = Port(self.graph.tensors[name].blob, channels, tensor.cube, float(tensor.scale))
            self.program.outputs.append(port)
        return tensor

    def scratch(
        self,
        channels: int,
        height: int,
        width: int,
        scale: np.float32,
        lanes: IntArray | None = None,
        role: Role = Role.WORK,
    ) -> Tensor:
        """Memory for a tensor that the graph need not know."""
        atom = self.config.atom
        buffer = Buffer(role, packed_size(channels, height, width, atom))
        return Tensor(packed(buffer, channels, height, width, atom), scale, lanes)

    def _add_input(self, name: str, image: bool) -> None:
        channels, height, width = self.graph.tensors[name].chw
        if image:
            line = round_up(PIXEL * width, IMAGE_LINE)
            buffer = Buffer(Role.INPUT, line * height)
            tensor = Tensor(Cube(buffer, PIXEL, height, width, line, 0), self.scales[name], image=True)
        else:
            tensor = self.scratch(channels, height, width, self.scales[name], role=Role.INPUT)
        self.tensors[name] = tensor
        port = Port(self.graph.tensors[name].blob, channels, tensor.cube, float(tensor.scale), image)
        self.program.inputs.append(port)
