"""Execution of launches by the engines' references: slow, and readable as the specification."""

from __future__ import annotations

from collections.abc import Callable

from nvdla_sim.hw import bdma, cdp, conv, pdp, rubik, sdp
from nvdla_sim.hw.config import Config
from nvdla_sim.hw.launch import Launch
from nvdla_sim.hw.limits import check_elements
from nvdla_sim.hw.memory import Ports


def reference_executor(
    config: Config, ports: Ports, buffer: conv.ConvBuffer | None = None
) -> Callable[[Launch], dict[str, int]]:
    """What a chip calls for each launch. The convolution buffer lives from one launch to the next."""
    buffer = buffer or conv.ConvBuffer()

    def execute(launch: Launch) -> dict[str, int]:
        check_elements(config, launch)
        counters: dict[str, int] = {}
        stream = None
        if launch.conv is not None:
            stream = conv.reference(config, launch.conv, ports, buffer, counters)
        if launch.sdp is not None:
            stream = sdp.reference(config, launch.sdp, ports, stream, counters)
        if launch.pdp is not None:
            pdp.reference(config, launch.pdp, ports, stream)
        if launch.cdp is not None:
            cdp.reference(config, launch.cdp, ports, counters)
        if launch.rubik is not None:
            rubik.reference(config, launch.rubik, ports)
        if launch.bdma is not None:
            bdma.reference(config, launch.bdma, ports)
        return counters

    return execute
