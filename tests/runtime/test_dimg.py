"""The two forms of output.dimg, byte for byte."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nvdla_sim.loadable.enums import DataType, PixelFormat
from nvdla_sim.loadable.loadable import Tensor
from nvdla_sim.runtime import dimg
from nvdla_sim.runtime.dimg import binary_dump, text_dump


def tensor(pixel_format: int, data_type: int = DataType.INT8) -> Tensor:
    strides = (1, 64, 128, 0, 0, 0, 0, 0)
    return Tensor("out", 0, 0, 256, 0, 3, data_type, 2, pixel_format, 0, 1, 1, 2, 3, strides)


VALUES: Any = np.array([[[-128, 0, 7], [127, -1, 2]]], np.int8)


def test_text() -> None:
    assert text_dump(VALUES) == b"-128 0 7 127 -1 2 "
    assert text_dump(np.array([[[-32768, 32767, -1]]], np.int16)) == b"-32768 32767 -1 "


def test_text_of_more_values_than_are_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dimg, "_PIECE", 7)
    values = np.random.default_rng(0).integers(-128, 128, (3, 5, 7)).astype(np.int8)
    assert text_dump(values).decode() == "".join(f"{value} " for value in values.ravel())


@pytest.mark.parametrize(
    ("described", "values", "form"),
    [
        (tensor(PixelFormat.FEATURE), VALUES, 40),
        (tensor(PixelFormat.FEATURE_X8), VALUES, 41),
        (tensor(PixelFormat.FEATURE, DataType.INT16), VALUES.astype(np.int16), 42),
    ],
)
def test_binary(described: Tensor, values: Any, form: int) -> None:
    data = binary_dump(values, described)
    assert data[:4] == b"DIMG"
    assert np.frombuffer(data[4:36], "<u4").tolist() == [0, form, 3, 2, 1, 64, 128, 256]
    kind = np.dtype("i1" if values.dtype == np.int8 else "<i2")
    assert np.frombuffer(data[36:], kind).tolist() == [-128, 0, 7, 127, -1, 2]
