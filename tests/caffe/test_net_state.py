"""include and exclude rules: what Caffe builds for the phase TEST."""

from __future__ import annotations

import pytest

from nvdla_sim.caffe.net_state import layers_at_test
from nvdla_sim.caffe.prototxt import read_prototxt
from nvdla_sim.errors import ModelError
from tests.caffe.nets import write_prototxt


def kept(tmp_path, rules, state=""):
    path = write_prototxt(tmp_path, f'{state} layer {{ name: "a" {rules} }}')
    return bool(layers_at_test(read_prototxt(path)))


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("", True),
        ("phase: TEST", True),
        ("phase: TRAIN", True),  # the layer's own phase is no rule
        ("include { phase: TEST }", True),
        ("include { phase: TRAIN }", False),
        ("include { phase: TRAIN } include { phase: TEST }", True),
        ("include { }", True),
        ("exclude { phase: TRAIN }", True),
        ("exclude { phase: TEST }", False),
        ("exclude { phase: TRAIN } exclude { phase: TEST }", False),
        ("include { min_level: 1 }", False),
        ("include { max_level: 0 }", True),
        ("include { max_level: -1 }", False),
        ('include { stage: "deploy" }', False),
        ('include { not_stage: "deploy" }', True),
    ],
)
def test_rules(tmp_path, rules, expected):
    assert kept(tmp_path, rules) is expected


def test_level_and_stages_come_from_the_net(tmp_path):
    state = 'state { phase: TRAIN level: 2 stage: "deploy" stage: "big" }'
    assert kept(tmp_path, 'include { min_level: 2 max_level: 2 stage: "deploy" phase: TEST }', state)
    assert not kept(tmp_path, 'include { stage: "deploy" stage: "small" }', state)
    assert not kept(tmp_path, 'include { stage: "deploy" not_stage: "big" }', state)
    assert not kept(tmp_path, "include { max_level: 1 }", state)


def test_include_and_exclude_cannot_be_mixed(tmp_path):
    with pytest.raises(ModelError, match=r'line 1, layer "a": include and exclude cannot be mixed'):
        kept(tmp_path, "include { phase: TEST } exclude { phase: TRAIN }")
