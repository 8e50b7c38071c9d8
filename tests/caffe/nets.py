"""Small nets as files: a prototxt from text, a caffemodel from arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from nvdla_sim.caffe.caffe_pb2 import Blob, Shape, TrainedLayer, TrainedNet
from nvdla_sim.caffe.importer import load_caffe
from nvdla_sim.graph.graph import Graph

INPUT = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 4 dim: 6 dim: 8 } } }
"""


def layer(kind: str, param: str = "", name: str = "it", bottom: str = "data", top: str = "it") -> str:
    """One layer in the new syntax; ``bottom`` and ``top`` may hold several words."""
    ends = "".join(f'bottom: "{b}" ' for b in bottom.split()) + "".join(f'top: "{t}" ' for t in top.split())
    return f'layer {{ name: "{name}" type: "{kind}" {ends}{param} }}\n'


def write_prototxt(folder: Path, text: str) -> Path:
    path = folder / "net.prototxt"
    path.write_text(text)
    return path


def write_caffemodel(folder: Path, weights: Mapping[str, Sequence[np.ndarray]]) -> Path:
    net = TrainedNet()
    for name, arrays in weights.items():
        blobs = [Blob(shape=Shape(dim=a.shape), data=[a.astype("<f4").tobytes()]) for a in arrays]
        net.layer.append(TrainedLayer(name=name, blobs=blobs))
    path = folder / "net.caffemodel"
    path.write_bytes(net.SerializeToString())
    return path


def structure(folder: Path, text: str) -> Graph:
    """The net without weights."""
    return load_caffe(write_prototxt(folder, text), None)
