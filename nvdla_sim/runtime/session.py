"""A loadable ready to run: memories bound, tasks resolved, inputs in and outputs out.

Source: compiler-facts 1.5.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.errors import ImageError, LoadableError, NvdlaError
from nvdla_sim.hw.config import Config, config_named
from nvdla_sim.hw.formats import Int8
from nvdla_sim.hw.launch import Launch
from nvdla_sim.hw.memory import Bytes
from nvdla_sim.loadable.enums import MemoryFlags
from nvdla_sim.loadable.lists import DlaTask, EmuTask, read_tasks
from nvdla_sim.loadable.loadable import Loadable, Task, Tensor
from nvdla_sim.runtime.buffers import Buffers, bound_memories
from nvdla_sim.runtime.channels import pixel_channels
from nvdla_sim.runtime.image import read_picture
from nvdla_sim.runtime.intermediate import reader
from nvdla_sim.runtime.plan import Steps, executable, resolve, written
from nvdla_sim.runtime.source_map import read_source_map
from nvdla_sim.runtime.target import infer_target
from nvdla_sim.runtime.tensor import PIXEL_BYTES, check_input, check_output, is_image, read, write

Picture = str | os.PathLike[str] | Int8
InputValue = Picture | Sequence[Picture]


@dataclass(frozen=True)
class Output:
    """One network output, or a tensor on the way there.

    ``values``: int8 CHW, of a batch NCHW (int16 where the loadable's output is). ``scale``: real = scale *
    value, None where unknown.
    """

    name: str
    values: NDArray[Any]
    scale: float | None


@dataclass(frozen=True)
class Port:
    """A network input or output: its descriptor, the memory it is bound to, and its bytes there."""

    tensor: Tensor
    memory: int
    address: int
    raw: Bytes


class Runtime:
    """Runs a loadable any number of times; each run starts from the same memory as the first.

    ``target``: a hardware configuration's name; None infers it, and ``assumption`` then tells why this one.
    Raises ``LoadableError``, ``ProgramError`` or ``UnsupportedError`` naming the operation that driver or
    chip refuse, ``OptionError`` for an unknown target.
    """

    def __init__(self, loadable: Loadable, target: str | None = None) -> None:
        tasks = read_tasks(loadable)
        self.assumption: str | None = None
        if target is None:
            self.config, self.assumption = infer_target(loadable, tasks)
        else:
            self.config = config_named(target)
        self._loadable = loadable
        self._buffers = Buffers(loadable)
        self.inputs = bound_ports(loadable, self._buffers, self.config, MemoryFlags.INPUT)
        self.outputs = bound_ports(loadable, self._buffers, self.config, MemoryFlags.OUTPUT)
        executed = list(zip(loadable.tasks, tasks, strict=True))
        notes = read_source_map(loadable)
        self._scales = [
            notes.scales.get(port.tensor.name) or _cpu_scale(loadable, executed, port)
            for port in self.outputs
        ]
        steps = resolve(loadable, tasks, self.config, self._buffers)
        given = [(port.address, port.raw.size) for port in self.inputs]
        self._runs = executable(self.config, steps, self._buffers.ports, given)
        self._restore = self._buffers.first_state(written(self.config, steps))
        self._colours = [_colours(steps, self._buffers, port) for port in self.inputs]
        self._cubes = notes.cubes

    def run(
        self, inputs: InputValue | Sequence[InputValue], progress: Callable[[int, int], None] | None = None
    ) -> list[Output]:
        """Run once. An input is a picture's path or an int8 CHW array; several inputs are given as a list.

        For a loadable of a batch an input may also be an NCHW array, or a list of paths and CHW arrays.
        Images that are not given are 0, as in NVIDIA's runtime, which takes only one.
        ``progress(done, total)`` is called after each launch and each CPU operation. ``ImageError`` when an
        input does not fit.
        """
        for done in self._steps(inputs):
            if progress is not None:
                progress(done, len(self._runs))
        return [
            Output(port.tensor.name, read(port.tensor, port.raw, self.config), scale)
            for port, scale in zip(self.outputs, self._scales, strict=True)
        ]

    def intermediates(self, inputs: InputValue | Sequence[InputValue]) -> Iterator[Output]:
        """Run once, giving every tensor of the net that the chip writes to memory as soon as it is complete.

        The network's outputs are among them. The names are those of the graph's tensors, and only a loadable
        that our own compiler made for one image tells them: of another one there are none. ``ImageError`` as
        ``run``, ``LoadableError`` for notes that do not fit the loadable.
        """
        complete = defaultdict(list)  # after each step
        for cube in self._cubes:
            values = reader(self._loadable, cube, self._buffers, self.config)
            complete[cube.step + 1].append((cube, values))
        for done in self._steps(inputs):
            for cube, values in complete[done]:
                yield Output(cube.tensor, values(), cube.scale)

    def _steps(self, inputs: InputValue | Sequence[InputValue]) -> Iterator[int]:
        """Put the inputs in and run step after step, giving how many are done."""
        given = list(inputs) if isinstance(inputs, Sequence) and not isinstance(inputs, str) else [inputs]
        if len(given) != len(self.inputs):
            names = ", ".join(f'"{port.tensor.name}"' for port in self.inputs)
            count = "1 input" if len(self.inputs) == 1 else f"{len(self.inputs)} inputs"
            hint = "; images of a batch are a list of their own, in the list of inputs"
            raise ImageError(
                f"the network has {count} ({names}), {len(given)} are given"
                + hint * any(port.tensor.n > 1 for port in self.inputs)
            )
        images = [self._images(value, at) for at, value in enumerate(given)]
        self._restore()
        for port, values in zip(self.inputs, images, strict=True):
            write(port.tensor, port.raw, values, self.config)
        for done, run in enumerate(self._runs, start=1):
            run()
            yield done

    def _images(self, value: InputValue, at: int) -> Int8:
        """The int8 NCHW values of input number ``at``."""
        images = [self._values(picture, at) for picture in pictures(value)]
        shapes = {image.shape for image in images}
        if len(shapes) != 1:
            told = ", ".join("x".join(map(str, shape)) for shape in sorted(shapes)) or "none"
            raise ImageError(
                f'input "{self.inputs[at].tensor.name}": its images need one shape (channels x height x '
                f"width), given are {told}"
            )
        return np.stack(images)

    def _values(self, value: Picture, at: int) -> Int8:
        """The int8 CHW values of one image for input number ``at``."""
        tensor, wanted = self.inputs[at].tensor, self._colours[at]
        if isinstance(value, str | os.PathLike):
            values = read_picture(value, tensor.w, tensor.h)
            if wanted and values.shape[0] != wanted:
                raise ImageError(
                    f"picture {os.fspath(value)} has {values.shape[0]} channels, the network's input "
                    f'"{tensor.name}" has {wanted}: convert it to {"grey" if wanted == 1 else "colour"} first'
                )
            return values
        if not isinstance(value, np.ndarray) or value.dtype != np.int8 or value.ndim != 3:
            kind = type(value).__name__
            if isinstance(value, np.ndarray):
                kind = f"array of {value.dtype}, shape {value.shape}"
            raise ImageError(
                f'input "{tensor.name}": {kind}; needed is a picture\'s path or an int8 array of '
                f"{'images x ' * (tensor.n > 1)}channels x height x width"
            )
        if wanted and value.shape[0] != wanted and value.shape[0] < PIXEL_BYTES:
            raise ImageError(
                f'input "{tensor.name}": an array of {value.shape[0]} channels, the network has {wanted} '
                f"(whole pixels have {PIXEL_BYTES})"
            )
        return value


def pictures(value: InputValue) -> list[Picture]:
    """The images that are given for one input."""
    if isinstance(value, np.ndarray):
        return list(value) if value.ndim == 4 else [value]
    if isinstance(value, str | os.PathLike) or not isinstance(value, Sequence):
        return [value]
    return list(value)


def bound_ports(loadable: Loadable, buffers: Buffers, config: Config, direction: MemoryFlags) -> list[Port]:
    """The network's inputs or outputs in the order in which they are bound.

    ``LoadableError`` or ``UnsupportedError`` for a tensor that cannot be written or read.
    """
    check = check_input if direction is MemoryFlags.INPUT else check_output
    ports = []
    for memory in bound_memories(loadable, direction):
        tensor = loadable.tensors[memory.tensor_desc_id]
        if tensor.mem_id != memory.id:
            raise LoadableError(
                f'{loadable.name}: tensor "{tensor.name}" is in memory {tensor.mem_id}, '
                f"but bound to memory {memory.id}"
            )
        try:
            check(tensor, config)
        except NvdlaError as problem:
            raise type(problem)(f"{loadable.name}: {problem}") from None
        address = buffers.base(memory.id) + tensor.offset
        raw = buffers.ports.dram.view(address, tensor.size)
        ports.append(Port(tensor, memory.id, address, raw))
    return ports


def _colours(steps: Steps, buffers: Buffers, port: Port) -> int:
    """Channels that a picture for an input of pixels must have: 1 grey, 3 colour; 0 where that is unknown."""
    if not is_image(port.tensor):
        return 0
    layers = [step.conv for step in steps if isinstance(step, Launch) and step.conv is not None]
    channels = pixel_channels(layers, buffers.ports, port.address, port.raw.size)
    return min(channels, 1) if channels < 2 else 3


def _cpu_scale(
    loadable: Loadable, executed: list[tuple[Task, DlaTask | EmuTask]], port: Port
) -> float | None:
    """The scale of an output that a CPU operation writes."""
    for entry, task in executed:
        if isinstance(task, EmuTask):
            for op, (_, destination) in zip(task.ops, task.buffers, strict=True):
                address = loadable.addresses[entry.address_list[destination["address"]]]
                if address.mem_id == port.memory and np.isfinite(op["out_scale"]) and op["out_scale"] > 0:
                    return float(op["out_scale"])
    return None
