"""Descriptors -> register writes, one file for each engine, in the order of NVIDIA's firmware.

Each engine's file has ``UNITS`` (its units with two register groups: the leading one first, its read DMA
last), ``program(operation, writes)`` and, where there is a read DMA, ``needs_rdma(operation)``.

Source: compiler-facts 4.3 and 4.4.
"""

from __future__ import annotations

from collections.abc import Callable

from nvdla_sim.loadable.enums import OpType
from nvdla_sim.runtime.operation import Operation
from nvdla_sim.runtime.program import bdma, cdp, conv, pdp, rubik, sdp
from nvdla_sim.runtime.program.writes import Writes

UNITS: dict[OpType, tuple[str, ...]] = {
    OpType.BDMA: bdma.UNITS,
    OpType.CONV: conv.UNITS,
    OpType.SDP: sdp.UNITS,
    OpType.PDP: pdp.UNITS,
    OpType.CDP: cdp.UNITS,
    OpType.RUBIK: rubik.UNITS,
}

PROGRAM: dict[OpType, Callable[[Operation, Writes], None]] = {
    OpType.BDMA: bdma.program,
    OpType.CONV: conv.program,
    OpType.SDP: sdp.program,
    OpType.PDP: pdp.program,
    OpType.CDP: cdp.program,
    OpType.RUBIK: rubik.program,
}

_NEEDS_RDMA: dict[OpType, Callable[[Operation], bool]] = {
    OpType.SDP: sdp.needs_rdma,
    OpType.PDP: pdp.needs_rdma,
    OpType.CDP: cdp.needs_rdma,
}


def needs_rdma(operation: Operation) -> bool:
    """Whether the engine's read DMA takes part in the operation."""
    return operation.type in _NEEDS_RDMA and _NEEDS_RDMA[operation.type](operation)


def enable(operation: Operation, writes: Writes, group: int) -> None:
    """Start a programmed operation: the read DMA first, if it takes part, then the engine's own units."""
    if operation.type is OpType.BDMA:
        bdma.enable(operation, writes, group)
        return
    rdma = [unit for unit in UNITS[operation.type] if unit.endswith("_RDMA") and needs_rdma(operation)]
    own = [unit for unit in UNITS[operation.type] if not unit.endswith("_RDMA")]
    for unit in rdma + own:
        writes.fields(unit, "D_OP_ENABLE", OP_EN=1)
