"""The blob with scales and source layers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nvdla_sim.errors import LoadableError
from nvdla_sim.loadable.annotation import BLOB_NAME, Annotation
from nvdla_sim.loadable.entries import Blob
from nvdla_sim.loadable.loadable import Loadable
from tests.loadable.samples import small_loadable

ANNOTATION = Annotation(
    "nvdla-sim 1", "nv_small", {"data": 0.5, "prob": 1 / 127}, {(0, 0): "conv1", (0, 1): "conv1"}
)


def _carrying(text: bytes) -> Loadable:
    loadable = small_loadable()
    loadable.blobs.append(Blob(BLOB_NAME, 0, 0, (0, 0, 0), np.frombuffer(text, np.uint8)))
    return loadable


def test_it_survives_the_file() -> None:
    loadable = small_loadable()
    loadable.blobs.append(ANNOTATION.to_blob())
    assert Annotation.of(Loadable.from_bytes(loadable.to_bytes())) == ANNOTATION


def test_the_public_form() -> None:
    assert json.loads(ANNOTATION.to_blob().data.tobytes()) == {
        "producer": "nvdla-sim 1",
        "target": "nv_small",
        "tensors": {"data": {"scale": 0.5}, "prob": {"scale": 1 / 127}},
        "operations": [{"task": 0, "op": 0, "layer": "conv1"}, {"task": 0, "op": 1, "layer": "conv1"}],
    }


def test_other_loadables_have_none() -> None:
    assert Annotation.of(small_loadable()) is None


@pytest.mark.parametrize(
    "text",
    [
        b"", b"\xff\xfe", b"[]", b"{}", b"[" * 100_000, b"1" * 5000,
        b'{"producer": 1, "target": "", "tensors": {}, "operations": []}',
        b'{"producer": "", "target": "", "tensors": {"a": {"scale": 0}}, "operations": []}',
        b'{"producer": "", "target": "", "tensors": {"a": {"scale": NaN}}, "operations": []}',
        b'{"producer": "", "target": "", "tensors": {"a": {"scale": 1e999}}, "operations": []}',
        b'{"producer": "", "target": "", "tensors": {"a": 1}, "operations": []}',
        b'{"producer": "", "target": "", "tensors": [], "operations": []}',
        b'{"producer": "", "target": "", "tensors": {}, "operations": [{"task": "0", "op": 0, "layer": ""}]}',
        b'{"producer": "", "target": "", "tensors": {}, "operations": [1]}',
    ],
)  # fmt: skip
def test_a_damaged_one_is_refused(text: bytes) -> None:
    with pytest.raises(LoadableError, match=BLOB_NAME):
        Annotation.of(_carrying(text))
