"""The tensors between inputs and outputs, from notes that are right and from notes that are not."""

from __future__ import annotations

import json

import numpy as np
import pytest

import nvdla_sim as nv
from nvdla_sim import demo
from nvdla_sim.errors import LoadableError
from nvdla_sim.loadable.entries import SOURCE_MAP
from nvdla_sim.loadable.loadable import Loadable
from nvdla_sim.runtime.session import Runtime

TENSORS = ["conv1", "pool1", "conv2", "pool2", "relu1", "ip2", "prob"]


@pytest.fixture(scope="module", params=["nv_small", "nv_full"])
def loadable(request: pytest.FixtureRequest) -> Loadable:
    return nv.compile(demo.PROTOTXT, demo.CAFFEMODEL, demo.TABLE, target=request.param)


def noted(loadable: Loadable, **changes: object) -> Loadable:
    """The loadable with these fields changed in the note of tensor "pool1"."""
    copy = Loadable.from_bytes(loadable.to_bytes())
    blob = copy.blob(SOURCE_MAP)
    content = json.loads(blob.data.tobytes())
    next(cube for cube in content["cubes"] if cube["tensor"] == "pool1").update(changes)
    blob.data = np.frombuffer(json.dumps(content).encode(), np.uint8)
    return copy


def test_tensors_in_the_order_of_the_layers(loadable: Loadable) -> None:
    runtime = Runtime(loadable)
    tensors = {tensor.name: tensor for tensor in runtime.intermediates(demo.picture(7))}
    assert list(tensors) == TENSORS
    (output,) = runtime.run(demo.picture(7))
    assert np.array_equal(tensors["prob"].values, output.values)
    assert tensors["prob"].scale == output.scale
    assert tensors["conv1"].values.shape[1:] == (24, 24)
    # what is between them follows from them: pooling takes the largest of each four
    conv, pool = tensors["conv1"].values, tensors["pool1"].values
    channels, height, width = pool.shape
    blocks = conv.reshape(channels, height, 2, width, 2)
    assert np.array_equal(blocks.max(axis=(2, 4)), pool)


def test_another_compilers_loadable_has_none(loadable: Loadable) -> None:
    copy = Loadable.from_bytes(loadable.to_bytes())
    copy.blobs = [blob for blob in copy.blobs if blob.name != SOURCE_MAP]
    assert list(Runtime(copy).intermediates(demo.picture(7))) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"memory": 99},
        {"offset": 1 << 31},
        {"line": 1 << 31},
        {"surf": 0, "line": 0},
        {"height": 8192, "width": 8192},
        {"lanes": [[0, 1 << 31]]},
        {"lanes": [[1 << 31, 1]]},
        {"lanes": [[0, 1]] * 1000},
    ],
)
def test_notes_that_do_not_fit(loadable: Loadable, changes: dict[str, object]) -> None:
    runtime = Runtime(noted(loadable, **changes))
    assert runtime.run(demo.picture(7))  # the runs do not need the notes
    with pytest.raises(LoadableError, match='tensor "pool1" is noted as'):
        list(runtime.intermediates(demo.picture(7)))


@pytest.mark.parametrize(
    "changes",
    [
        {"tensor": 5},
        {"scale": -1.0},
        {"step": "1"},
        {"step": 1000},
        {"lanes": []},
        {"lanes": [[0]]},
        {"lanes": [[0, 0]]},
        {"height": 0},
        {"width": True},
        {"memory": -1},
    ],
)
def test_what_is_no_note_is_left_out(loadable: Loadable, changes: dict[str, object]) -> None:
    found = [tensor.name for tensor in Runtime(noted(loadable, **changes)).intermediates(demo.picture(7))]
    assert found == [name for name in TENSORS if name != "pool1"]
