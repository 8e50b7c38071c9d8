"""nvdla-calibrate as a user meets it."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import numpy as np
import pytest

from nvdla_sim.caffe.exporter import save_caffe
from nvdla_sim.calib import calibrate
from nvdla_sim.calib.methods import METHODS
from nvdla_sim.calib.statistics import Statistics
from nvdla_sim.calib.table import Table
from nvdla_sim.cli import _progress
from nvdla_sim.cli.calibrate import main
from nvdla_sim.graph.graph import Graph
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.relu import ReLU
from nvdla_sim.graph.ops.softmax import Softmax
from tests.calib.datasets.files import batch_file, datum_lmdb, picture

COUNT = 9


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The needed options; pictures are in ``images``, and the working directory is empty."""
    graph = Graph("net")
    graph.add_input("data", (3, 6, 5))
    weight = np.random.default_rng(1).normal(size=(4, 3, 6, 5)).astype(np.float32)
    graph.add("conv", Convolution(4, (6, 5), bias=False), ["data"], {"weight": weight})
    graph.add("relu", ReLU(), ["conv"])
    graph.add("prob", Softmax(), ["relu"])
    graph.outputs = ("prob",)
    save_caffe(graph, tmp_path / "net.prototxt", tmp_path / "net.caffemodel")
    for number in range(COUNT):
        picture(tmp_path / "images" / f"{number}.png", number)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return ["--prototxt", "../net.prototxt", "--caffemodel", "../net.caffemodel"]


IMAGES = ["--images", "../images"]


def files() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def scales(path: str = "t.json") -> dict[str, float]:
    return dict(Table.load(path).scales)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_makes_a_table(net, capsys, method: str) -> None:
    assert main([*net, *IMAGES, "--method", method, "-o", "t.json"]) == 0
    assert files() == ["t.json"]
    assert list(scales()) == ["data", "conv", "relu", "prob"]
    out = capsys.readouterr().out
    assert "9 images of folder ../images from number 0; x = pixel (BGR)" in out
    assert f"wrote t.json: 4 scales by {method}" in out


def test_minmax_is_the_largest_value(net) -> None:
    assert (
        main([*net, *IMAGES, "--method", "minmax", "--normalize", "2", "--mean", "1,2,3", "-o", "t.json"])
        == 0
    )
    mean = np.array([1, 2, 3])[:, None, None]
    largest = max(
        np.abs((picture(Path("x.png"), number).astype(float) - mean) / 2).max() for number in range(COUNT)
    )
    assert scales()["data"] == pytest.approx(largest / 127)


@pytest.mark.parametrize(
    ("options", "start"),
    [
        (["-o", "t.cache"], "TRT-7202-EntropyCalibration2"),
        (["-o", "t.cache", "--method", "minmax"], "TRT-7202-MinMaxCalibration"),
        (["-o", "t.txt", "--method", "entropy-v1"], "TRT-7202-EntropyCalibration\n"),
        (["-o", "t.table"], "conv_param_0 "),
        (["-o", "t", "--format", "cache", "--method", "legacy"], "TRT-7202-LegacyCalibration"),
        (["-o", "t.json", "--format", "JSON"], "{"),
    ],
)
def test_formats(net, options: list[str], start: str) -> None:
    assert main([*net, *IMAGES, *options]) == 0
    (name,) = files()
    assert Path(name).read_text().startswith(start)


def test_all_kinds_of_images_give_the_same_table(net, capsys) -> None:
    from nvdla_sim.caffe.caffe_pb2 import Datum

    pixels = np.stack([picture(Path("../x") / f"{n}.png", n) for n in range(COUNT)])
    np.save("../pixels.npy", pixels)
    np.savez("../pixels.npz", images=pixels)
    np.save("../floats.npy", pixels.astype(np.float32))
    Path("../batches").mkdir()
    batch_file(Path("../batches/batch0"), pixels[:5], [0.0] * 5)
    batch_file(Path("../batches/batch1"), pixels[5:], [0.0] * 4)
    datum_lmdb(
        Path("../db"), [Datum(channels=3, height=6, width=5, data=image.tobytes()) for image in pixels]
    )
    Path("../list.txt").write_text("".join(f"images/{n}.png {n}\n" for n in range(COUNT)))
    Path("../names.txt").write_text("".join(f"{n}.png\n" for n in range(COUNT)))
    tables = []
    for name in ("images", "pixels.npy", "pixels.npz", "floats.npy", "batches", "db", "list.txt"):
        assert main([*net, "--images", f"../{name}", "-o", "t.json"]) == 0
        tables.append(scales())
    assert main([*net, "--images", "../names.txt", "--root", "../images", "-o", "t.json"]) == 0
    assert all(table == scales() for table in tables)
    assert "x = the stored value, preprocessed already" in capsys.readouterr().out


