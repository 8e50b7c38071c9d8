"""The state of a lowering: where each tensor is, and the operations so far."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from nvdla_sim.compiler.joints import Joint, find_joints
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
from nvdla_sim.errors import UnsupportedError
from nvdla_sim.graph.graph import Graph
from nvdla_sim.graph.operator import shape_text
from nvdla_sim.hw.config import Config
from nvdla_sim.hw.formats import round_up

Order = tuple[int, int, int]  # axes of a CHW tensor from slow to fast

MAX_SIZE = 8192  # of a cube along each axis
IMAGE_LINE = 32  # bytes that a picture's line stride is a multiple of


class JointBuffer:
    """The memory of a joint: parts take whole surfaces, in the order in which they are made.

    ``fixed``: where it is a network output, each part's first surface; channel i is in lane i then.
    """

    def __init__(
        self, config: Config, scale: np.float32, height: int, width: int, fixed: Mapping[str, int] | None
    ) -> None:
        self.is_output = fixed is not None
        self._atom, self._scale = config.atom, scale
        self._height, self._width = height, width
        self._surface = height * width * config.atom
        self._fixed = fixed or {}
        self._buffer = Buffer(Role.OUTPUT if self.is_output else Role.WORK, 0)

    def place(self, name: str, channels: int, lanes: IntArray | None) -> Tensor:
        """Memory for a part; ``channels`` of its cube."""
        offset = self._fixed.get(name, 0) * self._surface if self.is_output else self._buffer.size
        size = packed_size(channels, self._height, self._width, self._atom)
        self._buffer.size = max(self._buffer.size, offset + size)
        return Tensor(self._cube(channels, offset), self._scale, lanes)

    def lanes_of(self, tensor: Tensor) -> IntArray | None:
        """The lanes of a part in the whole; None where the tensor is no part."""
        if tensor.cube.buffer is not self._buffer or tensor.scale != self._scale:
            return None
        own = np.arange(tensor.cube.channels) if tensor.lanes is None else tensor.lanes
        return own + tensor.cube.offset // self._surface * self._atom

    def tensor(self, lanes: IntArray) -> Tensor:
        """The tensor with its channels in these lanes."""
        in_order = np.array_equal(lanes, np.arange(lanes.size))
        return Tensor(self._cube(int(lanes.max()) + 1, 0), self._scale, None if in_order else lanes)

    def _cube(self, channels: int, offset: int) -> Cube:
        return packed(self._buffer, channels, self._height, self._width, self._atom, offset)


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
        self._outputs: dict[str, Port] = {}
        self.permuted: dict[str, tuple[str, Order]] = {}  # tensors that exist in another order only
        self.joints: dict[str, JointBuffer] = {}  # by the concatenated tensors
        self.places: dict[str, JointBuffer] = {}  # by the parts that are written straight there
        for joint in find_joints(graph):
            self._add_joint(joint)
        for name in graph.inputs:
            self._add_input(name, name in images)

    def emit(self, *unit: Op) -> None:
        """Append operations that run together; ``UnsupportedError`` for a cube that is too large."""
        for op in unit:
            for cube in (*op.reads, op.dst):
                size = (cube.channels, cube.height, cube.width)
                if max(size) > MAX_SIZE:
                    raise UnsupportedError(
                        f'layer "{op.layer}" needs a cube of {shape_text(size)} in memory; channels, height '
                        f"and width are at most {MAX_SIZE}"
                    )
        self.program.units.append(unit)

    def finished(self) -> Program:
        """The program, once every output is written."""
        self.program.outputs = [self._outputs[name] for name in self.graph.outputs]
        return self.program

    def destination(self, name: str, lanes: IntArray | None = None) -> Tensor:
        """Memory for the graph's tensor ``name``; from here on it is there. An output has no ``lanes``."""
        channels, height, width = self.graph.tensors[name].chw
        if lanes is not None:
            channels = int(lanes.max()) + 1
        joint = self.places.get(name)
        if joint and (lanes is None or not joint.is_output):
            tensor = joint.place(name, channels, lanes)
        else:
            role = Role.OUTPUT if name in self.graph.outputs else Role.WORK
            assert role is Role.WORK or lanes is None, "a network output has its channels in order"
            tensor = self.scratch(channels, height, width, self.scales[name], lanes, role)
        self.tensors[name] = tensor
        if name in self.graph.outputs:
            self.add_output(name, tensor)
        return tensor

    def add_output(self, name: str, tensor: Tensor) -> None:
        """Make a tensor in an output buffer the network's output ``name``."""
        self.tensors[name] = tensor
        self._outputs[name] = Port(self.graph.tensors[name].blob, tensor.cube, float(tensor.scale))

    def unpermuted(self, name: str) -> tuple[str, Order]:
        """The tensor that is in memory, and the order of its axes in which ``name`` has the elements."""
        return self.permuted.get(name, (name, (0, 1, 2)))

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

    def _add_joint(self, joint: Joint) -> None:
        (first, *_) = joint.results
        _, height, width = self.graph.tensors[first].chw
        fixed = self._fixed_places(joint)
        memory = JointBuffer(self.config, self.scales[first], height, width, fixed)
        self.joints |= dict.fromkeys(joint.results, memory)
        self.places |= dict.fromkeys(self._direct_parts(joint), memory)

    def _direct_parts(self, joint: Joint) -> list[str]:
        """The parts that need no copy: of the joint's scale, and not network outputs."""
        (first, *_) = joint.results
        return [
            part
            for part in joint.parts
            if self.scales[part] == self.scales[first] and part not in self.graph.outputs
        ]

    def _fixed_places(self, joint: Joint) -> dict[str, int] | None:
        """First surfaces of the parts, if they fill a network output without holes."""
        node, atom = joint.concats[0], self.config.atom
        counts = [self.graph.tensors[name].chw[0] for name in node.inputs]
        if (
            len(joint.concats) > 1
            or node.outputs[0] not in self.graph.outputs
            or joint.parts != node.inputs  # one comes twice
            or any(count % atom for count in counts[:-1])
        ):
            return None
        starts = np.cumsum([0, *counts[:-1]]) // atom
        return dict(zip(node.inputs, starts.tolist(), strict=True))

    def _add_input(self, name: str, image: bool) -> None:
        channels, height, width = self.graph.tensors[name].chw
        if image:
            line = round_up(PIXEL * width, IMAGE_LINE)
            buffer = Buffer(Role.INPUT, line * height)
            tensor = Tensor(Cube(buffer, PIXEL, height, width, line, 0), self.scales[name], image=True)
        else:
            tensor = self.scratch(channels, height, width, self.scales[name], role=Role.INPUT)
        self.tensors[name] = tensor
        port = Port(self.graph.tensors[name].blob, tensor.cube, float(tensor.scale), image)
        self.program.inputs.append(port)
