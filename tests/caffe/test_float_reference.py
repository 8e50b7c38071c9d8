"""Every tensor of every float reference of the golden nets: max|a - b| <= 1e-5 * max|b|."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nvdla_sim.caffe.importer import load_caffe
from tests.shared import golden_paths

# The reference was made with statistics that its caffemodel no longer holds: there all of them are zero.
STATISTICS_LOST = {("bn_mavg0", "layer:bn"), ("bn_mavg0", "output")}
SETS = golden_paths("loadables/*/float_ref.npz")


@pytest.mark.skipif(not SETS, reason="golden set loadables is not on this machine")
@pytest.mark.parametrize("reference", SETS, ids=lambda path: path.parent.name)
def test_every_tensor(reference: Path):
    folder = reference.parent
    graph = load_caffe(folder / "deploy.prototxt", folder / "net.caffemodel")
    last = graph.nodes[-1].outputs[0]
    with np.load(reference) as arrays:
        expected = {key: arrays[key] for key in arrays.files if (folder.name, key) not in STATISTICS_LOST}
    values = graph.run({graph.inputs[0]: expected["input"]})
    outputs = {node.name: node.outputs[0] for node in graph.nodes}
    bad = {}
    for key, b in expected.items():
        if key.startswith("layer:"):
            name = key.removeprefix("layer:").replace("|", "/")
            a = values[outputs.get(name, name)][:1]
        else:
            a = values[last if key == "output" else graph.inputs[0]]
        error = np.abs(a.reshape(b.shape) - b).max() / np.abs(b).max()
        if not error <= 1e-5:
            bad[key] = error
    assert bad == {}
