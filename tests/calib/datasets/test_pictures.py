"""Picture files, folders of them, class folders, lists."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nvdla_sim.calib.datasets.opening import open_dataset
from nvdla_sim.calib.datasets.pictures import MAX_PIXELS, decode, read_picture
from nvdla_sim.errors import ImageError
from tests.calib.datasets.files import picture


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.ppm", "A.PNG"])
def test_colour_is_blue_green_red(tmp_path: Path, name: str) -> None:
    expected = picture(tmp_path / name)
    result = read_picture(tmp_path / name)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("name", ["a.png", "a.pgm", "a.bmp"])
def test_grey_is_one_channel(tmp_path: Path, name: str) -> None:
    expected = picture(tmp_path / name, grey=True)
    np.testing.assert_array_equal(read_picture(tmp_path / name), expected)


def test_transparency_and_palettes_are_colours(tmp_path: Path) -> None:
    image = Image.fromarray(np.full((2, 2, 4), (10, 20, 30, 40), np.uint8))
    image.save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png")[:, 0, 0].tolist() == [30, 20, 10]
    image.convert("RGB").convert("P").save(tmp_path / "p.png")
    assert read_picture(tmp_path / "p.png").shape == (3, 2, 2)


def test_wider_pixels_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((2, 2), np.uint16)).save(tmp_path / "a.png")
    with pytest.raises(ImageError, match="wider than 8 bits"):
        read_picture(tmp_path / "a.png")


@pytest.mark.parametrize("content", [b"", b"no picture", b"P5 3 3 255\n12", b"GIF89a", b"\x89PNG\r\n\x1a\n"])
def test_damaged_pictures(content: bytes) -> None:
    with pytest.raises(ImageError, match="here: not a readable"):
        decode(content, "here")


def test_a_picture_that_would_be_too_big() -> None:
    with pytest.raises(ImageError, match=f"allowed: up to {MAX_PIXELS}"):
        decode(b"P5 9000 9000 255\n", "here")


def test_a_folder_in_the_order_of_names(tmp_path: Path) -> None:
    expected = [picture(tmp_path / name, seed) for seed, name in enumerate(["1.png", "2.PNG", "a.bmp"])]
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "more").mkdir()
    dataset = open_dataset(tmp_path)
    assert len(dataset) == 3
    assert not dataset.preprocessed
    for index, pixels in enumerate(expected):
        sample = dataset.read(index)
        np.testing.assert_array_equal(sample.pixels, pixels)
        assert sample.label is None
    assert dataset.read(2).name == str(tmp_path / "a.bmp")


@pytest.mark.parametrize(
    ("names", "labels"), [(("10", "2", "007"), [7, 10, 2]), (("dog", "cat", "10"), [0, 1, 2])]
)
def test_class_folders(tmp_path: Path, names: tuple[str, ...], labels: list[int]) -> None:
    """Numbers as they stand, else places in the sorted names; folders without pictures do not count."""
    for name in names:
        picture(tmp_path / name / "x.png")
        picture(tmp_path / name / "y.png")
    (tmp_path / "aaa").mkdir()
    dataset = open_dataset(tmp_path)
    assert [dataset.read(index).label for index in range(len(dataset))] == [n for n in labels for _ in "xy"]


def test_a_list_with_and_without_labels(tmp_path: Path) -> None:
    picture(tmp_path / "a b.png")
    picture(tmp_path / "c.png")
    (tmp_path / "list.txt").write_text(f"a b.png 7\n\n  c.png\t-1 \nc.png\n{tmp_path / 'c.png'} 3\n")
    dataset = open_dataset(tmp_path / "list.txt")
    assert [dataset.read(index).label for index in range(len(dataset))] == [7, -1, None, 3]


def test_the_root_of_a_list(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.png")
    (tmp_path / "list.txt").write_text("a.png 1\n")
    assert open_dataset(tmp_path / "list.txt", tmp_path / "images").read(0).label == 1
    with pytest.raises(ImageError, match=r"a\.png: No such file"):
        open_dataset(tmp_path / "list.txt").read(0)


def test_one_picture(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    assert len(open_dataset(tmp_path / "a.png")) == 1


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a\0b.png 1\n"])
def test_lists_that_are_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "list").write_bytes(content)
    with pytest.raises(ImageError, match="list"):
        open_dataset(tmp_path / "list")


def test_no_images(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "folder", tmp_path / "empty.txt"):
        with pytest.raises(ImageError, match=r"there are none\. Known are"):
            open_dataset(path)
    with pytest.raises(ImageError, match="No such file"):
        open_dataset(tmp_path / "missing")
