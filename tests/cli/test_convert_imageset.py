"""nvdla-convert-imageset with Caffe's ways to write flags."""

from __future__ import annotations

from pathlib import Path

import pytest

from nvdla_sim.calib.datasets.opening import open_dataset
from nvdla_sim.cli.convert_imageset import main
from tests.calib.datasets.files import picture


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        picture(tmp_path / "images" / f"{number}.png", number)
    (tmp_path / "list.txt").write_text("".join(f"{n}.png {n}\n" for n in range(3)))
    (tmp_path / "unlabelled.txt").write_text("0.png 4\n1.png\n")
    monkeypatch.chdir(tmp_path)


PLACES = ["images/", "list.txt", "db"]


@pytest.mark.parametrize(
    ("flags", "shape"),
    [
        ([], (3, 6, 5)),
        (["-gray"], (1, 6, 5)),
        (["--gray=true", "-resize_height=8", "--resize_width=4"], (1, 8, 4)),
        (["-gray", "-nogray"], (3, 6, 5)),
        (["-gray=false", "-resize_height", "8", "-resize_width", "4"], (3, 8, 4)),
        (["-backend", "lmdb", "-check_size", "-shuffle=0", "-encoded", "-encode_type=png"], (3, 6, 5)),
        (["-encoded=1", "--encode_type", "jpg"], (3, 6, 5)),
    ],
)
def test_flags(folder, capsys, flags: list[str], shape: tuple[int, int, int]) -> None:
    assert main([*flags, *PLACES]) == 0
    assert capsys.readouterr().out == "wrote db: 3 images\n"
    dataset = open_dataset("db")
    assert [dataset.read(index).label for index in range(3)] == [0, 1, 2]
    assert dataset.read(1).name == "00000001_1.png"
    assert dataset.read(1).pixels.shape == shape


def test_skipped_pictures_are_named(folder, capsys) -> None:
    Path("images/1.png").write_bytes(b"")
    assert main(PLACES) == 0
    assert "skipped: picture images/1.png" in capsys.readouterr().err
    assert len(open_dataset("db")) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*PLACES, "-backend", "leveldb"], "use lmdb"),
        ([*PLACES, "-backend", "sql"], "lmdb, leveldb"),
        ([*PLACES, "-encode_type", "gif"], 'encode_type "gif"'),
        ([*PLACES, "-resize_height", "-3"], "-resize_height"),
        (["images", "unlabelled.txt", "db"], "1 of 2 lines have no label, the first is images/1.png"),
        (["images", "missing", "db"], "missing"),
        (["images", "list.txt", "images"], "images exists"),
        (["nowhere", "list.txt", "db", "--skip-limit", "0"], "allowed to be skipped: 0"),
    ],
)
def test_what_is_wrong_is_told(folder, capsys, arguments: list[str], message: str) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
    assert not Path("db").exists()
