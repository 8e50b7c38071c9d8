"""nvdla-eval as a user meets it: data sets, figures, files, exit codes."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import nvdla_sim as nv
from nvdla_sim import demo
from nvdla_sim.cli.eval import main
from tests.shared import golden_set

NET = ["--prototxt", str(demo.PROTOTXT), "--caffemodel", str(demo.CAFFEMODEL)]
INT8 = ["--calibtable", str(demo.TABLE), "--configtarget", "nv_small", "--normalize", "255", "--jobs", "1"]


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """The ten digits in class folders."""
    for digit in range(10):
        folder = tmp_path / "classes" / str(digit)
        folder.mkdir(parents=True)
        shutil.copy(demo.picture(digit), folder)
    return tmp_path / "classes"


def failed(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    """The message of a command that must fail as a user's error."""
    assert main(arguments) == 2
    message = capsys.readouterr().err
    assert "Traceback" not in message
    return message


def test_class_folders(classes: Path, tmp_path: Path, capsys) -> None:
    files = {"json": tmp_path / "out.json", "csv": tmp_path / "out.csv"}
    options = [word for name, path in files.items() for word in (f"--{name}", str(path))]
    assert main([*NET, *INT8, "--data", str(classes), *options]) == 0
    out = capsys.readouterr().out
    assert "10 images of class folders" in out
    assert "x = pixel / 255 (BGR); int8 input q = clip(floor(x / 0.00787401572 + 0.5), -128, 127)" in out
    assert "float   100.00 %   100.00 %" in out
    content = json.loads(files["json"].read_text())
    assert content["images"] == 10
    assert content["preprocessing"] in out
    assert Path(content["table"]).name == demo.TABLE.name
    assert content["loadable"] is None
    assert content["in_float"]["top1"] == 1
    assert content["in_int8"]["top1"] >= 0.9
    assert content["in_int8"]["ms"] > 0
    rows = list(csv.DictReader(files["csv"].open()))
    assert [row["label"] for row in rows] == [str(digit) for digit in range(10)]
    assert sum(row["int8_rank"] == "1" for row in rows) == 10 * content["in_int8"]["top1"]


def test_batches_of_a_data_set(tmp_path: Path, capsys) -> None:
    """TensorRT's batch files: first batch and number of batches, of any size."""
    pixels = [np.frombuffer(demo.picture(digit).read_bytes()[-784:], np.uint8) for digit in range(10)]
    folder = tmp_path / "batches"
    folder.mkdir()
    for number in range(2):
        images = np.stack(pixels[5 * number : 5 * number + 5]).astype(np.float32) / 255
        labels = np.arange(5 * number, 5 * number + 5, dtype=np.float32)
        header = np.array([5, 1, 28, 28], "<i4")
        (folder / f"batch{number}").write_bytes(header.tobytes() + images.tobytes() + labels.tobytes())
    arguments = [*NET, "--calibtable", str(demo.TABLE), "--jobs", "1", "--data", str(folder)]
    table = tmp_path / "out.csv"
    assert main([*arguments, "--batch", "3", "--first", "1", "--count", "2", "--csv", str(table)]) == 0
    assert "6 images" in capsys.readouterr().out
    assert [row["label"] for row in csv.DictReader(table.open())] == ["3", "4", "5", "6", "7", "8"]
    message = failed(capsys, [*arguments, "--batch", "3", "--count", "4"])
    assert "images up to 12 are asked for" in message
    assert "the first image would be number 12" in failed(capsys, [*arguments, "--first", "12"])
    assert "is preprocessed already: leave --normalize out" in failed(
        capsys, [*arguments, "--normalize", "255"]
    )


def test_a_loadable(classes: Path, tmp_path: Path, capsys) -> None:
    loadable = nv.compile(demo.PROTOTXT, demo.CAFFEMODEL, demo.TABLE, target="nv_small")
    loadable.save(tmp_path / "ours.nvdla")
    loadable.blobs = [blob for blob in loadable.blobs if blob.name != "nvdla-sim.json"]
    loadable.save(tmp_path / "foreign.nvdla")
    options = ["--data", str(classes), "--normalize", "255", "--jobs", "1"]
    assert main([*NET, *options, "--loadable", str(tmp_path / "ours.nvdla")]) == 0
    ours = capsys.readouterr().out
    assert "clip(floor(x / 0.00787401572 + 0.5)" in ours
    assert main([*NET, *options, "--loadable", str(tmp_path / "foreign.nvdla")]) == 0
    foreign = capsys.readouterr().out
    assert "q = floor(pixel * 127 / 255 + 0.5), since the loadable tells no scale" in foreign


