"""Programs made ready to run: which launches kernels may run, given what the others write and keep."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from nvdla_sim.hw.config import Config
from nvdla_sim.hw.conv import ConvBuffer, ConvLayer
from nvdla_sim.hw.execute import reference_executor
from nvdla_sim.hw.kernels.binding import Region, Regions, region_of
from nvdla_sim.hw.kernels.launch import Run, bind, runs
from nvdla_sim.hw.kernels.microkernel import Isa, best_isa
from nvdla_sim.hw.kernels.writes import Extent, writes
from nvdla_sim.hw.launch import Launch
from nvdla_sim.hw.memory import Ports

# Bytes that the prepared launches of a program keep: packed weights above all, about twice what they take in
# memory: some hundred megabytes in the largest networks.
MAX_KEPT = 1 << 30


def prepare(config: Config, launch: Launch, ports: Ports, isa: Isa | None = None) -> Run:
    """The launch, to be run any number of times as long as only it writes to ``ports``."""
    return prepare_program(config, [launch], ports, isa=isa)[0]


def prepare_program(
    config: Config,
    launches: Sequence[Launch],
    ports: Ports,
    volatile: Iterable[Extent] = (),
    isa: Isa | None = None,
) -> list[Run]:
    """The launches of a whole program, to be run in this order any number of times.

    Each time begins as after a reset: with nothing in the convolution buffer. ``ports`` must not grow
    (``grow_limit`` 0): growing moves the memory that is bound here.
    ``volatile``: memory that others write between or during runs (network inputs and outputs). Weights and
    channel operands that neither these nor the launches write are packed now, the others at each run, and so
    is what goes beyond ``MAX_KEPT``.
    ``ProgramError`` when a launch leaves the mapped memory. ``isa``: a form of the kernels, else the best.
    """
    isa = isa or best_isa()
    buffer = ConvBuffer()
    execute = reference_executor(config, ports, buffer)
    extents = [*volatile, *(extent for launch in launches for extent in writes(config, launch))]
    changing = Regions(_region(ports, *extent) for extent in extents)
    left = MAX_KEPT

    def ready(launch: Launch, by_reference: bool) -> Run:
        def run_reference() -> None:
            execute(launch)

        def run_packing() -> None:
            now = bind(config, launch, ports, isa)
            if now is None:
                execute(launch)
            else:
                now.run()

        prepared = None if by_reference or not runs(launch) else bind(config, launch, ports, isa)
        if prepared is None:
            return run_reference
        nonlocal left
        if prepared.size > left or any(map(changing.overlap, prepared.frozen)):
            return run_packing
        left -= prepared.size
        return prepared.run

    fetching = _fetch_kept_weights(launches, ports, changing)
    ready_ones = [ready(launch, kept) for launch, kept in zip(fetching, _use_buffer(fetching), strict=True)]

    def run_first() -> None:
        buffer.reset()
        ready_ones[0]()

    return [run_first, *ready_ones[1:]] if ready_ones else []


def kernel_executor(
    config: Config, ports: Ports, isa: Isa | None = None
) -> Callable[[Launch], Mapping[str, int]]:
    """What a chip calls for each launch. The bytes come from kernels wherever there is one for the launch.

    Kernels do not count: where counters are enabled, the reference runs first and its bytes are taken back.
    """
    isa = isa or best_isa()
    buffer = ConvBuffer()
    execute = reference_executor(config, ports, buffer)

    def run(launch: Launch) -> Mapping[str, int]:
        conv = launch.conv
        kept = conv is not None and (_reuses(conv) or _leaves(conv))
        prepared = None if kept or not runs(launch) else bind(config, launch, ports, isa)
        if prepared is None:
            return execute(launch)
        if _counts(launch):
            places = [
                ports.port(ram_type).view(address, size) for ram_type, address, size in writes(config, launch)
            ]
            before = [place.copy() for place in places]
            counters = execute(launch)
            for place, old in zip(places, before, strict=True):
                place[:] = old
            prepared.run()
            return counters
        prepared.run()
        if conv is None:
            return {}
        _empty(buffer, conv)
        return {"CACC.D_OUT_SATURATION": 0}  # so few products cannot saturate

    return run


def _counts(launch: Launch) -> bool:
    """Whether the launch's counters are asked for."""
    sdp, cdp = launch.sdp, launch.cdp
    return (sdp is not None and (sdp.count_saturation or sdp.count_lut)) or cdp is not None


def _reuses(layer: ConvLayer) -> bool:
    return layer.data_reuse or layer.weight_reuse


def _leaves(layer: ConvLayer) -> bool:
    """Whether something stays in the convolution buffer."""
    partly = layer.release_slices < layer.ext_height * layer.batches
    return layer.skip_data_release or layer.skip_weight_release or partly


def _empty(buffer: ConvBuffer, layer: ConvLayer) -> None:
    """What a layer that leaves nothing does to the convolution buffer."""
    shape = (layer.ext_height * layer.batches, *layer.slice_shape)
    buffer.data(layer, lambda: np.broadcast_to(np.int16(0), shape))
    buffer.weights(layer, lambda: np.broadcast_to(np.uint8(0), layer.weight_bytes))


def _use_buffer(launches: Sequence[Launch]) -> list[bool]:
    """For each launch whether it or the next convolution takes something from the convolution buffer."""
    use = [False] * len(launches)
    last: int | None = None
    for index, launch in enumerate(launches):
        if launch.conv is None:
            continue
        if _reuses(launch.conv):
            use[index] = True
            if last is not None:
                use[last] = True
        last = index
    return use


def _fetch_kept_weights(launches: Sequence[Launch], ports: Ports, changing: Regions) -> list[Launch]:
    """Launches that reuse weights made to fetch them from where they came, if nothing ever writes there."""
    result = []
    before: ConvLayer | None = None
    for launch in launches:
        conv = launch.conv
        if conv is not None:
            if before is not None and conv.weight_reuse and _same_weights(before, conv, ports, changing):
                conv = replace(
                    conv,
                    weight_reuse=False,
                    weight_ram_type=before.weight_ram_type,
                    weight_address=before.weight_address,
                    weight_bytes=before.weight_bytes,
                )
                launch = replace(launch, conv=conv)
            before = conv
        result.append(launch)
    return result


def _same_weights(before: ConvLayer, layer: ConvLayer, ports: Ports, changing: Regions) -> bool:
    """Whether the weights that ``before`` keeps for ``layer`` are those in memory."""
    kept = before.skip_weight_release and not (before.weight_reuse or before.compressed or layer.compressed)
    layouts = [(c.winograd, c.pixels is None, c.data_banks, c.weight_banks) for c in (before, layer)]
    enough = before.weight_bytes >= layer.kernels * layer.kernel_bytes
    if not (kept and enough and layouts[0] == layouts[1]):
        return False
    region = _region(ports, before.weight_ram_type, before.weight_address, before.weight_bytes)
    return not changing.overlap(region)


def _region(ports: Ports, ram_type: int, address: int, size: int) -> Region:
    return region_of(ports.port(ram_type).view(address, size))
