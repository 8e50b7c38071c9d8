#!/usr/bin/env python3
"""Train the demo net and write its files into ``nvdla_sim/demo/``.

    pip install -e .[train]
    python tools/train_demo.py

A small LeNet on the 1,797 handwritten digits that scikit-learn ships (8x8 pixels, enlarged to 28x28).
Every fifth digit is held out: from these come the pictures and the accuracy that is printed. The
calibration table holds amax/127 of each layer's float output over training digits, and a pooling layer
carries its input's scale, because the pooling engine cannot rescale.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

from nvdla_sim.caffe.exporter import save_caffe
from nvdla_sim.files import write_atomically
from nvdla_sim.graph.graph import Graph, Node, Tensor
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.inner_product import InnerProduct
from nvdla_sim.graph.ops.pooling import Pooling
from nvdla_sim.graph.ops.relu import ReLU
from nvdla_sim.graph.ops.softmax import Softmax

DEMO = Path(__file__).resolve().parent.parent / "nvdla_sim" / "demo"
SIZE = 28
PICTURES = 10  # one of each digit
CALIBRATION_IMAGES = 200


def enlarged(digits: np.ndarray) -> np.ndarray:
    """8x8 digits with values 0..16 -> uint8 pictures of 28x28."""
    pixels = np.rint(digits * (255 / 16)).astype(np.uint8)
    return np.stack(
        [np.asarray(Image.fromarray(d).resize((SIZE, SIZE), Image.Resampling.BICUBIC)) for d in pixels]
    )


class LeNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 5)
        self.conv2 = nn.Conv2d(16, 32, 5)
        self.ip1 = nn.Linear(32 * 4 * 4, 96)
        self.ip2 = nn.Linear(96, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.max_pool2d(self.conv1(x), 2)
        x = functional.max_pool2d(self.conv2(x), 2)
        return self.ip2(functional.relu(self.ip1(x.flatten(1))))


def shifted(batch: torch.Tensor) -> torch.Tensor:
    """Each picture moved by up to two pixels, so that the net learns shapes rather than places."""
    padded = functional.pad(batch, (2, 2, 2, 2))
    corners = torch.randint(0, 5, (len(batch), 2)).tolist()
    return torch.stack([p[:, y : y + SIZE, x : x + SIZE] for p, (y, x) in zip(padded, corners, strict=True)])


def train(images: torch.Tensor, labels: torch.Tensor, epochs: int = 40) -> LeNet:
    torch.manual_seed(1)
    net = LeNet()
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for chosen in torch.randperm(len(images)).split(64):
            optimizer.zero_grad()
            functional.cross_entropy(net(shifted(images[chosen])), labels[chosen]).backward()
            optimizer.step()
        schedule.step()
    return net.eval()


def as_graph(net: LeNet) -> Graph:
    """The trained net with the layer names of Caffe's LeNet."""

    def weights(layer: nn.Conv2d | nn.Linear) -> dict[str, np.ndarray]:
        assert layer.bias is not None
        return {"weight": layer.weight.detach().numpy(), "bias": layer.bias.detach().numpy()}

    pool = Pooling(method="MAX", kernel=(2, 2), stride=(2, 2))
    layers = [
        ("conv1", Convolution(num_output=16, kernel=(5, 5)), weights(net.conv1)),
        ("pool1", pool, {}),
        ("conv2", Convolution(num_output=32, kernel=(5, 5)), weights(net.conv2)),
        ("pool2", pool, {}),
        ("ip1", InnerProduct(num_output=96), weights(net.ip1)),
        ("relu1", ReLU(), {}),
        ("ip2", InnerProduct(num_output=10), weights(net.ip2)),
        ("prob", Softmax(), {}),
    ]
    tensors = {"data": Tensor("data", (1, SIZE, SIZE), "data")}
    nodes: list[Node] = []
    above = "data"
    for name, operator, parameters in layers:
        (shape,) = operator.output_shapes([tensors[above].shape])
        tensors[name] = Tensor(name, shape, name)
        nodes.append(Node(name, operator, (above,), (name,), parameters, None))
        above = name
    return Graph("digits", ("data",), (above,), tensors, nodes)


def calibration(graph: Graph, images: np.ndarray) -> dict[str, dict[str, float]]:
    tensors = graph.run({"data": images})
    scales = {name: float(np.abs(values).max() / 127) for name, values in tensors.items()}
    for node in graph.nodes:
        if isinstance(node.op, Pooling):
            scales[node.name] = scales[node.inputs[0]]
    scales["data"] = 1 / 127  # full white is 1.0
    return {name: {"scale": scale, "min": 0, "max": 0, "offset": 0} for name, scale in scales.items()}


def main() -> None:
    digits = load_digits()
    pictures = enlarged(digits.images)
    held_out = np.arange(len(pictures)) % 5 == 4
    inputs = torch.tensor(pictures / 255, dtype=torch.float32)[:, None]
    labels = torch.tensor(digits.target)
    net = train(inputs[~held_out], labels[~held_out])
    right = (net(inputs[held_out]).argmax(1) == labels[held_out]).sum().item()
    print(f"float top-1 on the held-out digits: {right} of {held_out.sum()}")

    graph = as_graph(net)
    save_caffe(graph, DEMO / "digits.prototxt", DEMO / "digits.caffemodel")
    table = calibration(graph, inputs[~held_out][:CALIBRATION_IMAGES].numpy())
    write_atomically(DEMO / "digits.int8.json", (json.dumps(table, indent=1) + "\n").encode())
    for digit in range(PICTURES):
        first = np.flatnonzero(held_out & (digits.target == digit))[0]
        Image.fromarray(pictures[first]).save(DEMO / f"{digit}.pgm")


if __name__ == "__main__":
    main()
