"""Which layers of a net a hardware configuration cannot run, whatever their weights and scales."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from nvdla_sim.compiler.constraints import Refusal, refusals
from nvdla_sim.compiler.lower.lowering import Lowering
from nvdla_sim.compiler.pipeline import INPUT_FORMATS, image_inputs, leave_out, lower_steps, simplified
from nvdla_sim.compiler.steps import make_steps
from nvdla_sim.errors import one_of
from nvdla_sim.graph.graph import Graph, Node
from nvdla_sim.hw.config import CONFIGS, Config, config_named

# what a parameter is that the graph lacks: harmless as a weight, a factor, a variance
PLACEHOLDER = np.float32(2.0**-7)


@dataclass(frozen=True)
class Complaint:
    """A layer that cannot run: ``line`` of the prototxt, why, and the nearest thing that works."""

    layer: str
    kind: str
    line: int | None
    reason: str
    nearest: str


def lint(graph: Graph, target: str, input_format: str | None = None) -> list[Complaint]:
    """Every layer that ``target`` cannot run, in the net's order.

    A graph without parameters will do. ``OptionError`` for an unknown target and for an input format that
    does not fit the net.
    """
    config = config_named(target)
    if input_format is not None:
        one_of("input format", input_format, INPUT_FORMATS)
    images = image_inputs(graph, input_format)
    graph = simplified(_with_parameters(graph), images)
    found = _refused(graph, config, images)
    unsolved = any(not refusal.nearest for refusal in found)
    elsewhere = {
        name: {refusal.node.name for refusal in _refused(graph, other, images)}
        for name, other in CONFIGS.items()
        if unsolved and name != target
    }
    order = {node.name: at for at, node in enumerate(graph.nodes)}
    return [
        Complaint(r.node.name, r.node.op.kind, r.node.line, r.problem, r.nearest or _fits(r, elsewhere))
        for r in sorted(found, key=lambda refusal: order[refusal.node.name])
    ]


def _with_parameters(graph: Graph) -> Graph:
    """The graph with parameters where it lacks them; they take no memory."""

    def complete(node: Node) -> Node:
        shapes = node.op.param_shapes([graph.tensors[name].shape for name in node.inputs])
        made = {name: np.broadcast_to(PLACEHOLDER, shape) for name, shape in shapes.items()}
        return replace(node, params={**made, **node.params})

    return replace(graph, nodes=[complete(node) for node in graph.nodes])


def _refused(graph: Graph, config: Config, images: set[str]) -> list[Refusal]:
    """What breaks a rule, and what of the rest cannot be lowered: with all scales 1 that is for its size."""
    found = list(refusals(graph))
    broken = {refusal.node.name for refusal in found}
    scales = {name: np.float32(1) for name in graph.tensors}
    lowering = Lowering(config, graph, scales, False, images)
    for step in make_steps(graph):
        if broken & {node.name for node in (step.head, *step.followers)}:
            leave_out(step, lowering)
        else:
            found += [refusal for refusal in lower_steps([step], lowering) if not refusal.by_scales]
        lowering.program.units.clear()  # only whether they can be made counts
    return found


def _fits(refusal: Refusal, elsewhere: Mapping[str, set[str]]) -> str:
    """Where a layer runs that is too large here; ``elsewhere``: what each configuration refuses."""
    able = [name for name, refused in elsewhere.items() if refusal.node.name not in refused]
    if able:
        return f"the configurations {', '.join(able)}"
    return "fewer channels, a smaller kernel, or a narrower input"
