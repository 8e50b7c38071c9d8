"""What has to be whole atoms: where a cube begins, and how far apart its lines and surfaces are.

Source: compiler-facts sections 6.10 and 12; the registers leave out the low bits, so nothing else tells.
"""

from __future__ import annotations

from collections.abc import Iterator

from nvdla_sim.analysis.units import Locate, used_cubes
from nvdla_sim.hw.config import Config
from nvdla_sim.loadable.enums import MemType, OpType, SdpMode
from nvdla_sim.runtime.operation import Operation


def problems(config: Config, operation: Operation, locate: Locate) -> Iterator[str]:
    """One line for each address and stride of the operation that is no multiple of the memory atom.

    ``LoadableError`` for an address that the task does not have.
    """
    for name in used_cubes(operation):
        cube = getattr(operation.surface, name)
        if cube.type == MemType.HW:
            continue
        values = {"address": locate(cube.address, cube.offset)}
        if _has_strides(operation, name):
            values |= {stride: getattr(cube, stride) for stride in ("line_stride", "surf_stride")}
        for field, value in values.items():
            if value % config.atom:
                yield (
                    f"{operation}: {name}.{field} = 0x{value:x}: needed is a multiple of {config.atom}, the "
                    f"bytes of {config.name}'s memory atom"
                )


def _has_strides(operation: Operation, name: str) -> bool:
    """Weights and operands for each channel lie one after the other."""
    if name in ("src", "dst"):
        return True
    return operation.type is OpType.SDP and bool(getattr(operation.op, name).mode == SdpMode.PER_POINT)
