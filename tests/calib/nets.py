"""Prototxts for tests of names and tables."""

from __future__ import annotations

from pathlib import Path

from nvdla_sim.caffe.importer import load_caffe
from nvdla_sim.graph.graph import Graph

INPUT = (
    'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }'
)


def layer(name: str, kind: str, bottom: str, top: str = "", param: str = "") -> str:
    bottoms = " ".join(f'bottom: "{blob}"' for blob in bottom.split())
    return f'layer {{ name: "{name}" type: "{kind}" {bottoms} top: "{top or name}" {param} }}'


def structure(folder: Path, *layers: str) -> Graph:
    """The graph of a prototxt of an input 3x8x8 and these layers."""
    path = folder / "net.prototxt"
    path.write_text("\n".join([INPUT, *layers]))
    return load_caffe(path, None)


CONV = "convolution_param { num_output: 4 kernel_size: 3 }"
IP = "inner_product_param { num_output: 5 }"
POOL = "pooling_param { pool: MAX kernel_size: 2 stride: 2 }"

# A net with everything that makes TensorRT's names hard: in-place layers, Dropout, Flatten, PReLU.
HARD = (
    layer("c1", "Convolution", "data", "c1", CONV),
    layer("bn1", "BatchNorm", "c1", "c1"),
    layer("sc1", "Scale", "c1", "c1"),
    layer("pr1", "PReLU", "c1", "c1"),
    layer("p1", "Pooling", "c1", "p1", POOL),
    layer("drop1", "Dropout", "p1", "p1"),
    layer("flat", "Flatten", "p1", "flat"),
    layer("fc", "InnerProduct", "flat", "fc", IP),
    layer("relu", "ReLU", "fc", "fc"),
    layer("drop2", "Dropout", "fc", "fc"),
    layer("fc2", "InnerProduct", "fc", "out", IP),
    layer("prob", "Softmax", "out", "prob"),
)
