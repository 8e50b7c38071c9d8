"""The whole compile: a graph and its calibration table become a loadable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import numpy as np

from nvdla_sim.calib.table import Table
from nvdla_sim.compiler.allocate import allocate
from nvdla_sim.compiler.batch import for_images
from nvdla_sim.compiler.constraints import Refusal, refusals
from nvdla_sim.compiler.emit import emit
from nvdla_sim.compiler.lower import LOWER
from nvdla_sim.compiler.lower.lowering import Lowering
from nvdla_sim.compiler.passes.affine import join_affine
from nvdla_sim.compiler.passes.renaming import remove_renaming
from nvdla_sim.compiler.scales import assign_scales, table_scales
from nvdla_sim.compiler.scaling import ScaleError
from nvdla_sim.compiler.schedule import schedule
from nvdla_sim.compiler.steps import Step, make_steps
from nvdla_sim.errors import ModelError, OptionError, UnsupportedError, all_of, listed, one_of
from nvdla_sim.graph.graph import Graph
from nvdla_sim.hw.config import config_named
from nvdla_sim.loadable.loadable import Loadable

QUANTIZATIONS = ("per-kernel", "per-filter")
INPUT_FORMATS = ("nhwc", "nchw")
IMAGE_CHANNELS = (1, 3, 4)


class Profile(NamedTuple):
    """What NVIDIA's profile of this name allows. Fusions that change no result are always done."""

    reuse_memory: bool


PROFILES = {
    "basic": Profile(reuse_memory=False),
    "default": Profile(reuse_memory=True),
    "performance": Profile(reuse_memory=True),
    "fast-math": Profile(reuse_memory=True),
}

Progress = Callable[[int, int], None]  # layers done, layers in all


def compile_graph(
    graph: Graph,
    table: Table,
    target: str = "nv_full",
    quantization: str = "per-kernel",
    input_format: str | None = None,
    profile: str = "fast-math",
    batch: int = 1,
    progress: Progress | None = None,
) -> Loadable:
    """Compile a float graph with parameters to an int8 loadable.

    ``target``: a hardware configuration. ``quantization``: "per-kernel" (one weight scale for a layer) or
    "per-filter" (one for each output channel). ``input_format``: "nhwc" (4-byte pixels), "nchw" (feature
    cube), or None: nhwc where an input has 1, 3 or 4 channels. ``profile`` "basic" gives every intermediate
    tensor memory of its own. ``batch``: images of a run. Raises ``OptionError``, ``ModelError``,
    ``CalibrationError`` or ``UnsupportedError``, each with all that is wrong.
    """
    all_of(
        lambda: config_named(target),
        lambda: one_of("quantization mode", quantization, QUANTIZATIONS),
        lambda: input_format is None or one_of("input format", input_format, INPUT_FORMATS),
        lambda: one_of("profile", profile, PROFILES),
        lambda: _check_batch(batch),
    )
    _check_outputs(graph)
    config = config_named(target)
    images = image_inputs(graph, input_format)
    given = table_scales(graph, table)

    graph = simplified(graph, images)
    _refuse(target, list(refusals(graph)))
    scales = assign_scales(graph, given, config)
    steps = make_steps(graph)

    lowering = Lowering(config, graph, scales, quantization == "per-filter", images)
    _refuse(target, lower_steps(steps, lowering, progress))
    program = lowering.finished()

    pool_size = allocate(program, PROFILES[profile].reuse_memory)
    tasks = schedule(for_images(program, batch, pool_size, config))
    return emit(program, tasks, batch, pool_size, config)


def _check_batch(batch: int) -> None:
    if batch < 1:
        raise OptionError(f"a batch of {batch} images; allowed: 1 and more")


def _check_outputs(graph: Graph) -> None:
    """``ModelError`` for outputs that no net from a file has, but a graph made by hand can."""
    made = graph.producers()
    wrong = [f'"{name}" is made by no layer' for name in dict.fromkeys(graph.outputs) if name not in made]
    wrong += [
        f'"{name}" is given {times} times' for name, times in Counter(graph.outputs).items() if times > 1
    ]
    if wrong:
        raise ModelError(listed(f'the outputs of net "{graph.name}" are different tensors of layers:', wrong))


def simplified(graph: Graph, images: Collection[str]) -> Graph:
    """The graph that is lowered: without layers that only rename, affine layers joined to others.

    Its tensors have the names and the values that they have in ``graph``. ``images``: from ``image_inputs``.
    """
    with np.errstate(all="ignore"):  # numbers that are not finite are refused by name
        return join_affine(remove_renaming(graph), images)


def image_inputs(graph: Graph, input_format: str | None) -> set[str]:
    """The inputs that are read as pixels; ``OptionError`` when they cannot be."""
    channels = {name: graph.tensors[name].chw[0] for name in graph.inputs}
    if input_format is None:
        return {name for name, count in channels.items() if count in IMAGE_CHANNELS}
    if input_format == "nchw":
        return set()
    wrong = [f'input "{name}" has {n} channels' for name, n in channels.items() if n not in IMAGE_CHANNELS]
    if wrong:
        raise OptionError(listed("input format nhwc needs 1, 3 or 4 channels; use nchw:", wrong))
    return set(channels)


def lower_steps(steps: Sequence[Step], lowering: Lowering, progress: Progress | None = None) -> list[Refusal]:
    """Lower every step; returns those that cannot be."""
    found = []
    for done, step in enumerate(steps):
        try:
            with np.errstate(all="ignore"):  # factors that overflow are refused by name
                LOWER[type(step.head.op)](step, lowering)
        except UnsupportedError as problem:
            own = f'layer "{step.head.name}": '
            by_scales = isinstance(problem, ScaleError)
            found.append(Refusal(step.head, str(problem).removeprefix(own), by_scales=by_scales))
            leave_out(step, lowering)
        if progress:
            progress(done + 1, len(steps))
    return found


def leave_out(step: Step, lowering: Lowering) -> None:
    """Only give its outputs a place, so that the steps behind it can be lowered."""
    for name in step.outputs:
        lowering.destination(name)


def _refuse(target: str, found: Sequence[Refusal]) -> None:
    if found:
        raise UnsupportedError(listed(f"the net cannot be compiled for {target}:", map(_line, found)))


def _line(refusal: Refusal) -> str:
    node = refusal.node
    line = f", line {node.line}" if node.line else ""
    return f'layer "{node.name}" ({node.op.kind}{line}): {refusal.problem}'