def test_first_and_count(net, capsys) -> None:
    assert main([*net, *IMAGES, "--first", "7", "--count", "5", "-o", "t.json"]) == 0
    assert "2 images of folder ../images from number 7" in capsys.readouterr().out
    pixels = np.stack([picture(Path("../x.png"), number) for number in (7, 8)])
    np.save("two.npy", pixels)
    few = scales()
    assert main([*net, "--images", "two.npy", "-o", "t.json"]) == 0
    assert scales() == few


def test_preprocessing_from_the_prototxt(net, capsys) -> None:
    text = Path("../net.prototxt").read_text()
    head = (
        'layer { name: "data" type: "Data" top: "data" transform_param { mean_value: 4 scale: 0.5 '
        "crop_h: 6 crop_w: 5 } }\n"
    )
    Path("../net.prototxt").write_text(head + text[text.index("layer", 10 + text.index("layer")) :])
    assert main([*net, *IMAGES, "-o", "t.json"]) == 0
    assert "centre crop 6x5 -> x = (pixel - 4) * 0.5 (BGR)" in capsys.readouterr().out
    assert main([*net, *IMAGES, "--normalize", "2", "-o", "u.json"]) == 2
    error = capsys.readouterr().err
    assert "--normalize" in error
    assert 'layer "data"' in error
    assert files() == ["t.json"]


def test_both_kinds_of_transform(net, capsys) -> None:
    text = Path("../net.prototxt").read_text()
    Path("../net.prototxt").write_text(
        'layer { name: "d" type: "Data" top: "d" transform_param { scale: 2 transform_op { op: STAND } } }'
        + text
    )
    assert main([*net, *IMAGES, "-o", "t.json"]) == 2
    assert "transform_op and the plain scale exclude each other" in capsys.readouterr().err


def test_kept_histograms_make_other_tables_without_images(net, capsys) -> None:
    assert main([*net, *IMAGES, "--normalize", "1", "--save-hist", "h.npz", "-o", "t.json"]) == 0
    said = capsys.readouterr().out.splitlines()[0]
    assert main([*net, "--load-hist", "h.npz", "-o", "a.json"]) == 0
    assert f"histograms of {said}" in capsys.readouterr().out
    for method in METHODS:
        assert main([*net, "--load-hist", "h.npz", "--method", method, "-o", "a.json"]) == 0
        assert main([*net, *IMAGES, "--method", method, "-o", "b.json"]) == 0
        assert scales("a.json") == scales("b.json")


def test_flags_that_kept_histograms_leave_no_room_for(net, capsys) -> None:
    assert main([*net, *IMAGES, "--save-hist", "h.npz", "-o", "t.json"]) == 0
    flags = ("--count", "--first", "--save-hist", "--jobs", "--root", "--mean")
    words = [word for flag in flags for word in (flag, "1")]
    assert main([*net, "--load-hist", "h.npz", "-o", "u.json", *words, "--resume"]) == 2
    error = capsys.readouterr().err
    assert all(flag in error for flag in (*flags, "--resume"))
    assert files() == ["h.npz", "t.json"]


def test_places_that_cannot_be_written_are_told_before_the_run(net, capsys, monkeypatch) -> None:
    monkeypatch.setattr(calibrate, "collect", None)
    Path("folder.json").mkdir()
    for options in (
        ["-o", "missing/t.json"], ["-o", "folder.json"], ["-o", "t.json", "--save-hist", "missing/h"],
    ):  # fmt: skip
        assert main([*net, *IMAGES, *options]) == 2
        assert "cannot write" in capsys.readouterr().err


def test_histograms_that_do_not_tell_what_they_are_of(net, capsys) -> None:
    assert main([*net, *IMAGES, "--save-hist", "h.npz", "-o", "t.json"]) == 0
    statistics = Statistics.load("h.npz")
    del statistics.identity["images"]
    statistics.save("h.npz")
    assert main([*net, "--load-hist", "h.npz", "-o", "t.json"]) == 0
    assert "histograms of images not told; x = pixel (BGR)" in capsys.readouterr().out


def test_histograms_of_another_net(net, capsys) -> None:
    assert main([*net, *IMAGES, "--save-hist", "h.npz", "-o", "t.json"]) == 0
    with Path("../net.prototxt").open("a") as file:
        file.write("# changed\n")
    assert main([*net, "--load-hist", "h.npz", "-o", "u.json"]) == 2
    assert "histograms h.npz is of another run" in capsys.readouterr().err
    assert files() == ["h.npz", "t.json"]


