"""BDMA descriptors -> registers: each transfer is queued, launching the group starts them all."""

from __future__ import annotations

from nvdla_sim.loadable.enums import MemType, OpType
from nvdla_sim.runtime.operation import Operation
from nvdla_sim.runtime.program.writes import Descriptor, Writes

UNITS: tuple[str, ...] = ()  # no register groups, but two launch registers

MAX_TRANSFERS = 20
MAX_REPEAT = 8192
UNIT = 32  # bytes: lines are whole units


def program(operation: Operation, writes: Writes) -> None:
    """Queue the transfers of one copy operation."""
    op, surface = operation.op, operation.surface
    writes.require(writes.config.bdma, f"{writes.config.name} has no BDMA engine; nv_full has")
    for name in ("source_type", "destination_type"):
        writes.require(getattr(surface, name) != MemType.HW, f"{name} = on the fly: BDMA copies memory")
    writes.require(
        op.num_transfers <= MAX_TRANSFERS,
        f"num_transfers = {op.num_transfers}: at most {MAX_TRANSFERS} is allowed",
    )
    for number, transfer in enumerate(surface.transfers[: op.num_transfers]):
        _check(number, transfer, writes)
    if writes.problems:
        return
    types = {
        "SRC_RAM_TYPE": int(surface.source_type == MemType.MC),
        "DST_RAM_TYPE": int(surface.destination_type == MemType.MC),
    }
    for transfer in surface.transfers[: op.num_transfers]:
        for side, index in (("SRC", transfer.src_address), ("DST", transfer.dst_address)):
            address = writes.locate(index, 0)
            writes.word("BDMA", f"CFG_{side}_ADDR_LOW", address)
            writes.word("BDMA", f"CFG_{side}_ADDR_HIGH", address >> 32)
        writes.fields("BDMA", "CFG_LINE", SIZE=transfer.line_size // UNIT - 1)
        writes.fields("BDMA", "CFG_CMD", **types)
        writes.fields("BDMA", "CFG_LINE_REPEAT", NUMBER=transfer.line_repeat - 1)
        writes.word("BDMA", "CFG_SRC_LINE", transfer.src_line)
        writes.word("BDMA", "CFG_DST_LINE", transfer.dst_line)
        writes.fields("BDMA", "CFG_SURF_REPEAT", NUMBER=transfer.surface_repeat - 1)
        writes.word("BDMA", "CFG_SRC_SURF", transfer.src_surface)
        writes.word("BDMA", "CFG_DST_SURF", transfer.dst_surface)
        writes.fields("BDMA", "CFG_OP", EN=1)


def is_empty(operation: Operation) -> bool:
    """Whether there is nothing to copy: such an operation is done as soon as it is enabled."""
    return operation.type is OpType.BDMA and operation.op.num_transfers == 0


def enable(operation: Operation, writes: Writes, group: int) -> None:
    """Launch the queued transfers as ``group``."""
    if not is_empty(operation):
        writes.fields("BDMA", f"CFG_LAUNCH{group}", **{f"GRP{group}_LAUNCH": 1})


def _check(number: int, transfer: Descriptor, writes: Writes) -> None:
    where = f"transfer {number}"
    size = transfer.line_size
    writes.require(
        size > 0 and size % UNIT == 0, f"{where}: line_size = {size}: a multiple of {UNIT}, not 0, is needed"
    )
    for name in ("line_repeat", "surface_repeat"):
        repeat = getattr(transfer, name)
        writes.require(1 <= repeat <= MAX_REPEAT, f"{where}: {name} = {repeat}: 1 to {MAX_REPEAT} is allowed")
    for name in ("src_line", "dst_line"):
        stride = getattr(transfer, name)
        writes.require(stride >= size, f"{where}: {name} = {stride} is less than line_size = {size}")
