"""Preprocessing: each rule by hand, both sources of it, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nvdla_sim.caffe.caffe_pb2 import Blob, Shape
from nvdla_sim.caffe.data_layers import Transform, data_sources
from nvdla_sim.calib.preprocess import Preprocess, quantize_input
from nvdla_sim.errors import ImageError, ModelError, OptionError, UnsupportedError
from tests.shared import golden_paths

PIXELS = np.arange(3 * 4 * 6, dtype=np.uint8).reshape(3, 4, 6)
SHAPE = (3, 4, 6)


def transform(folder: Path, param: str) -> Transform:
    path = folder / "data.prototxt"
    path.write_text(
        f'layer {{ name: "data" type: "Data" top: "data" transform_param {{ {param} }} }}'
        'layer { name: "relu" type: "ReLU" bottom: "data" top: "relu" }'
    )
    (source,) = data_sources(path)
    return source.transform


def test_nothing_is_the_pixel_itself() -> None:
    result = Preprocess().apply(PIXELS, SHAPE)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, PIXELS)
    assert Preprocess().formula == "x = pixel (BGR)"


def test_mean_then_normalize() -> None:
    steps = Preprocess.of(mean=(10, 20.5, 30), normalize=4)
    expected = (PIXELS - np.array([10, 20.5, 30])[:, None, None]) / 4
    np.testing.assert_array_equal(steps.apply(PIXELS, SHAPE), expected)
    assert steps.formula == "x = (pixel - (10, 20.5, 30)) / 4 (BGR)"


def test_the_mean_is_in_the_nets_order() -> None:
    steps = Preprocess.of(mean=(1, 2, 3), order="rgb")
    np.testing.assert_array_equal(
        steps.apply(PIXELS, SHAPE), PIXELS[::-1] - np.array([1.0, 2, 3])[:, None, None]
    )
    assert steps.formula == "x = (pixel - (1, 2, 3)) (RGB)"


def test_resize_and_crop_come_before() -> None:
    steps = Preprocess.of(mean=(2,), resize=(8, 12), crop=(3, 5))
    grown = Preprocess.of(resize=(8, 12)).apply(PIXELS, (3, 8, 12))
    np.testing.assert_array_equal(steps.apply(PIXELS, (3, 3, 5)), grown[:, 2:5, 3:8] - 2)
    assert steps.formula == "resize to 8x12 -> centre crop 3x5 -> x = (pixel - 2) (BGR)"


def test_the_shorter_side() -> None:
    assert Preprocess.of(resize_side=8).apply(PIXELS, (3, 8, 12)).shape == (3, 8, 12)
    assert Preprocess.of(resize_side=8).apply(PIXELS.transpose(0, 2, 1), (3, 12, 8)).shape == (3, 12, 8)


def test_a_mean_image_is_subtracted_before_the_crop() -> None:
    mean = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    steps = Preprocess.of(mean=mean, crop=(2, 2))
    np.testing.assert_array_equal(steps.apply(PIXELS, (3, 2, 2)), (PIXELS - mean)[:, 1:3, 2:4])
    assert steps.formula == f"x = (pixel - mean image of average {mean.mean():.6g}) (BGR) -> centre crop 2x2"
    with pytest.raises(OptionError, match="the mean image is 3x4x6, the picture there is 3x5x6"):
        steps.apply(np.zeros((3, 5, 6), np.uint8), (3, 2, 2))


def test_grey_and_colour_follow_the_net() -> None:
    grey = np.array([[[7, 200]]], np.uint8)
    np.testing.assert_array_equal(Preprocess().apply(grey, (3, 1, 2)), np.repeat(grey, 3, axis=0))
    colour = np.array([[[255, 0, 0, 9]], [[0, 255, 0, 9]], [[0, 0, 255, 9]]], np.uint8)  # blue, green, red
    assert Preprocess().apply(colour, (1, 1, 4)).tolist() == [[[29, 150, 76, 9]]]
    assert Preprocess().apply(colour.astype(np.float32), (1, 1, 4))[0, 0, 3] == pytest.approx(9)


def test_plain_fields(tmp_path: Path) -> None:
    said = transform(tmp_path, "crop_size: 2 mean_value: [1, 2, 3] scale: 0.5 mirror: true")
    steps = Preprocess.of_transform(said)
    expected = (PIXELS[:, 1:3, 2:4] - np.array([1.0, 2, 3])[:, None, None]) * 0.5
    np.testing.assert_array_equal(steps.apply(PIXELS, (3, 2, 2)), expected)
    assert steps.formula == "centre crop 2x2 -> x = (pixel - (1, 2, 3)) * 0.5 (BGR)"


@pytest.mark.parametrize(
    ("resize", "shape"),
    [
        ("", (3, 6, 6)),
        ("resize_mode: FIT_SMALL_SIZE", (3, 6, 9)),
        ("resize_mode: FIT_LARGE_SIZE_AND_PAD", (3, 6, 6)),
    ],
)
def test_resize_policies(tmp_path: Path, resize: str, shape: tuple[int, int, int]) -> None:
    said = transform(tmp_path, f"resize_param {{ height: 6 width: 6 {resize} pad_value: [1, 2, 3] }}")
    result = Preprocess.of_transform(said).apply(PIXELS, shape)
    if "PAD" in resize:
        np.testing.assert_array_equal(result[:, 0], np.repeat([[1], [2], [3]], 6, axis=1))
        np.testing.assert_array_equal(result[:, 1:5], Preprocess.of(resize=(4, 6)).apply(PIXELS, SHAPE))
    else:
        np.testing.assert_array_equal(result, Preprocess.of(resize=shape[1:]).apply(PIXELS, shape))


def test_transform_ops_in_their_order(tmp_path: Path) -> None:
    said = transform(
        tmp_path,
        "transform_op { op: STAND mean_value: [1, 2, 3] scale: [0.5, 1, 2] div: 4 bgr2rgb: true }"
        "transform_op { op: NONE } transform_op { op: RESIZE resize_side: 8 }"
        "transform_op { op: CROP crop_fraction: 0.5 } transform_op { op: CROP crop_h: 3 crop_w: 2 }",
    )
    steps = Preprocess.of_transform(said)
    stood = (PIXELS[::-1] - np.array([1.0, 2, 3])[:, None, None]) * np.array([0.5, 1, 2])[:, None, None] / 4
    grown = Preprocess.of(resize=(8, 12)).apply(stood.astype(np.float32), (3, 8, 12))
    half = grown[:, 2:6, 3:9]
    np.testing.assert_array_equal(steps.apply(PIXELS, (3, 3, 2)), half[:, 0:3, 2:4])
    assert steps.formula == (
        "x = (pixel - (1, 2, 3)) * (0.5, 1, 2) / 4 (RGB) -> resize the shorter side to 8 -> "
        "centre crop of 0.5 of each side -> centre crop 3x2"
    )


def test_both_kinds_of_transform_at_once(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="transform_op and the plain scale exclude each other"):
        transform(tmp_path, "scale: 2 transform_op { op: STAND }")


@pytest.mark.parametrize("legacy", [False, True])
def test_a_binaryproto_is_a_mean(tmp_path: Path, legacy: bool) -> None:
    mean = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    sizes = (
        {"num": 1, "channels": 3, "height": 4, "width": 6} if legacy else {"shape": Shape(dim=(1, *SHAPE))}
    )
    path = tmp_path / "mean.binaryproto"
    path.write_bytes(Blob(data=[mean.tobytes()], **sizes).SerializeToString())
    steps = Preprocess.of_transform(transform(tmp_path, f'mean_file: "{path}" crop_size: 2'))
    np.testing.assert_array_equal(steps.apply(PIXELS, (3, 2, 2)), (PIXELS - mean)[:, 1:3, 2:4])
    npy = tmp_path / "mean.npy"
    np.save(npy, mean)
    steps = Preprocess.of_transform(transform(tmp_path, f'mean_file: "{npy}"'))
    np.testing.assert_array_equal(steps.apply(PIXELS, SHAPE), PIXELS - mean)


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xff", Blob(data=[b"1234"], shape=Shape(dim=(1, 2))).SerializeToString()]
)
@pytest.mark.parametrize("name", ["mean.npy", "mean.binaryproto"])
def test_damaged_mean_images(tmp_path: Path, content: bytes, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ImageError, match=f"mean image .*{name}"):
        Preprocess.of_transform(transform(tmp_path, f'mean_file: "{path}"'))


@pytest.mark.parametrize(
    ("param", "message"),
    [
        ("resize_param { height: 5 width: 5 interp_mode: AREA }", "interp_mode AREA"),
        (
            "resize_param { height: 5 width: 5 resize_mode: FIT_LARGE_SIZE_AND_PAD pad_mode: MIRRORED }",
            "pad_mode MIRRORED",
        ),
        ("transform_op { op: CROP padding: 2 crop_h: 3 crop_w: 3 }", "padding"),
    ],
)
def test_what_is_not_supported_is_told(tmp_path: Path, param: str, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        Preprocess.of_transform(transform(tmp_path, param))


@pytest.mark.parametrize(
    ("param", "message"),
    [
        ("transform_op { op: RESIZE resize_h: 3 }", "RESIZE needs a height and a width"),
        ("transform_op { op: STAND div: 0 }", "must not be 0"),
        ("transform_op { op: CROP crop_fraction: 1.5 }", "crop_fraction 1.5"),
        ("scale: nan", "finite"),
        ("mean_value: [1, 2]", "2 mean numbers for 3 channels"),
        ("crop_size: 5", "the crop 5x5 is larger than the picture 4x6"),
        ("resize_param { height: 3 width: 3000000 }", "resized to 3x3000000"),
        ("resize_param { height: 5 width: 5 }", "gives 3x5x5, the net's input is 3x4x6"),
    ],
)
def test_wrong_numbers_in_a_prototxt(tmp_path: Path, param: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Preprocess.of_transform(transform(tmp_path, param)).apply(PIXELS, SHAPE, "cat.jpg")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"normalize": 0}, "normalize 0"),
        ({"normalize": float("nan")}, "normalize nan"),
        ({"mean": (float("inf"),)}, "finite"),
        ({"resize": (0, 4)}, "resize 0x4"),
        ({"crop": (3, -1)}, "crop 3x-1"),
        ({"resize_side": 0}, "resize_side 0"),
        ({"resize": (3, 3), "resize_side": 3}, "exclude each other"),
        ({"order": "BRG"}, "allowed: BGR, RGB"),
    ],
)
def test_wrong_numbers_in_a_call(values: dict, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Preprocess.of(**values)


def test_the_picture_is_named() -> None:
    with pytest.raises(OptionError, match=r"^cat\.jpg: preprocessing gives 3x4x6"):
        Preprocess().apply(PIXELS, (3, 5, 5), "cat.jpg")
    with pytest.raises(OptionError, match=r"^cat\.jpg: channel order RGB needs 3 channels"):
        Preprocess.of(order="RGB").apply(PIXELS[:1], (1, 4, 6), "cat.jpg")


def test_quantising_rounds_halves_up_and_saturates() -> None:
    values = np.array([0, 0.25, -0.25, 0.75, 63.4, 1000, -64, -1000], np.float32)
    assert quantize_input(values, 0.5).tolist() == [0, 1, 0, 2, 127, 127, -128, -128]
    assert quantize_input(values, 0.5).dtype == np.int8
    # just below the half: the sum with 1/2 would be rounded up to the next whole number
    assert quantize_input(np.array([np.nextafter(0.5, 0, dtype=np.float32)]), 1.0).tolist() == [0]


FLOAT_REFERENCES = golden_paths("loadables/*/float_ref.npz")


@pytest.mark.skipif(not FLOAT_REFERENCES, reason="the golden loadables are not on this machine")
def test_the_golden_inputs_are_quantised_so() -> None:
    """They were rounded half to even in single precision: next to a half they may differ."""
    from nvdla_sim.calib.table import Table

    compared = 0
    for path in FLOAT_REFERENCES:
        quantized = path.parent / "fref0.i8.npy"
        if quantized.exists():
            with np.load(path) as reference:
                values = reference["input"][0]
            scale = next(iter(Table.load(path.parent / "calib.json").scales.values()))
            half = np.abs(np.mod(values.astype(np.float64) / scale, 1) - 0.5) < 1e-5
            own, golden = quantize_input(values, scale), np.load(quantized)
            np.testing.assert_array_equal(own[~half], golden[~half], err_msg=path.parent.name)
            assert half.mean() < 0.02
            compared += 1
    assert compared > 50