def interrupted_after(calls: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is pressed while the run is at this image."""
    seen = []

    def progress(self: _progress.SlowProgress, done: int, total: int) -> None:
        seen.append(done)
        if len(seen) == calls:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(_progress.SlowProgress, "__call__", progress)
    monkeypatch.setattr(calibrate, "MAX_BATCH", 1)


@pytest.mark.parametrize("calls", [1, 4, 9, 10, 15])
@pytest.mark.parametrize("keep", [[], ["--save-hist", "h.npz"]])
def test_an_interrupted_run_is_resumed(net, capsys, monkeypatch, calls: int, keep: list[str]) -> None:
    assert main([*net, *IMAGES, "-o", "whole.json"]) == 0
    state = keep[1] if keep else "t.json.partial.npz"
    with monkeypatch.context() as patch:
        interrupted_after(calls, patch)
        assert main([*net, *IMAGES, *keep, "-o", "t.json"]) == 130
    error = capsys.readouterr().err
    assert f"{calls} of 18 steps are kept in {state}; go on with --resume" in error
    assert files() == sorted([state, "whole.json"])
    if keep:
        assert main([*net, "--load-hist", state, "-o", "t.json"]) == 2
        assert "interrupted run" in capsys.readouterr().err
    assert main([*net, *IMAGES, *keep, "--resume", "-o", "t.json"]) == 0
    assert files() == sorted(["t.json", "whole.json", *keep[1:]])
    assert Path("t.json").read_bytes() == Path("whole.json").read_bytes()


def test_a_resumed_run_must_be_the_same(net, capsys, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        interrupted_after(3, patch)
        assert main([*net, *IMAGES, "-o", "t.json"]) == 130
    assert main([*net, *IMAGES, "--resume", "--normalize", "3", "--count", "4", "-o", "t.json"]) == 2
    error = capsys.readouterr().err
    assert "preprocessing: there x = pixel (BGR), here x = pixel / 3 (BGR)" in error
    assert "images: there 9 images of folder ../images from number 0, here 4 images" in error
    assert main([*net, *IMAGES, "--resume", "-o", "t.json"]) == 0


def test_not_one_readable_picture(net, capsys) -> None:
    for path in Path("../images").iterdir():
        path.write_bytes(b"broken")
    assert main([*net, *IMAGES, "-o", "t.json"]) == 2
    error = capsys.readouterr().err
    assert "not one of 9 images can be read" in error
    assert "3.png: not a readable" in error
    assert "object at 0x" not in error


def test_broken_pictures_are_named(net, capsys) -> None:
    Path("../images/3.png").write_bytes(b"broken")
    Path("../images/5.png").write_bytes(b"")
    assert main([*net, *IMAGES, "-o", "t.json"]) == 0
    error = capsys.readouterr().err
    assert "skipped: picture ../images/3.png: not a readable" in error
    assert "skipped: picture ../images/5.png" in error
    assert main([*net, *IMAGES, "--skip-limit", "1", "-o", "u.json"]) == 2
    error = capsys.readouterr().err
    assert "2 images cannot be read, allowed to be skipped: 1" in error
    assert "3.png" in error
    assert "5.png" in error
    assert files() == ["t.json"]


def bad_batches(folder: Path) -> None:
    folder.mkdir()
    batch_file(folder / "batch0", np.zeros((2, 3, 6, 5)), [0.0, 1.0])
    (folder / "batch0").write_bytes((folder / "batch0").read_bytes()[:-1])


def bad_lmdb(folder: Path) -> None:
    datum_lmdb(folder, [b"x" * 9000] * 3)
    path = folder / "data.mdb"
    path.write_bytes(path.read_bytes()[:-4096])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "No such file"),
        (lambda path: path.mkdir(), "there are none"),
        (lambda path: path.write_text("\n"), "there are none"),
        (bad_batches, "batch0: 743 bytes"),
        (bad_lmdb, "cut off"),
        (
            lambda path: path.write_text("../images/0.png 1\nmissing.png 2\n" + "nothing.png 3\n" * 20),
            "missing.png",
        ),
    ],
)
def test_bad_data(net, capsys, make, message: str) -> None:
    make(Path("../bad"))
    assert main([*net, "--images", "../bad", "-o", "t.json"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("nvdla-calibrate: error: ")
    assert message in error
    assert files() == []


def test_pictures_of_another_size(net, capsys) -> None:
    picture(Path("../images/0.png"), size=(7, 7))
    assert main([*net, *IMAGES, "-o", "t.json"]) == 2
    assert "0.png: preprocessing gives 3x7x7, the net's input is 3x6x5" in capsys.readouterr().err
    assert main([*net, *IMAGES, "--resize", "6x5", "-o", "t.json"]) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "--load-hist"),
        ([*IMAGES, "--load-hist", "h"], "one of them"),
        ([*IMAGES, "--method", "kl"], "kl-trt"),
        ([*IMAGES, "-o", "t.jsn"], "--format"),
        ([*IMAGES, "--format", "xml"], "json, cache, table"),
        ([*IMAGES, "--count", "0"], "--count"),
        ([*IMAGES, "--count", "many"], "--count"),
        ([*IMAGES, "--first", "9"], "has 9 images"),
        ([*IMAGES, "--first", "-1"], "--first"),
        ([*IMAGES, "--jobs", "0"], "--jobs"),
        ([*IMAGES, "--skip-limit", "x"], "--skip-limit"),
        ([*IMAGES, "--normalize", "0"], "normalize 0"),
        ([*IMAGES, "--mean", "1,2"], "2 mean numbers for 3 channels"),
        ([*IMAGES, "--mean", "missing.binaryproto"], "mean image missing.binaryproto"),
        ([*IMAGES, "--percentile", "99"], "--percentile is a number of method percentile"),
        ([*IMAGES, "--method", "percentile", "--percentile", "101"], "up to 100"),
        ([*IMAGES, "--method", "legacy", "--quantile", "0"], "up to 1"),
        ([*IMAGES, "--method", "legacy", "--cutoff", "x"], '--cutoff "x"'),
        ([*IMAGES, "--search", "../images"], "--search is for method legacy"),
        ([*IMAGES, "--method", "legacy", "--cutoff", "1", "--search", "../images"], "--search is for"),
        ([*IMAGES, "--method", "legacy", "--search", "../images"], "has no label"),
        (["--load-hist", "missing.npz"], "histograms missing.npz"),
        ([*IMAGES, "--resume", "--save-hist", "../net.prototxt"], "not a readable .npz"),
        ([*IMAGES, "-o", "missing/t.json"], "missing/t.json"),
    ],
)
def test_wrong_options(net, capsys, options: list[str], message: str) -> None:
    output = [] if "-o" in options else ["-o", "t.json"]
    assert main([*net, *output, *options]) == 2
    assert message in capsys.readouterr().err
    assert files() == []


def test_flags_that_preprocessed_data_leaves_no_room_for(net, capsys) -> None:
    np.save("../f.npy", np.zeros((2, 3, 6, 5), np.float32))
    assert main([*net, "--images", "../f.npy", "--normalize", "2", "--crop", "3", "-o", "t.json"]) == 2
    assert "preprocessed already: leave --normalize, --crop out" in capsys.readouterr().err


def test_numbers_of_methods(net) -> None:
    tables = []
    for numbers in (["--quantile", "0.9"], ["--quantile", "0.9", "--cutoff", "0.5"]):
        assert main([*net, *IMAGES, "--method", "legacy", *numbers, "-o", "t.json"]) == 0
        tables.append(scales())
    assert tables[1]["data"] == pytest.approx(tables[0]["data"] / 2)
    assert main([*net, *IMAGES, "--method", "percentile", "--percentile", "50", "-o", "t.json"]) == 0
    assert scales()["data"] < tables[0]["data"]


def test_the_search_of_legacy(net, capsys, monkeypatch) -> None:
    """Every try is scored by the int8 net; the table is the best one's."""
    from nvdla_sim.calib.methods import legacy

    def few(score):
        tries = [(0.9, 0.001), (0.999, 1.0), (0.9, 0.01)]
        return max(legacy.Choice(score(*at), *at) for at in tries)

    monkeypatch.setattr(legacy, "search", few)
    for number in range(COUNT):
        picture(Path("../labelled") / str(number % 4) / f"{number}.png", number)
    command = [*net, *IMAGES, "--method", "legacy", "--configtarget", "nv_small"]
    assert main([*command, "--search", "../labelled", "--search-count", "6", "-o", "t.json"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "top-1" in line]
    assert len(lines) == 4
    best = max(lines[:3], key=lambda line: float(line.split()[1]))
    assert lines[3] == f"best {best}"
    words = lines[3].replace(",", "").split()
    numbers = ["--quantile", words[words.index("quantile") + 1], "--cutoff", words[words.index("cutoff") + 1]]
    assert main([*net, *IMAGES, "--method", "legacy", *numbers, "-o", "u.json"]) == 0
    assert json.loads(Path("t.json").read_text()) == json.loads(Path("u.json").read_text())
