"""Loadables of NVIDIA's compiler and hand-made ones: the real stack's bytes, or a refusal that tells why."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from nvdla_sim.errors import NvdlaError, UnsupportedError
from nvdla_sim.loadable.loadable import Loadable
from nvdla_sim.runtime.dimg import text_dump
from nvdla_sim.runtime.session import Output, Runtime
from tests.runtime.goldens import Recorded, loadables, recipes, value
from tests.shared import golden_paths

Count = Callable[[str, str, str, int, int], None]

LOADABLES = list(loadables())
RAN = [recorded for recorded in LOADABLES if recorded.runs]
REFUSED = [recorded for recorded in LOADABLES if not recorded.runs]
BATCHES = [recorded for recorded in RAN if recorded.path.stem.endswith(".b2")]
RECIPES = list(recipes())
LENET = golden_paths("lenet-mnist/loadables/*.nvdla")
KMD = golden_paths("kmd/*.nvdla")

# net -> what the message must tell
REASONS = {
    "pool_max9": "a pool of size 9 is not possible",
    "mini_inception": "a pool of size 16 is not possible",
    "deconv": "has no Rubik engine",
    "conv_softmax_conv": "depends on itself",
}


def images_of(output: Output) -> NDArray[np.int8]:
    """The output's values, with the images of a batch in front."""
    return output.values if output.values.ndim == 4 else output.values[None]


def differences(recorded: Recorded) -> tuple[int, list[str]]:
    """How many outputs are equal, and one line for each that is not."""
    runtime = Runtime(Loadable.load(recorded.path), recorded.config)
    equal, found = 0, []
    for inputs, outputs in recorded.runs:
        results = runtime.run([value(path) for path in inputs])
        assert len(results) >= len(outputs)  # of further outputs the real tool writes nothing
        for result, output in zip(results, outputs, strict=False):
            got, wanted = text_dump(images_of(result)[0]).decode(), output.read_text()
            equal += got == wanted
            if got != wanted:
                found.append(f"{output.name}: got {got[:60]}, wanted {wanted[:60]}")
    return equal, found


@pytest.mark.parametrize("recorded", RAN, ids=lambda recorded: recorded.id)
def test_loadables(recorded: Recorded, count_goldens: Count) -> None:
    equal, found = differences(recorded)
    mode = recorded.path.name.removesuffix(".nvdla").split(".", 1)[1]
    if recorded.id.startswith("shared"):
        count_goldens("loadables of NVIDIA's compiler", recorded.config, mode, equal, len(found))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("recorded", BATCHES, ids=lambda recorded: recorded.id)
def test_every_image_of_a_batch(recorded: Recorded) -> None:
    """The real tool gives and writes the first image: what it wrote must come out for it in any place."""
    runtime = Runtime(Loadable.load(recorded.path), recorded.config)
    for (path,), (output,) in recorded.runs:
        (result,) = runtime.run([[value(path)] * 2])
        assert [text_dump(image).decode() for image in result.values] == [output.read_text()] * 2
    (empty,) = runtime.run([value(path)])
    assert np.array_equal(empty.values[0], result.values[0])
    assert not np.array_equal(empty.values[1], result.values[1])


@pytest.mark.parametrize("recorded", REFUSED, ids=lambda recorded: recorded.id)
def test_loadables_that_the_real_stack_refuses(recorded: Recorded, count_goldens: Count) -> None:
    with pytest.raises(NvdlaError, match=REASONS[recorded.path.parent.name]):
        Runtime(Loadable.load(recorded.path), recorded.config)
    if recorded.id.startswith("shared"):
        net = recorded.path.parent.name
        count_goldens("loadables that the real stack refuses", net, recorded.config, 1, 0)


@pytest.mark.parametrize("recorded", RECIPES, ids=lambda recorded: recorded.id)
def test_recipes(recorded: Recorded, count_goldens: Count) -> None:
    equal, found = differences(recorded)
    if recorded.id.startswith("shared"):
        count_goldens("recipes", recorded.path.parent.name, recorded.config, equal, len(found))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", LENET, ids=lambda path: path.stem)
def test_lenet_mnist(path: Path, count_goldens: Count) -> None:
    """Every recorded digit; the loadables whose weights NVIDIA's compiler has corrupted run, too."""
    folder = path.parent.parent
    _, config, rest = path.stem.split(".", 2)
    expected = json.loads((folder / "outputs.json").read_text()).get(f"{config}.{rest}", {})
    runtime = Runtime(Loadable.load(path), config)
    runtime.run(folder / "images" / "0_7.jpg")
    wrong = []
    for image, numbers in expected.items():
        file = folder / "images" / (image if image.endswith(".jpg") else f"{image}.jpg")
        values = runtime.run(file)[0].values.reshape(-1).tolist()
        if values != [int(number) for number in numbers]:
            wrong.append(f"{image}: {values}")
    count_goldens("LeNet on MNIST digits", config, rest, len(expected) - len(wrong), len(wrong))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", KMD, ids=lambda path: path.stem)
def test_kmd_regression(path: Path, count_goldens: Count) -> None:
    """The driver's own regression files: the older descriptors, inputs inside, int16 on nv_full."""
    config = {"small": "nv_small", "large": "nv_large"}.get(path.stem.rsplit("_", 1)[1], "nv_full")
    loadable = Loadable.load(path)
    if path.stem == "NN_L0_0":
        with pytest.raises(UnsupportedError, match="only INT8"):
            Runtime(loadable, config)
        return
    golden = path.with_name(f"{path.stem}.output.dimg").read_bytes()
    width, height, channels = struct.unpack_from("<3I", golden, 12)
    (output,) = Runtime(loadable, config).run([])
    assert output.values.shape == (channels, height, width)
    equal = output.values.tobytes() == golden[36:]
    count_goldens("kernel driver's regression", path.stem.split("_L0")[0], config, equal, not equal)
    assert equal


def test_each_run_starts_from_the_same_memory() -> None:
    recorded = next(r for r in RAN if len(r.runs) > 1)
    runtime = Runtime(Loadable.load(recorded.path), recorded.config)
    first, second = (inputs for inputs, _ in recorded.runs[:2])
    before = [o.values for o in runtime.run([value(path) for path in first])]
    other = [o.values for o in runtime.run([value(path) for path in second])]
    again = [o.values for o in runtime.run([value(path) for path in first])]
    assert any(not np.array_equal(a, b) for a, b in zip(before, other, strict=True))
    for a, b in zip(before, again, strict=True):
        np.testing.assert_array_equal(a, b)
