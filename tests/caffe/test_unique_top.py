"""The unique-top rewrite: what changes, what stays, and that the net is the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nvdla_sim.caffe.importer import load_caffe
from nvdla_sim.caffe.unique_top import unique_top
from nvdla_sim.errors import ModelError
from tests.caffe.nets import write_prototxt
from tests.shared import golden_paths, golden_set

TEXT = """# a comment with top: "conv"
name: "net"
input: 'data'
input_shape { dim: 1 dim: 4 dim: 6 dim: 8 }
layer {
  name: "conv" type: "Convolution"   bottom: "data" top: 'conv'  # top: "conv"
  convolution_param { num_output: 2 kernel_size: 3 weight_filler { type: "top" } }
}
layer < name: "relu" type: "ReLU" bottom: "conv" top: "conv" >
layer { name: "drop" type: "Dropout" bottom: ["conv"] top: ["conv"] include { phase: TRAIN } }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { kernel_size: 2 } }
layer { name: "data" type: "ReLU" bottom: "pool" top: "pool" }
layer { type: "Scale" name: "sc" bottom: "pool" top: "pool" scale_param { bias_term: true } }
layer { name: "sum" type: "Eltwise" bottom: "conv" bottom: "conv" top: "sum" }
"""


def test_only_names_of_bottoms_and_tops_change(tmp_path: Path) -> None:
    expected = (
        TEXT.replace('"ReLU" bottom: "conv" top: "conv" >', '"ReLU" bottom: "conv" top: "relu" >')
        .replace('bottom: ["conv"] top: ["conv"]', 'bottom: ["relu"] top: ["relu"]')
        .replace('bottom: "conv" top: "pool" pooling', 'bottom: "relu" top: "pool" pooling')
        .replace('"ReLU" bottom: "pool" top: "pool" }', '"ReLU" bottom: "pool" top: "data:1" }')
        .replace('"sc" bottom: "pool" top: "pool"', '"sc" bottom: "data:1" top: "sc"')
        .replace('bottom: "conv" bottom: "conv" top: "sum"', 'bottom: "relu" bottom: "relu" top: "sum"')
    )
    assert unique_top(write_prototxt(tmp_path, TEXT)) == expected


def test_twice_is_once(tmp_path: Path) -> None:
    once = unique_top(write_prototxt(tmp_path, TEXT))
    assert unique_top(write_prototxt(tmp_path, once)) == once


def test_the_old_syntax(tmp_path: Path) -> None:
    text = (
        'input: "d" input_dim: 1 input_dim: 1 input_dim: 4 input_dim: 4\n'
        'layers { name: "r1" type: RELU bottom: "d" top: "a" }\n'
        'layers { name: "r2" type: RELU bottom: "a" top: "a" }\n'
        'layers { name: "r3" type: RELU bottom: "a" top: "b" }\n'
    )
    result = unique_top(write_prototxt(tmp_path, text))
    assert result == text.replace('"a" top: "a" }', '"a" top: "r2" }').replace(
        '"a" top: "b"', '"r2" top: "b"'
    )


def test_names_with_quotes(tmp_path: Path) -> None:
    text = (
        'layer { name: "d" type: "Input" top: "d" input_param { shape { dim: 1 dim: 1 } } }\n'
        'layer { name: "it\\"s \\303\\251" type: "ReLU" bottom: "d" top: "a" }\n'
        'layer { name: "it\\\\\'s" type: "ReLU" bottom: "a" top: "a" }\n'
    )
    path = write_prototxt(tmp_path, text)
    before = load_caffe(path, None)
    path.write_text(unique_top(path))
    after = load_caffe(path, None)
    assert [node.outputs for node in after.nodes] == [node.outputs for node in before.nodes]


def test_strings_in_pieces_are_refused(tmp_path: Path) -> None:
    text = TEXT.replace('bottom: "pool" top: "pool" }', 'bottom: "po" "ol" top: "pool" }')
    with pytest.raises(ModelError, match="one string in quotes"):
        unique_top(write_prototxt(tmp_path, text))


def same_net(path: Path, folder: Path) -> None:
    """Tensors keep their names, every tensor is a blob of its own, everything else of the text stays."""
    before = load_caffe(path, None)
    text = unique_top(path)
    copy = folder / "unique.prototxt"
    copy.write_text(text)
    after = load_caffe(copy, None)
    assert [(n.name, n.op, n.inputs, n.outputs) for n in after.nodes] == [
        (n.name, n.op, n.inputs, n.outputs) for n in before.nodes
    ]
    assert all(tensor.blob == tensor.name for tensor in after.tensors.values())
    names = r"\b(bottom|top)\s*:\s*(\"[^\"]*\"|'[^']*')"
    assert re.sub(names, "", text) == re.sub(names, "", path.read_text())


@pytest.mark.parametrize("name", ["trt-cache/resnet50.prototxt", "lenet-mnist/lenet.prototxt"])
def test_public_nets(name: str, tmp_path: Path) -> None:
    same_net(golden_set(name), tmp_path)


def test_all_small_nets(tmp_path: Path) -> None:
    golden_set("loadables")
    for path in golden_paths("loadables/*/deploy.prototxt"):
        same_net(path, tmp_path)
