"""The public LeNet compiled here and run on the simulated chip: the numbers of the real stack.

For nv_large and nv_full with an image as input the real compiler spoils the first layer's weights (section
8.2): there ours gives the numbers of nv_small.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from nvdla_sim.caffe.importer import load_caffe
from nvdla_sim.runtime.session import Runtime
from tests.compiler.nets import Case, cases
from tests.shared import golden_set

CASES = [case for case in cases() if case.net == "lenet-mnist"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_outputs_of_the_real_stack(
    case: Case, count_goldens: Callable[[str, str, str, int, int], None]
) -> None:
    recorded = json.loads((golden_set("lenet-mnist") / "outputs.json").read_text())
    own = f"{case.config}.{case.mode}" + (".nchw" if case.variant == "nchw" else "")
    expected = recorded.get(own, recorded[f"nv_small.{case.mode}"])
    runtime = Runtime(case.compile(), case.config)
    images = golden_set("lenet-mnist") / "images"
    wrong = [
        image
        for image, numbers in expected.items()
        if runtime.run(images / image)[0].values.reshape(-1).tolist() != [int(n) for n in numbers]
    ]
    row = case.config + (" nchw" if case.variant == "nchw" else "")
    count_goldens(
        "LeNet on MNIST digits, compiled here", row, case.mode, len(expected) - len(wrong), len(wrong)
    )
    assert not wrong


def test_top_1(tell_figure: Callable[[str, str], None]) -> None:
    """Int8 beside float on every digit; a file's name ends with its label. The real flow has 116 right."""
    from PIL import Image

    folder = golden_set("lenet-mnist")
    images = sorted((folder / "images").glob("*.jpg"))
    labels = [int(image.stem.rpartition("_")[2]) for image in images]
    pixels = np.stack([np.asarray(Image.open(image), np.float32)[np.newaxis] / 255 for image in images])
    graph = load_caffe(folder / "lenet.prototxt", folder / "lenet.caffemodel")
    scores = {"float": graph.run({"data": pixels})[graph.outputs[0]].reshape(len(images), -1)}
    for case in CASES:
        runtime = Runtime(case.compile(), case.config)
        kind = f"int8 {case.config} {case.mode}" + (" nchw" if case.variant == "nchw" else "")
        scores[kind] = np.stack([runtime.run(image)[0].values.reshape(-1) for image in images])
    right = {kind: int((values.argmax(axis=1) == labels).sum()) for kind, values in scores.items()}
    for kind, count in right.items():
        tell_figure(f"LeNet on {len(images)} MNIST digits: top-1", f"{kind:30} {count}")
    assert right["float"] >= 116
    assert min(right.values()) >= 116
