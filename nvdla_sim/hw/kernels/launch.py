"""One launch made ready to run: memory bound, weights packed, the kernel chosen.

What the kernels do not run is listed in ``runs`` and ``conv_plan.runs``, and is left to the references: no
int8 network needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from nvdla_sim.hw.config import Config
from nvdla_sim.hw.conv import ConvLayer
from nvdla_sim.hw.kernels import conv_plan
from nvdla_sim.hw.kernels._memory import aligned
from nvdla_sim.hw.kernels._record import Arguments, fill, one
from nvdla_sim.hw.kernels.binding import Binding, Cube, Region
from nvdla_sim.hw.kernels.cdp import CDP, fill_cdp, run_cdp
from nvdla_sim.hw.kernels.conv import CONV, convolution
from nvdla_sim.hw.kernels.microkernel import Isa
from nvdla_sim.hw.kernels.pdp import PDP, fill_pdp, run_pdp
from nvdla_sim.hw.kernels.sdp import Call, bind_end, bind_sdp, groups_of, keep_starts
from nvdla_sim.hw.kernels.weights import pack_weights
from nvdla_sim.hw.launch import Launch
from nvdla_sim.hw.memory import Ports
from nvdla_sim.hw.sdp import SdpLayer
from nvdla_sim.hw.surface import Surface

Run = Callable[[], None]


class Prepared(NamedTuple):
    """A launch to be run any number of times, and the bytes that must not change in between."""

    run: Run
    frozen: tuple[Region, ...]


def runs(launch: Launch) -> bool:
    """Whether kernels exist for all of it.

    They do not for 16-bit elements, batches, Winograd, comparing (EQL), Rubik and BDMA.
    """
    conv, sdp, pdp, cdp = launch.conv, launch.sdp, launch.pdp, launch.cdp
    return (
        launch.rubik is None
        and launch.bdma is None
        and (conv is None or (sdp is not None and conv_plan.runs(conv)))
        and (
            sdp is None or (sdp.itemsize == sdp.source_itemsize == sdp.out_itemsize == 1 and not sdp.compares)
        )
        and (pdp is None or pdp.itemsize == 1)
        and (cdp is None or cdp.itemsize == 1)
    )


def bind(config: Config, launch: Launch, ports: Ports, isa: Isa) -> Prepared | None:
    """The launch on these memories; None where its cubes overlap in a way that needs the reference.

    ``ProgramError`` when it leaves the mapped memory.
    """
    while True:
        binding = Binding(ports)
        run = _Binder(config, binding, isa).bind(launch)
        if binding.settled():
            return run and Prepared(run, tuple(binding.frozen))


class _Binder:
    def __init__(self, config: Config, binding: Binding, isa: Isa) -> None:
        self.config = config
        self.binding = binding
        self.isa = isa

    def bind(self, launch: Launch) -> Run | None:
        """What runs the launch."""
        if launch.cdp is not None:
            return self._cdp(launch)
        if launch.sdp is None:
            assert launch.pdp is not None
            assert launch.pdp.source is not None
            source = self._cube(launch.pdp.source, launch.pdp.channels, launch.pdp.height, launch.pdp.width)
            return self._pdp(launch, source)
        if launch.pdp is None:
            return self._sdp(launch.conv, launch.sdp, self._destination(launch.sdp))
        between = self._buffer(launch.sdp)
        first, second = self._sdp(launch.conv, launch.sdp, between), self._pdp(launch, between)
        if first is None or second is None:
            return None

        def both() -> None:
            first()
            second()

        return both

    def _call(self, kernel: Callable[[Arguments], None], ops: Arguments) -> Run:
        def run(binding: Binding = self.binding) -> None:
            kernel(ops)

        return run

    def _cube(self, surface: Surface, channels: int, height: int, width: int) -> Cube:
        surfaces = -(-channels // self.config.atom)
        return self.binding.cube(surface, surfaces, height, width, self.config.atom)

    def _destination(self, layer: SdpLayer) -> Cube:
        assert layer.destination is not None
        return self._cube(layer.destination, layer.channels, layer.height, layer.width)

    def _buffer(self, layer: SdpLayer) -> Cube:
        """A packed cube of our own between SDP and PDP."""
        atom = self.config.atom
        surfaces = -(-layer.channels // atom)
        line = layer.width * atom
        surf = layer.height * line
        address = self.binding.keep(aligned(surfaces * surf))
        return Cube(address, surf, line, atom, surfaces, Region(address, address + surfaces * surf))

    def _sdp(self, conv: ConvLayer | None, layer: SdpLayer, destination: Cube) -> Run | None:
        if conv is None:
            assert layer.source is not None
            source = self._cube(layer.source, layer.channels, layer.height, layer.width)
            call, read = bind_sdp(self.config, layer, self.binding, source, destination)
            read = [source, *read]
        else:
            call, read = self._conv(conv, layer, destination)
        if any(
            cube.region.overlaps(destination.region) and not cube.same_elements(destination) for cube in read
        ):
            return None
        return self._call(*call)

    def _conv(self, conv: ConvLayer, layer: SdpLayer, destination: Cube) -> tuple[Call, list[Cube]]:
        ops = one(CONV)
        op = ops[0]
        stream = self.binding.frozen_bytes(conv.weight_ram_type, conv.weight_address, conv.weight_bytes)
        weights = pack_weights(self.config, conv, self.isa, stream)
        conv_plan.fill_input(self.config, conv, self.isa, self.binding, op, destination)
        largest = None if conv.clip_truncate else weights.largest
        start, read = bind_end(self.config, layer, self.binding, op["end"], destination, largest)
        op["end"]["stages"]["clip_truncate"] = conv.clip_truncate
        fill(
            op,
            {
                "groups": groups_of(self.config, destination.surfaces),
                "weights": self.binding.keep(weights.packed),
            }
            | {"group_bytes": weights.group_bytes, "start": keep_starts(self.binding, weights.start + start)},
        )
        return (convolution(self.isa), ops), read

    def _pdp(self, launch: Launch, source: Cube) -> Run | None:
        layer = launch.pdp
        assert layer is not None
        destination = self._cube(layer.destination, layer.channels, layer.out_height, layer.out_width)
        ops = one(PDP)
        pad_sums = self.binding.keep(np.array(layer.pad_sums, np.int64))
        fill_pdp(layer, ops[0], source, destination, pad_sums)
        return None if source.region.overlaps(destination.region) else self._call(run_pdp, ops)

    def _cdp(self, launch: Launch) -> Run | None:
        layer = launch.cdp
        assert layer is not None
        shape = (layer.channels, layer.height, layer.width)
        source, destination = self._cube(layer.source, *shape), self._cube(layer.destination, *shape)
        ops = one(CDP)
        fill_cdp(layer, self.binding, ops[0], source, destination)
        apart = not source.region.overlaps(destination.region) or source.same_elements(destination)
        return self._call(run_cdp, ops) if apart else None