def test_changed_classes_are_told(classes: Path, tmp_path: Path, capsys) -> None:
    """A table that spoils the net: everything comes out the same class."""
    content = json.loads(demo.TABLE.read_text())
    content["ip2"] = {"scale": 1e-4}
    table = tmp_path / "table.json"
    table.write_text(json.dumps(content))
    arguments = [*NET, *INT8, "--data", str(classes), "--json", str(tmp_path / "out.json")]
    assert main([*arguments, "--calibtable", str(table)]) == 0
    out = capsys.readouterr().out
    changes = json.loads((tmp_path / "out.json").read_text())["changes"]
    assert sum(change["count"] for change in changes) > 5
    first = changes[0]
    assert f"class {first['in_float']} -> {first['in_int8']}: {first['count']} " in out


def test_bad_images_and_labels(tmp_path: Path, capsys) -> None:
    bad = tmp_path / "bad.pgm"
    bad.write_text("no picture")
    data = tmp_path / "list.txt"
    data.write_text(f"{demo.picture(1)} 1\n{bad} 2\n{demo.picture(3)} 3\n")
    arguments = [*NET, *INT8, "--data", str(data)]
    assert main(arguments) == 0
    captured = capsys.readouterr()
    assert "bad.pgm" in captured.err
    assert "2 images, 0 in another class" in captured.out
    assert "allowed to be skipped: 0" in failed(capsys, [*arguments, "--skip-limit", "0"])
    data.write_text(f"{bad} 2\n")
    assert "not one image could be read" in failed(capsys, arguments)
    data.write_text(f"{demo.picture(1)} 11\n")
    assert "label 11, the net has 10 classes" in failed(capsys, arguments)
    data.write_text(f"{demo.picture(1)}\n")
    assert "has no label" in failed(capsys, arguments)
    assert "No such file" in failed(capsys, [*NET, *INT8, "--data", str(tmp_path / "no")])


def test_places_that_cannot_be_written(capsys) -> None:
    for option in ("--json", "--csv"):
        message = failed(capsys, [*NET, *INT8, "--data", "anything", option, "missing/file"])
        assert "cannot write missing/file: there is no folder missing" in message


def test_wrong_options(tmp_path: Path, capsys) -> None:
    data = ["--data", str(tmp_path)]
    assert "int8 needs --loadable" in failed(capsys, [*NET, *data])
    options = ["--configtarget", "nv_tiny", "--informat", "ncxhwx"]
    message = failed(capsys, [*NET, *data, *options])
    for word in ("--loadable", "nv_tiny", "ncxhwx"):
        assert word in message
    other = tmp_path / "other.json"
    other.write_text('{"data": {"scale": 0.1}}')
    shutil.copy(demo.picture(1), tmp_path)
    message = failed(capsys, [*NET, *data, "--calibtable", str(other)])
    assert "conv1" in message


def test_lenet_on_mnist(tmp_path: Path, capsys) -> None:
    """The public LeNet scores with our int8 what it scores with the real compiler's loadable."""
    folder = golden_set("lenet-mnist")
    data = tmp_path / "list.txt"
    pictures = sorted((folder / "images").glob("*.jpg"))
    data.write_text("".join(f"{path} {path.stem.split('_')[1]}\n" for path in pictures))
    net = ["--prototxt", str(folder / "lenet.prototxt"), "--caffemodel", str(folder / "lenet.caffemodel")]
    options = ["--data", str(data), "--normalize", "255", "--jobs", "1", "--json", str(tmp_path / "out.json")]
    real = folder / "loadables" / "lenet.nv_small.per-kernel.nvdla"
    scores = []
    for int8 in (["--calibtable", str(folder / "lenet.int8.json")], ["--loadable", str(real)]):
        assert main([*net, *options, *int8]) == 0
        content = json.loads((tmp_path / "out.json").read_text())
        scores.append(content["in_int8"]["top1"])
        assert content["in_float"]["top1"] >= 0.97
    assert scores[0] >= scores[1] >= 0.95
