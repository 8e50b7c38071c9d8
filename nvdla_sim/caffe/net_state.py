"""Which layers belong to the net at test time: ``include`` and ``exclude`` rules."""

from __future__ import annotations

from nvdla_sim.caffe.caffe_pb2 import TEST, Layer, NetState, NetStateRule
from nvdla_sim.caffe.prototxt import Prototxt, SourceLayer
from nvdla_sim.errors import ModelError


def layers_at_test(source: Prototxt) -> list[SourceLayer]:
    """The layers that Caffe builds for the phase TEST, with the level and stages that the file sets."""
    state = source.net.state
    return [entry for entry in source.layers if _included(entry, state, source.path)]


def _included(entry: SourceLayer, state: NetState, path: str) -> bool:
    layer: Layer = entry.layer
    if layer.include and layer.exclude:
        raise ModelError(
            f'prototxt {path}: line {entry.line}, layer "{layer.name}": include and exclude cannot be mixed'
        )
    if layer.include:
        return any(_met(rule, state) for rule in layer.include)
    return not any(_met(rule, state) for rule in layer.exclude)


def _met(rule: NetStateRule, state: NetState) -> bool:
    return (
        (not rule.HasField("phase") or rule.phase == TEST)
        and (not rule.HasField("min_level") or state.level >= rule.min_level)
        and (not rule.HasField("max_level") or state.level <= rule.max_level)
        and set(rule.stage) <= set(state.stage)
        and not set(rule.not_stage) & set(state.stage)
    )
