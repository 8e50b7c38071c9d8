"""Small real loadables, and the same with some descriptor fields changed."""

from __future__ import annotations

from typing import Any

import numpy as np

from nvdla_sim.loadable import descriptors as d
from nvdla_sim.loadable.enums import OpType
from nvdla_sim.loadable.loadable import Loadable
from tests.shared import COMMITTED_GOLDENS


def committed(net: str, stem: str) -> Loadable:
    """``tests/goldens/loadables/<net>/<stem>.nvdla``."""
    return Loadable.load(COMMITTED_GOLDENS / "loadables" / net / f"{stem}.nvdla")


def change_op(loadable: Loadable, index: int, kind: OpType, task: int = 0, **fields: int) -> None:
    """Set fields of an operation's descriptor; ``out_cvt__scale`` is the field ``scale`` of ``out_cvt``."""
    _change(loadable, f"task-{task}-op_list", d.OPS[kind], d.OP_STRIDE, index, fields)


def change_surface(loadable: Loadable, index: int, kind: OpType, task: int = 0, **fields: int) -> None:
    """Set fields of an operation's cubes."""
    _change(loadable, f"task-{task}-surf_list", d.SURFACES[kind], d.SURFACE_STRIDE, index, fields)


def change_node(loadable: Loadable, index: int, task: int = 0, **fields: int) -> None:
    """Set fields of an operation's dependency graph entry; ``consumers__1__index`` for the CONV slot's."""
    _change(loadable, f"task-{task}-dep_graph", d.COMMON_OP, d.DEP_GRAPH_STRIDE, index, fields)


def change_network(loadable: Loadable, task: int = 0, **fields: int) -> None:
    """Set fields of a task's network descriptor."""
    _change(loadable, f"task-{task}-addr0", d.NETWORK, d.NETWORK.itemsize, 0, fields)


def change_buffer(loadable: Loadable, side: int, task: int = 0, **fields: int) -> None:
    """Set fields of the first CPU operation's source (0) or destination (1)."""
    _change(loadable, f"task-{task}-op_buf_list", d.EMU_BUFFER, d.EMU_BUFFER.itemsize, side, fields)


def _change(
    loadable: Loadable,
    name: str,
    struct: np.dtype[np.void],
    stride: int,
    index: int,
    fields: dict[str, int],
) -> None:
    blob = loadable.blob(name)
    blob.data = blob.data.copy()  # it is a view of the file
    record: Any = blob.data[index * stride : index * stride + struct.itemsize].view(struct)[0]
    for path, value in fields.items():
        *outer, last = (int(part) if part.isdigit() else part for part in path.split("__"))
        place = record
        for part in outer:
            place = place[part]
        place[last] = value
