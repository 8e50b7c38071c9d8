"""The public LeNet compiled here and run on the simulated chip: the numbers of the real stack.

For nv_large and nv_full with an image as input the real compiler spoils the first layer's weights (section
8.2): there ours gives the numbers of nv_small.
"""

from __future__ import annotations

import json

import pytest

from nvdla_sim.runtime.session import Runtime
from tests.compiler.nets import Case, cases
from tests.shared import golden_set

CASES = [case for case in cases() if case.net == "lenet-mnist"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_outputs_of_the_real_stack(case: Case) -> None:
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
    assert not wrong
