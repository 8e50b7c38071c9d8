"""Tensors as files, and files of others held against them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nvdla_sim.analysis.compare.dump import Difference, against, write_dump
from nvdla_sim.errors import NvdlaError, OptionError
from nvdla_sim.graph.graph import Graph
from nvdla_sim.graph.ops.relu import ReLU
from tests.analysis.compare.nets import chain, compared, true_table


@pytest.fixture(scope="module")
def comparison():
    graph, inputs = chain()
    return compared(graph, inputs, true_table(graph, inputs))


def test_every_tensor_of_every_version_is_written(comparison, tmp_path: Path) -> None:
    count = write_dump(tmp_path / "new" / "dump", comparison)
    folder = tmp_path / "new" / "dump"
    written = {path.relative_to(folder).as_posix() for path in folder.rglob("*.npy")}
    assert len(written) == count
    held = ["data", "relu1", "pool1", "relu2", "ip"]
    assert written == {
        *(f"float/{name}.npy" for name in [*held, "conv1", "conv2"]),
        *(f"{version}/{name}.npy" for version in ("chip", "fake8", "fake16") for name in held),
    }
    chip = np.load(folder / "chip" / "relu2.npy")
    assert chip.dtype == np.int8
    assert np.array_equal(chip, comparison.versions.int8["relu2"])
    assert np.load(folder / "float" / "conv1.npy").shape == (8, 10, 10)
    index = json.loads((folder / "tensors.json").read_text())
    assert index[1]["tensor"] == "relu1"
    assert index[1]["layers"] == ["conv1", "relu1"]
    assert index[1]["scale"] == comparison.tensors[1].scale


def test_our_own_dump_agrees(comparison, tmp_path: Path) -> None:
    write_dump(tmp_path, comparison)
    agreement = against(tmp_path, comparison)
    assert agreement.first is None
    assert len(agreement.compared) == 22
    assert agreement.compared[0] == ("chip", "data")


def test_the_first_differing_element(comparison, tmp_path: Path) -> None:
    write_dump(tmp_path, comparison)
    for name, places in (("ip", [(0, 0, 0)]), ("relu2", [(2, 1, 0), (1, 2, 1)])):
        path = tmp_path / "chip" / f"{name}.npy"
        values = np.load(path)
        for place in places:
            values[place] ^= 1
        np.save(path, values)
    ours = comparison.versions.int8["relu2"]
    assert against(tmp_path, comparison).first == Difference(
        tensor="relu2",
        version="chip",
        index=(1, 2, 1),
        theirs=float(ours[1, 2, 1] ^ 1),
        ours=float(ours[1, 2, 1]),
        count=2,
        total=ours.size,
    )


def test_files_of_another_tool(comparison, tmp_path: Path) -> None:
    """All in one folder, named like the layers: integers are the chip's, the others the float run's."""
    np.save(tmp_path / "relu1.npy", comparison.versions.int8["relu1"].astype(np.int32).reshape(-1))
    float_values = comparison.versions.values["float"]
    np.save(tmp_path / "conv2.npy", float_values["conv2"].astype(np.float64) * (1 + 1e-6))
    agreement = against(tmp_path, comparison)
    assert agreement.compared == (("chip", "relu1"), ("float", "conv2"))
    assert agreement.first is None
    wrong = float_values["conv2"].copy()
    wrong[0, 3, 1, 1] = np.nan
    np.save(tmp_path / "conv2.npy", wrong)
    first = against(tmp_path, comparison).first
    assert first is not None
    assert (first.tensor, first.version, first.index, first.count) == ("conv2", "float", (3, 1, 1), 1)


def test_names_with_a_slash(tmp_path: Path) -> None:
    graph = Graph("slashes")
    graph.add_input("in/put", (8, 2, 2))
    graph.add("a/relu|x", ReLU(), ["in/put"], {})
    graph.outputs = ("a/relu|x",)
    inputs = {"in/put": np.linspace(-1, 1, 32, dtype=np.float32).reshape(8, 2, 2)}
    comparison = compared(graph, inputs, true_table(graph, inputs))
    write_dump(tmp_path / "ours", comparison)
    assert (tmp_path / "ours" / "chip" / "a%2Frelu%7Cx.npy").exists()
    assert len(against(tmp_path / "ours", comparison).compared) == 8
    np.save(tmp_path / "in|put.npy", comparison.versions.int8["in/put"])
    assert against(tmp_path, comparison).compared == (("chip", "in/put"),)


def test_what_cannot_be_compared(comparison, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="is not a folder"):
        against(tmp_path / "nowhere", comparison)
    with pytest.raises(OptionError, match=r"there is no \.npy file in it, nor in its folders chip, float"):
        against(tmp_path, comparison)
    np.save(tmp_path / "relu_1.npy", np.zeros(3, np.int8))
    with pytest.raises(OptionError, match='"relu_1" did you mean "relu1"'):
        against(tmp_path, comparison)
    np.save(tmp_path / "relu1.npy", np.zeros(3, np.int8))
    with pytest.raises(OptionError, match="relu1: 3 elements, the net's has 800"):
        against(tmp_path, comparison)
    np.save(tmp_path / "relu1.npy", np.array(["text"]))
    with pytest.raises(OptionError, match=r"relu1\.npy: values of type <U4"):
        against(tmp_path, comparison)
    (tmp_path / "relu1.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(OptionError, match=r"relu1\.npy: not a readable"):
        against(tmp_path, comparison)


def test_a_folder_that_cannot_be_made(comparison, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NvdlaError, match="cannot make folder"):
        write_dump(tmp_path / "file", comparison)
