"""The four prototxts of SOPHON's tools."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nvdla_sim.caffe.data_layers import data_sources
from nvdla_sim.caffe.importer import load_caffe
from nvdla_sim.caffe.prototxt import read_prototxt
from nvdla_sim.calib.bm1684 import export
from nvdla_sim.calib.preprocess import Preprocess
from nvdla_sim.errors import CalibrationError, UnsupportedError
from nvdla_sim.graph.graph import Graph
from tests.calib.nets import CONV, INPUT, layer

LAYERS = "\n".join(
    [
        layer("conv", "Convolution", "data", "conv", CONV) + "  # kept",
        layer("relu", "ReLU", "conv", "conv"),
        layer("prob", "Softmax", "conv", "prob"),
    ]
)
TRAINING = """name: "training"
layer { name: "images" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  data_param { source: "train" backend: LMDB batch_size: 9 } }
layer { name: "images" type: "Data" top: "data" top: "label" include { phase: TEST }
  transform_param { crop_size: 8 mean_value: 5 scale: 0.5 } data_param { source: "val" batch_size: 2 } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 8 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "accuracy" type: "Accuracy" bottom: "conv" bottom: "label" top: "accuracy" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "conv" bottom: "label" top: "loss" loss_weight: 1 }
"""
INPUT_FIELDS = 'input: "data" input_dim: [1, 3, 8, 8] '
KINDS = ("deploy_fp32", "deploy_int8", "test_fp32", "test_int8")


def exported(folder: Path, text: str, preprocess: Preprocess) -> dict[str, Path]:
    """The four files by kind."""
    source = folder / "net.prototxt"
    source.write_text(text)
    names = ["data", *(node.name for node in load_caffe(source, None).nodes)]
    table = folder / "t.json"
    table.write_text(json.dumps({name: {"scale": 0.25 * (n + 1)} for n, name in enumerate(names)}))
    texts = export(source, table, preprocess, "images_lmdb")
    assert sorted(texts) == sorted(f"net_{kind}_unique_top.prototxt" for kind in KINDS)
    for name, content in texts.items():
        (folder / name).write_text(content)
    return {kind: folder / f"net_{kind}_unique_top.prototxt" for kind in KINDS}


def same_structure(graph: Graph, other: Graph) -> None:
    assert [(n.name, n.op, n.inputs, n.outputs) for n in graph.nodes] == [
        (n.name, n.op, n.inputs, n.outputs) for n in other.nodes
    ]
    assert graph.tensors["data"].shape == other.tensors["data"].shape


def int8_scale(path: Path) -> float | None:
    (first, *rest) = [entry.layer for entry in read_prototxt(path).layers]
    assert not any(layer.HasField("int8_scale") for layer in rest)
    return first.int8_scale if first.HasField("int8_scale") else None


@pytest.mark.parametrize("head", [INPUT, 'input: "data" input_shape { dim: 1 dim: 3 dim: 8 dim: 8 }', ""])
def test_a_net_without_data(tmp_path: Path, head: str) -> None:
    head = head or 'input: "data" input_dim: [1, 3, 8, 8]'
    preprocess = Preprocess.of(mean=(1, 2, 3), normalize=4, resize=(10, 12), crop=(8, 8), order="RGB")
    files = exported(tmp_path, f'name: "n"\n{head}\n{LAYERS}\n', preprocess)
    for kind, path in files.items():
        graph = load_caffe(path, None)
        same_structure(graph, load_caffe(tmp_path / "net.prototxt", None))
        assert all(tensor.blob == tensor.name for tensor in graph.tensors.values())
        assert int8_scale(path) == (4.0 if "int8" in kind else None)
        text = path.read_text()
        assert text.startswith('name: "n"\n')
        assert "# kept" in text
        sources = data_sources(path)
        assert len(sources) == ("test" in kind)
        if sources:
            assert (sources[0].source, sources[0].backend) == ("images_lmdb", "LMDB")
            said = Preprocess.of_transform(sources[0].transform)
            pixels = np.random.default_rng(0).integers(0, 256, (3, 9, 7), dtype=np.uint8)
            np.testing.assert_array_equal(said.apply(pixels, (3, 8, 8)), preprocess.apply(pixels, (3, 8, 8)))


@pytest.mark.parametrize(
    "preprocess",
    [
        Preprocess(),
        Preprocess.of(mean=(7,), normalize=2),
        Preprocess.of(resize_side=9, crop=(8, 8)),
        Preprocess.of(resize=(9, 9), crop=(8, 8), normalize=2),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_data_layer_says_the_preprocessing(tmp_path: Path, preprocess: Preprocess, channels: int) -> None:
    head = INPUT.replace("dim: 3", f"dim: {channels}")
    files = exported(tmp_path, head + LAYERS, preprocess)
    graph = load_caffe(files["test_int8"], None)
    assert graph.tensors["data"].shape == (channels, 8, 8)
    (source,) = data_sources(files["test_int8"])
    size = (11, 9) if preprocess.steps and "resize" in str(preprocess.steps[0]) else (8, 8)
    pixels = np.random.default_rng(0).integers(0, 256, (channels, *size), dtype=np.uint8)
    np.testing.assert_array_equal(
        Preprocess.of_transform(source.transform).apply(pixels, (channels, 8, 8)),
        preprocess.apply(pixels, (channels, 8, 8)),
    )


def test_a_net_with_data_keeps_it(tmp_path: Path) -> None:
    files = exported(tmp_path, TRAINING, Preprocess())
    for kind in ("test_fp32", "test_int8"):
        (source,) = data_sources(files[kind])
        assert (source.source, source.batch_size) == ("val", 2)
        assert source.transform.mean_value == (5,)
        assert int8_scale(files[kind]) == (4.0 if "int8" in kind else None)
        text = files[kind].read_text()
        assert '"Accuracy" bottom: "relu" bottom: "label"' in text
        assert '"train"' not in text
    for kind in ("deploy_fp32", "deploy_int8"):
        graph = load_caffe(files[kind], None)
        assert [(node.name, node.op.kind) for node in graph.nodes] == [
            ("conv", "Convolution"), ("relu", "ReLU"), ("loss", "Softmax"),
        ]  # fmt: skip
        assert graph.tensors["data"].shape == (3, 8, 8)
        for word in ("Accuracy", "label", "Loss", "Data", "loss_weight"):
            assert word not in files[kind].read_text()


def test_a_mean_file_of_the_nets_own_is_not_needed(tmp_path: Path) -> None:
    files = exported(tmp_path, TRAINING.replace("mean_value: 5", 'mean_file: "not here"'), Preprocess())
    assert data_sources(files["test_int8"])[0].transform.mean_file == "not here"


def test_layers_in_angle_brackets(tmp_path: Path) -> None:
    text = """
