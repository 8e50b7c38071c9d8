"""One launch made ready to run: memory bound, weights packed, the kernels chosen.

What the kernels do not run is listed in ``runs`` and ``conv_plan.runs``, and is left to the references: no
int8 network needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numba
import numpy as np

from nvdla_sim.errors import ProgramError
from nvdla_sim.hw.cdp import CdpLayer
from nvdla_sim.hw.config import Config
from nvdla_sim.hw.conv import ConvLayer
from nvdla_sim.hw.kernels import conv_plan
from nvdla_sim.hw.kernels._memory import aligned
from nvdla_sim.hw.kernels._record import fill, one
from nvdla_sim.hw.kernels.binding import Binding, Cube, Region
from nvdla_sim.hw.kernels.cdp import CDP, fill_cdp, run_cdp
from nvdla_sim.hw.kernels.conv import CONV, convolution
from nvdla_sim.hw.kernels.finish import RAW
from nvdla_sim.hw.kernels.microkernel import GROUP, TILE_ROW, Isa
from nvdla_sim.hw.kernels.pdp import PDP, fill_pdp, run_pdp
from nvdla_sim.hw.kernels.sdp import Call, bind_memory, bind_stages, fold_layer, groups_of, keep_starts
from nvdla_sim.hw.kernels.weights import pack_weights
from nvdla_sim.hw.launch import Launch
from nvdla_sim.hw.memory import Ports
from nvdla_sim.hw.pdp import PdpLayer
from nvdla_sim.hw.sdp import SdpLayer
from nvdla_sim.hw.surface import Surface

Run = Callable[[], None]

LARGEST_BUFFER = 1 << 30  # bytes


class Prepared(NamedTuple):
    """A launch to be run any number of times.

    ``frozen``: bytes that must not change in between. ``size``: bytes that it keeps in memory.
    """

    run: Run
    frozen: tuple[Region, ...]
    size: int


def runs(launch: Launch) -> bool:
    """Whether kernels exist for all of it.

    They do not for 16-bit elements, batches, Winograd, comparing (EQL), Rubik and BDMA; and not for anything
    where numba is told not to compile.
    """
    conv, sdp, pdp, cdp = launch.conv, launch.sdp, launch.pdp, launch.cdp
    return (
        not vars(numba.config)["DISABLE_JIT"]
        and launch.rubik is None
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
        try:
            calls = _Binder(config, binding, isa).calls(launch)
        except _Overlap:
            return None
        if binding.settled():
            return Prepared(_run(calls, binding), tuple(binding.frozen), binding.kept_bytes)


def _run(calls: list[Call], binding: Binding) -> Run:
    """What does the calls; it holds the memory that they work on."""
    (kernel, arguments), *others = calls

    def run(_binding: Binding = binding) -> None:
        kernel(arguments)

    def run_all() -> None:
        run()
        for other, its_arguments in others:
            other(its_arguments)

    return run_all if others else run


class _Overlap(Exception):
    """A cube is read in another order than the one in which it is overwritten."""


def _require_in_order(read: Iterable[Cube], written: Cube) -> None:
    """The kernels read each element before they write it, and no other one that they have written."""
    for cube in read:
        if cube.region.overlaps(written.region) and not cube.same_elements(written):
            raise _Overlap


class _Binder:
    def __init__(self, config: Config, binding: Binding, isa: Isa) -> None:
        self.config = config
        self.binding = binding
        self.isa = isa

    def calls(self, launch: Launch) -> list[Call]:
        """The kernel calls, one after the other."""
        sdp, pdp = launch.sdp, launch.pdp
        if launch.cdp is not None:
            return [self._cdp(launch.cdp)]
        if sdp is None:
            assert pdp is not None
            assert pdp.source is not None
            return [self._pdp(pdp, self._cube(pdp.source, pdp.channels, pdp.height, pdp.width))]
        if pdp is None:
            assert sdp.destination is not None
            destination = self._cube(sdp.destination, sdp.channels, sdp.height, sdp.width)
            return self._sdp(launch.conv, sdp, destination)
        between = self._buffer(-(-sdp.channels // self.config.atom), sdp, self.config.atom)
        return [*self._sdp(launch.conv, sdp, between), self._pdp(pdp, between)]

    def _cube(self, surface: Surface, channels: int, height: int, width: int) -> Cube:
        surfaces = -(-channels // self.config.atom)
        return self.binding.cube(surface, surfaces, height, width, self.config.atom)

    def _buffer(self, surfaces: int, layer: SdpLayer, pixel: int) -> Cube:
        """A packed cube of our own; ``ProgramError`` when it is beyond all reason."""
        line, surf = layer.width * pixel, layer.height * layer.width * pixel
        if surfaces * surf > LARGEST_BUFFER:
            raise ProgramError(
                f"SDP: the cube of {layer.width}x{layer.height}x{layer.channels} needs a buffer of "
                f"{surfaces * surf} bytes here, at most {LARGEST_BUFFER} are possible"
            )
        address = self.binding.keep(aligned(surfaces * surf))
        return Cube(address, surf, line, pixel, surfaces, Region(address, address + surfaces * surf))

    def _sdp(self, conv: ConvLayer | None, layer: SdpLayer, destination: Cube) -> list[Call]:
        if conv is not None:
            return self._conv(conv, layer, destination)
        assert layer.source is not None
        source = self._cube(layer.source, layer.channels, layer.height, layer.width)
        bound = bind_memory(self.config, layer, self.binding, source, destination)
        _require_in_order(bound.read, destination)
        return [bound.call]

    def _conv(self, conv: ConvLayer, layer: SdpLayer, destination: Cube) -> list[Call]:
        config, binding = self.config, self.binding
        ops = one(CONV)
        op, end = ops[0], ops[0]["end"]
        stream = binding.frozen_bytes(conv.weight_ram_type, conv.weight_address, conv.weight_bytes)
        weights = pack_weights(config, conv, self.isa, stream)
        start, lanes = weights.start, destination.surfaces * config.atom
        folded = None
        if conv.clip_truncate == 0:
            folded = fold_layer(config, layer, binding, destination.surfaces, weights.largest[:lanes])
        if folded is not None:
            written, others = destination, []

            def by_group(values: np.ndarray) -> np.ndarray:
                return np.pad(values, (0, start.size - lanes), mode="edge")

            start = start + folded.keep_table(binding, end, by_group)
            points = folded.points
            if points is not None:
                points.cube.fill(end["points"])
                fill(end, {"points_itemsize": points.itemsize, "points_shift": points.shift})
                end["points_segment"] = points.segment
                _require_in_order([points.cube], destination)
        else:
            end["form"] = RAW
            written = self._buffer(groups_of(config, destination.surfaces), layer, TILE_ROW)
            stages = bind_stages(config, layer, binding, written, destination, conv.clip_truncate)
            _require_in_order(stages.read, destination)
            others = [stages.call]
        written.fill(end["destination"])
        conv_plan.fill_input(config, conv, self.isa, binding, op, written)
        fill(
            op,
            {"groups": start.size // GROUP, "weights": binding.keep(weights.packed)}
            | {"group_bytes": weights.group_bytes, "start": keep_starts(binding, start)},
        )
        return [(convolution(self.isa), ops), *others]

    def _pdp(self, layer: PdpLayer, source: Cube) -> Call:
        destination = self._cube(layer.destination, layer.channels, layer.out_height, layer.out_width)
        if source.region.overlaps(destination.region):
            raise _Overlap
        ops = one(PDP)
        fill_pdp(layer, ops[0], source, destination, self.binding.keep(np.array(layer.pad_sums, np.int64)))
        return run_pdp, ops

    def _cdp(self, layer: CdpLayer) -> Call:
        shape = (layer.channels, layer.height, layer.width)
        source, destination = self._cube(layer.source, *shape), self._cube(layer.destination, *shape)
        _require_in_order([source], destination)
        ops = one(CDP)
        fill_cdp(layer, self.binding, ops[0], source, destination)
        return run_cdp, ops
