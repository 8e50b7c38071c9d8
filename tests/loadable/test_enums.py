"""The named numbers: one name each, and what real files have where a name says what it must be."""

from __future__ import annotations

from enum import IntEnum

import pytest

from nvdla_sim.loadable import enums
from nvdla_sim.loadable.enums import DataCategory, DataFormat, DataType, MemoryFlags, PixelFormat
from nvdla_sim.loadable.loadable import Loadable
from tests.shared import golden_set

ENUMS = [
    kind for kind in vars(enums).values() if isinstance(kind, type) and kind.__module__ == enums.__name__
]


@pytest.mark.parametrize("kind", ENUMS, ids=[kind.__name__ for kind in ENUMS])
def test_each_number_has_one_name(kind: type[IntEnum]) -> None:
    assert len(kind.__members__) == len({member.value for member in kind.__members__.values()})


def test_pixel_formats_have_no_gap() -> None:
    assert [pixel.value for pixel in PixelFormat] == list(range(38))


def test_an_image_network() -> None:
    """An nv_small loadable compiled for nhwc input: 4-byte pixels in, an atom-8 feature surface out."""
    loadable = Loadable.load(golden_set("loadables/conv_1ch/nv_small.int8-pk.nvdla"))
    image, feature = loadable.tensors
    assert (image.data_format, image.data_type) == (DataFormat.NHWC, DataType.INT8)
    assert (image.data_category, image.pixel_format) == (DataCategory.IMAGE, PixelFormat.A8B8G8R8)
    assert (feature.data_format, feature.data_type) == (DataFormat.NCXHWX, DataType.INT8)
    assert (feature.data_category, feature.pixel_format) == (DataCategory.FEATURE, PixelFormat.FEATURE_X8)
    assert loadable.memories[image.mem_id].flags == MemoryFlags.ALLOC | MemoryFlags.INPUT
    assert loadable.memories[feature.mem_id].flags == MemoryFlags.ALLOC | MemoryFlags.OUTPUT