layer < name: "d" type: "Data" top: "data" top: "label" transform_param < crop_size: 8 > >
layer < name: "relu" type: "ReLU" bottom: "data" top: "relu" >
layer < name: "loss" type: "SoftmaxWithLoss" bottom: "relu" bottom: "label" top: "loss" >
"""
    files = exported(tmp_path, text, Preprocess())
    assert [node.op.kind for node in load_caffe(files["deploy_int8"], None).nodes] == ["ReLU", "Softmax"]
    assert int8_scale(files["test_int8"]) == 4.0


def test_the_old_syntax_is_refused(tmp_path: Path) -> None:
    old = INPUT_FIELDS + 'layers { name: "relu" type: RELU bottom: "data" top: "relu" }'
    with pytest.raises(UnsupportedError, match="upgrade_net_proto_text"):
        exported(tmp_path, old, Preprocess())


def test_what_a_data_layer_cannot_say(tmp_path: Path) -> None:
    mean = np.ones((3, 8, 8), np.float32)
    with pytest.raises(UnsupportedError, match="mean image"):
        exported(tmp_path, INPUT + LAYERS, Preprocess.of(mean=mean))


def test_a_table_of_another_net(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(INPUT + LAYERS)
    (tmp_path / "t.json").write_text('{"data": {"scale": 1}}')
    with pytest.raises(CalibrationError, match='"relu"'):
        export(tmp_path / "net.prototxt", tmp_path / "t.json", Preprocess(), "lmdb")
