"""Which hardware configuration a loadable was compiled for: only those of our own compiler tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from nvdla_sim.hw.config import CONFIGS, Config
from nvdla_sim.hw.formats import round_up
from nvdla_sim.loadable.enums import ConvMode, MemoryFlags, OpType, PixelFormat, WeightFormat
from nvdla_sim.loadable.lists import DlaTask, EmuTask
from nvdla_sim.loadable.loadable import Loadable
from nvdla_sim.runtime.buffers import bound_memories
from nvdla_sim.runtime.source_map import read_source_map
from nvdla_sim.runtime.tensor import PIXEL_BYTES, is_image


class Target(NamedTuple):
    """A configuration and what made it the likely one."""

    config: Config
    reason: str


def infer_target(loadable: Loadable, tasks: list[DlaTask | EmuTask]) -> Target:
    """What the loadable says of itself, else what fits best, by atom size and what the operations need.

    Atom 8: nv_small; atom 16: nv_medium_512, the only one. Atom 32: the one whose buffer a convolution is
    laid out for, whatever else is there; else nv_full if anything needs it, otherwise nv_large.
    """
    noted = read_source_map(loadable).target
    if noted is not None:
        return Target(CONFIGS[noted], "as its compiler noted")
    atom = _atom(loadable)
    if atom == 8:
        return Target(CONFIGS["nv_small"], "atoms of 8 bytes")
    if atom == 16:
        return Target(CONFIGS["nv_medium_512"], "atoms of 16 bytes")
    accelerated = [task for task in tasks if isinstance(task, DlaTask)]
    for name, other in (("nv_large", "nv_full"), ("nv_full", "nv_large")):
        if any(_entries_tell(task, name, other) for task in accelerated):
            entry = CONFIGS[name].cbuf_entry
            return Target(
                CONFIGS[name], f"atoms of 32 bytes, and slices laid out for {entry}-byte buffer entries"
            )
    for task in accelerated:
        for reason in _needs_full(task):
            return Target(CONFIGS["nv_full"], f"atoms of 32 bytes, and {reason}")
    return Target(CONFIGS["nv_large"], "atoms of 32 bytes, and nothing needs nv_full")


def _atom(loadable: Loadable) -> int:
    """Bytes of an atom: from the feature surfaces of outputs and inputs, 32 where they do not tell."""
    bound = [
        *bound_memories(loadable, MemoryFlags.OUTPUT),
        *bound_memories(loadable, MemoryFlags.INPUT),
    ]
    for tensor in (loadable.tensors[memory.tensor_desc_id] for memory in bound):
        if is_image(tensor):
            continue
        if tensor.pixel_format == PixelFormat.FEATURE_X8:
            return 8
        # older files name every feature surface FEATURE; lines are packed
        for atom in (8, 16):
            if tensor.strides[1] == tensor.w * atom:
                return atom
    return 32


def _needs_full(task: DlaTask) -> Iterator[str]:
    """Reasons why a task cannot be one for nv_large."""
    for i, op in enumerate(task.ops):
        kind = task.op_type(i)
        if kind in (OpType.RUBIK, OpType.BDMA):
            yield f"{kind.name} operations"
        if kind is OpType.CONV:
            if op["conv_mode"] == ConvMode.WINOGRAD:
                yield "Winograd convolutions"
            if op["weight_format"] == WeightFormat.COMPRESSED:
                yield "compressed weights"
            if op["batch"] > 1:
                yield "convolutions of several images"


def _entries_tell(task: DlaTask, name: str, other: str) -> bool:
    """Whether a convolution's input is laid out for the buffer of one configuration and not the other's."""
    for i, (op, surface) in enumerate(zip(task.ops, task.surfaces, strict=True)):
        if task.op_type(i) is OpType.CONV:
            entries, others = (_entries(op, surface, CONFIGS[config]) for config in (name, other))
            if int(op["entry_per_slice"]) == entries != others:
                return True
    return False


def _entries(op: np.void, surface: np.void, config: Config) -> int:
    """Convolution buffer entries of one slice of the input. Source: compiler-facts 6.7."""
    width = int(surface["src"]["width"])
    if op["data_format"] != PixelFormat.FEATURE:
        padded = width + int(op["pad_left"]) + int(op["pad_right"])
        return round_up(padded * PIXEL_BYTES, config.cbuf_entry) // config.cbuf_entry
    per_entry = config.cbuf_entry // config.atom
    surfaces = -(-int(surface["src"]["channel"]) // config.atom)
    whole, rest = divmod(surfaces, per_entry)
    return width * whole + (width if rest == 3 else -(-rest * width // per_entry))
