"""This simulator's own limits: what one launch may hold in memory, and how long a whole program may take.

Registers can ask for far more than any network does: a few kilobytes of memory, read again and again by
32x32 kernels, would keep a CPU busy for days. What is too much is refused before it runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from nvdla_sim.errors import ProgramError, UnsupportedError
from nvdla_sim.hw.config import Config
from nvdla_sim.hw.conv import ConvLayer, channels_of_step
from nvdla_sim.hw.launch import Launch
from nvdla_sim.hw.rubik import RubikMode

MAX_ELEMENTS = 1 << 24  # of a cube that a reference computes; it takes up to 130 bytes for each on its way
MAX_SECONDS = 300.0  # of a program, by the references; the kernels are 10 to 1000 times faster

# What the references take, measured on one core at 3 GHz and rounded up, in seconds.
_LAUNCH = 1e-3
_MULTIPLICATION = 2e-10
_STEP = 1e-4  # of a convolution: a matrix product
_SUM = 2e-8  # of a step, for each of its sums
_WEIGHT_BYTE = 5e-8
_INPUT = 5e-8
_POINT = 1e-7  # SDP, for each element
_LOOKUP = 3e-7
_POOL = 2e-9  # PDP, for each element of a window
_NORMALISE = 5e-7  # CDP, for each element
_COPY = 1e-8  # Rubik and BDMA, for each byte


class Allowance:
    """The time that a program has."""

    def __init__(self) -> None:
        self._left = MAX_SECONDS

    def take(self, seconds: float) -> None:
        """``ProgramError`` when what was taken before and this is more than ``MAX_SECONDS``."""
        self._left -= seconds
        if self._left < 0:
            raise ProgramError(
                f"the program is too long for this simulator: up to here it takes about "
                f"{MAX_SECONDS - self._left:.0f} s of the references' time, {MAX_SECONDS:.0f} s are allowed"
            )

    def limiting(
        self, config: Config, execute: Callable[[Launch], Mapping[str, int]]
    ) -> Callable[[Launch], Mapping[str, int]]:
        """``execute``, each launch of which takes its time from this allowance first."""

        def take_and_execute(launch: Launch) -> Mapping[str, int]:
            self.take(seconds(config, launch))
            return execute(launch)

        return take_and_execute


def check_elements(config: Config, launch: Launch) -> None:
    """``UnsupportedError`` when a cube of the launch is too large for a reference to hold."""
    for what, count in _cubes(config, launch):
        if count > MAX_ELEMENTS:
            raise UnsupportedError(
                f"{what}: a cube of {count} elements; in the modes that this layer uses the simulator holds "
                f"{MAX_ELEMENTS} at most: split the layer"
            )


def _cubes(config: Config, launch: Launch) -> Iterator[tuple[str, int]]:
    """The engine and the elements of each cube that a reference holds as 64-bit numbers."""
    conv, sdp, pdp, cdp, rubik = launch.conv, launch.sdp, launch.pdp, launch.cdp, launch.rubik
    if conv is not None:
        yield "the convolution", _outputs(config, conv)
    if sdp is not None:
        yield "SDP", sdp.width * sdp.height * _whole(sdp.channels, config, sdp.itemsize) * sdp.batches
    if pdp is not None:
        yield "PDP", pdp.width * pdp.height * _whole(pdp.channels, config, pdp.itemsize)
        yield "PDP", pdp.out_width * pdp.out_height * _whole(pdp.channels, config, pdp.itemsize)
    if cdp is not None:
        yield "CDP", cdp.width * cdp.height * _whole(cdp.channels, config, cdp.itemsize)
    if rubik is not None:
        yield "Rubik", rubik.width * rubik.height * _whole(rubik.channels, config, rubik.itemsize)
        yield "Rubik", rubik.width * rubik.height * _whole(rubik.out_channels, config, rubik.itemsize)


def seconds(config: Config, launch: Launch) -> float:
    """About how long the references take for a launch."""
    sdp, pdp, cdp = launch.sdp, launch.pdp, launch.cdp
    total = _LAUNCH
    if launch.conv is not None:
        total += _convolution(config, launch.conv)
    elements: Counter[str] = Counter()
    for what, count in _cubes(config, launch):
        elements[what] += count
    if sdp is not None:
        stages = (sdp.x1, sdp.x2, sdp.y)
        total += elements["SDP"] * _POINT * (1 + sum(stage is not None for stage in stages))
        total += elements["SDP"] * _LOOKUP * (sdp.y is not None and sdp.y.lut is not None)
    if pdp is not None:
        total += elements["PDP"] * (_POINT + _POOL * pdp.kernel_width * pdp.kernel_height)
    if cdp is not None:
        total += elements["CDP"] * _NORMALISE
    if launch.rubik is not None:
        contracts = launch.rubik.mode is RubikMode.CONTRACT
        phases = launch.rubik.stride_x * launch.rubik.stride_y if contracts else 1
        total += elements["Rubik"] * phases * _COPY
    if launch.bdma is not None:
        total += sum(c.line_bytes * c.lines * c.surfaces for c in launch.bdma.copies) * _COPY
    return total


def _convolution(config: Config, layer: ConvLayer) -> float:
    outputs = _outputs(config, layer)
    blocks = -(-layer.kernel_channels // channels_of_step(config, layer))
    steps = blocks * layer.kernel_width * layer.kernel_height
    kernel = layer.kernel_bytes // layer.itemsize
    inputs = layer.width * layer.height * layer.channels * layer.batches
    return (
        inputs * _INPUT
        + outputs * (kernel * _MULTIPLICATION + steps * _SUM)
        + steps * _STEP
        + layer.kernels * layer.kernel_bytes * _WEIGHT_BYTE
    )


def _outputs(config: Config, layer: ConvLayer) -> int:
    return layer.out_width * layer.out_height * layer.lanes(config) * layer.batches


def _whole(channels: int, config: Config, itemsize: int) -> int:
    """The channels of whole atoms."""
    per_atom = config.atom // itemsize
    return -(-channels // per_atom) * per_atom
