"""TensorRT's names: the golden pairs, and a net with every trap."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nvdla_sim.caffe.importer import load_caffe
from nvdla_sim.calib.naming import resolve, tensor_names
from nvdla_sim.calib.table_formats.trt_cache import parse
from nvdla_sim.calib.table_io import read_fit, render
from tests.calib.nets import CONV, HARD, layer, structure
from tests.shared import golden_set

PAIRS = {
    "lenet": ("lenet-mnist/lenet.prototxt", "lenet-mnist/lenet.cache", "lenet-mnist/lenet.int8.json"),
    "resnet50": ("trt-cache/resnet50.prototxt", "trt-cache/resnet50.txt", "trt-cache/resnet50.json"),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_cache_and_prototxt_give_the_golden_json(pair: str) -> None:
    prototxt, cache, table = map(golden_set, PAIRS[pair])
    graph = load_caffe(prototxt, None)
    result = read_fit(cache, graph)
    expected = json.loads(table.read_text())
    own = json.loads(render(result.complete(), "json", graph))
    assert own == expected
    assert list(own) == list(expected)
    assert len(result.matched) == len(expected)
    assert [result.inherited, result.defaulted, result.unused] == [{}, {}, []]
    if pair == "lenet":
        assert render(result.table, "json", graph) == table.read_bytes()


@pytest.mark.parametrize("pair", PAIRS)
def test_the_golden_json_gives_the_cache(pair: str) -> None:
    prototxt, cache, table = map(golden_set, PAIRS[pair])
    graph = load_caffe(prototxt, None)
    own = render(read_fit(table, graph).complete(), "cache", graph).decode()
    assert parse(own, "own") == parse(cache.read_text(), "golden")
    assert own.splitlines()[1:] == [line for line in cache.read_text().splitlines()[1:] if line]


def test_names_of_a_hard_net(tmp_path: Path) -> None:
    """Dropout and Flatten are no layers of TensorRT's, PReLU is two; the blob's name is with the last."""
    assert tensor_names(structure(tmp_path, *HARD)) == {
        "data": "data",
        "(Unnamed Layer* 0) [Convolution]_output": "c1",
        "(Unnamed Layer* 1) [Scale]_output": "bn1",
        "(Unnamed Layer* 2) [Scale]_output": "sc1",
        "c1": "pr1",
        "p1": "p1",
        "(Unnamed Layer* 6) [Fully Connected]_output": "fc",
        "fc": "relu",
        "out": "out",
        "prob": "prob",
    }


def test_every_name_leads_back_to_its_tensor(tmp_path: Path) -> None:
    graph = structure(tmp_path, *HARD)
    names = tensor_names(graph)
    scales = {name: float(number) for number, name in enumerate(names, start=1)}
    found, unused = resolve(graph, scales)
    assert unused == []
    # a blob that an alias wrote last is resolved to the alias
    last = {"fc": "drop2", "p1": "drop1"}
    assert found == {last.get(name, tensor): scales[name] for name, tensor in names.items()}


def test_layers_counted_one_for_one_are_told_by_their_types(tmp_path: Path) -> None:
    graph = structure(tmp_path, *HARD)
    scales = {
        "(Unnamed Layer* 2) [Scale]_output": 3.0,
        "(Unnamed Layer* 7) [Fully Connected]_output": 7.0,
    }
    assert resolve(graph, scales) == ({"sc1": 3.0, "fc": 7.0}, [])


def test_what_fits_nothing_is_told(tmp_path: Path) -> None:
    graph = structure(tmp_path, layer("conv1", "Convolution", "data", "conv1", CONV))
    found, unused = resolve(
        graph,
        {
            "(Unnamed Layer* 0) [Pooling]_output": 1.0,
            "(Unnamed Layer* 9) [Convolution]_output": 1.0,
            "conv_1": 1.0,
            "data": 2.0,
        },
    )
    assert found == {"data": 2.0}
    assert '"conv1" (Convolution)' in unused[0]
    assert "1 layers" in unused[1]
    assert 'did you mean "conv1"?' in unused[2]
