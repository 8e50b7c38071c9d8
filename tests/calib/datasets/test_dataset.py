"""Skipping bad images, and checking labels."""

from __future__ import annotations

import numpy as np
import pytest

from nvdla_sim.calib.datasets.dataset import Dataset, Sample, Skipped, check_labels, read_all
from nvdla_sim.errors import ImageError


class Numbers(Dataset):
    """Ten images, those in ``bad`` unreadable."""

    source = "numbers"

    def __init__(self, *bad: int) -> None:
        self.bad = bad

    def __len__(self) -> int:
        return 10

    def read(self, index: int) -> Sample:
        if index in self.bad:
            raise ImageError(f"image {index} is bad")
        return Sample(str(index), np.zeros((1, 1, 1), np.uint8), index - 1)


def test_bad_images_are_skipped_by_name() -> None:
    skipped = Skipped(2)
    read = [index for index, _ in read_all(Numbers(3, 7), range(10), skipped)]
    assert read == [0, 1, 2, 4, 5, 6, 8, 9]
    assert skipped.problems == {3: "image 3 is bad", 7: "image 7 is bad"}


def test_more_than_the_limit_is_an_error_with_all_names() -> None:
    with pytest.raises(ImageError) as error:
        list(read_all(Numbers(1, 3, 7), range(10), Skipped(2)))
    message = str(error.value)
    assert "3 images cannot be read, allowed to be skipped: 2" in message
    for index in (1, 3, 7):
        assert f"image {index} is bad" in message


def test_an_image_that_is_met_twice_counts_once() -> None:
    skipped = Skipped(1)
    for _ in range(2):
        list(read_all(Numbers(4), range(10), skipped))
    assert len(skipped.problems) == 1


def test_labels_must_be_classes_of_the_net() -> None:
    dataset = Numbers()
    assert check_labels(dataset, dataset.read(5), 5) == 4
    for index, message in ((0, "the label -1"), (6, "the label 5, the net has 5 classes: allowed 0 to 4")):
        with pytest.raises(ImageError, match=message):
            check_labels(dataset, dataset.read(index), 5)
    with pytest.raises(ImageError, match="x has no label"):
        check_labels(dataset, Sample("x", np.zeros((1, 1, 1), np.uint8), None), 5)
