"""Tables of all kinds, read and written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nvdla_sim.calib.table import Table
from nvdla_sim.calib.table_io import kind_of_file, kind_to_write, load_table, render
from nvdla_sim.errors import CalibrationError, OptionError
from nvdla_sim.graph.graph import Graph
from tests.calib.nets import HARD, structure


def graph_with_weights(folder: Path) -> Graph:
    graph = structure(folder, *HARD)
    for node in graph.nodes:
        shapes = node.op.param_shapes([graph.tensors[tensor].shape for tensor in node.inputs])
        node.params.update({name: np.ones(shape, np.float32) for name, shape in shapes.items()})
    return graph


def complete(graph: Graph) -> Table:
    """Scales that layers of the same range share."""
    scales = {name: 0.5 + number for number, name in enumerate(["data", *(n.name for n in graph.nodes)])}
    for name, source in (("p1", "pr1"), ("drop1", "pr1"), ("flat", "pr1"), ("drop2", "relu")):
        scales[name] = scales[source]
    return Table(scales)


@pytest.mark.parametrize("kind", ["json", "cache"])
def test_a_written_table_is_the_same_when_read(tmp_path: Path, kind: str) -> None:
    graph = graph_with_weights(tmp_path)
    table = complete(graph)
    path = tmp_path / "whatever.it.is.called"
    path.write_bytes(render(table, kind, graph, "MinMaxCalibration"))
    assert kind_of_file(path) == kind
    assert load_table(path, graph).scales == table.scales


def test_a_caffe_int8_table_knows_the_inputs_of_convolutions_only(tmp_path: Path) -> None:
    graph = graph_with_weights(tmp_path)
    path = tmp_path / "t.table"
    path.write_bytes(render(complete(graph), "table", graph))
    assert kind_of_file(path) == "table"
    with pytest.raises(CalibrationError) as error:
        load_table(path, graph)
    assert '"fc2"' in str(error.value)
    assert '"data"' not in str(error.value)


def test_the_first_line_of_a_cache(tmp_path: Path) -> None:
    graph = structure(tmp_path, *HARD)
    assert render(complete(graph), "cache", graph, "MinMaxCalibration").startswith(
        b"TRT-7202-MinMaxCalibration\n"
    )


def test_what_each_kind_needs(tmp_path: Path) -> None:
    graph = structure(tmp_path, *HARD)
    assert b'"a"' in render(Table({"a": 1.0}), "json", None)
    with pytest.raises(OptionError, match="--prototxt"):
        render(Table({"a": 1.0}), "cache", None)
    with pytest.raises(CalibrationError, match="the table has no scale for data"):
        render(Table({"c1": 1.0}, "the table"), "cache", graph)


def test_the_ending_tells_the_kind_unless_a_word_does() -> None:
    kinds = {"a.json": "json", "b.CACHE": "cache", "c.txt": "cache", "d/e.table": "table"}
    assert {path: kind_to_write(path) for path in kinds} == kinds
    assert kind_to_write("a.json", "Table") == "table"
    with pytest.raises(OptionError, match=r"--format"):
        kind_to_write("a.tbl")
    with pytest.raises(OptionError, match='did you mean "cache"'):
        kind_to_write("a.json", "cach")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"", b"{", b"TRT-1", b"TRT-7202-E\n\x00: zz\n", b"[]"])
def test_damaged_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken"
    path.write_bytes(content)
    with pytest.raises(CalibrationError, match="broken"):
        load_table(path, structure(tmp_path, *HARD))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(CalibrationError, match="calibration table"):
            kind_of_file(path)
