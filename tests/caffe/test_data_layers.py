"""Data layers: where the images are and what is done to them."""

from __future__ import annotations

import pytest

from nvdla_sim.caffe.data_layers import Transform, TransformOp, data_sources, image_shape
from nvdla_sim.caffe.prototxt import read_prototxt
from nvdla_sim.errors import ModelError
from tests.caffe.nets import INPUT, layer, write_prototxt


def source(tmp_path, kind, param):
    (found,) = data_sources(write_prototxt(tmp_path, layer(kind, param, "images", "", "data label")))
    return found


def test_caffe_data_layer(tmp_path):
    found = source(
        tmp_path,
        "Data",
        'data_param { source: "db" backend: LMDB batch_size: 10 } transform_param { mirror: true '
        "crop_size: 224 mean_value: 104 mean_value: 117 mean_value: 123 scale: 0.5 force_color: true }",
    )
    assert (found.layer, found.kind, found.input, found.line) == ("images", "Data", "data", 1)
    assert (found.source, found.backend, found.batch_size) == ("db", "LMDB", 10)
    assert found.transform == Transform(
        crop=(224, 224), mean_value=(104, 117, 123), scale=0.5, force_color=True
    )


def test_image_list(tmp_path):
    found = source(
        tmp_path,
        "ImageData",
        'image_data_param { source: "list.txt" root_folder: "images/" batch_size: 4 } '
        'transform_param { mean_file: "mean.binaryproto" }',
    )
    assert (found.source, found.root_folder, found.backend, found.batch_size) == (
        "list.txt",
        "images/",
        "",
        4,
    )
    assert found.transform == Transform(mean_file="mean.binaryproto")


def test_the_oldest_layers_have_the_transform_in_their_own_parameters(tmp_path):
    text = (
        'layers { name: "images" type: DATA top: "data" data_param { source: "db" scale: 0.25 '
        'mean_file: "mean" crop_size: 20 } }'
    )
    (found,) = data_sources(write_prototxt(tmp_path, text))
    assert found.transform == Transform(crop=(20, 20), mean_file="mean", scale=0.25)
    assert found.backend == "LEVELDB"


def test_ssd_resize(tmp_path):
    resize = (
        "height: 300 width: 200 resize_mode: FIT_SMALL_SIZE pad_mode: MIRRORED interp_mode: [LINEAR, AREA]"
    )
    found = source(tmp_path, "AnnotatedData", f"transform_param {{ resize_param {{ {resize} }} }}")
    assert found.transform == Transform(
        resize=(300, 200),
        resize_mode="FIT_SMALL_SIZE",
        pad_mode="MIRRORED",
        interpolation=("LINEAR", "AREA"),
    )


def test_transform_ops_stay_in_their_order(tmp_path):
    found = source(
        tmp_path,
        "Data",
        "transform_param { transform_op { op: RESIZE resize_h: 331 resize_w: 330 } "
        "transform_op { op: CROP crop_h: 320 crop_w: 310 } "
        "transform_op { op: STAND mean_value: 128 scale: 0.5 scale: 0.25 scale: 1 div: 2 bgr2rgb: true } "
        "transform_op { } }",
    )
    nothing = TransformOp("NONE", (0, 0), 0, (0, 0), 0.0, 0.0, (), "", (), 1.0, False)
    assert found.transform.ops == (
        TransformOp("RESIZE", (331, 330), 0, (0, 0), 0.0, 0.0, (), "", (), 1.0, False),
        TransformOp("CROP", (0, 0), 0, (320, 310), 0.0, 0.0, (), "", (), 1.0, False),
        TransformOp("STAND", (0, 0), 0, (0, 0), 0.0, 0.0, (128,), "", (0.5, 0.25, 1.0), 2.0, True),
        nothing,
    )


@pytest.mark.parametrize(
    ("param", "message"),
    [
        (
            "transform_op { op: NONE } scale: 2 mirror: true",
            "transform_op and the plain scale, mirror exclude each other",
        ),
        ('mean_value: 1 mean_file: "m"', "mean_value and mean_file exclude each other"),
    ],
)
def test_contradictions(tmp_path, param, message):
    with pytest.raises(ModelError, match=rf'net.prototxt: line 1, layer "images": {message}'):
        source(tmp_path, "Data", f"transform_param {{ {param} }}")


@pytest.mark.parametrize(
    ("kind", "param", "shape"),
    [
        ("Data", "", None),
        ("Data", "transform_param { crop_size: 20 }", (3, 20, 20)),
        ("Data", "transform_param { crop_h: 20 crop_w: 30 force_gray: true }", (1, 20, 30)),
        ("Data", "transform_param { resize_param { height: 40 width: 50 } }", (3, 40, 50)),
        (
            "Data",
            "transform_param { force_gray: true transform_op { op: CROP crop_h: 20 crop_w: 30 } }",
            (1, 20, 30),
        ),
        ("Data", "transform_param { resize_param { height: 40 width: 50 } crop_size: 20 }", (3, 20, 20)),
        (
            "Data",
            "transform_param { transform_op { op: RESIZE resize_h: 30 resize_w: 40 } "
            "transform_op { op: CROP crop_h: 20 crop_w: 25 } transform_op { op: STAND scale: 2 } }",
            (3, 20, 25),
        ),
        ("ImageData", "image_data_param { new_height: 5 new_width: 6 }", (3, 5, 6)),
        ("ImageData", "image_data_param { new_height: 5 new_width: 6 is_color: false }", (1, 5, 6)),
        (
            "ImageData",
            "image_data_param { new_height: 50 new_width: 60 } transform_param { crop_size: 7 }",
            (3, 7, 7),
        ),
        ("MemoryData", "memory_data_param { batch_size: 2 channels: 3 height: 4 width: 5 }", (3, 4, 5)),
        ("DummyData", "dummy_data_param { shape { dim: 9 dim: 3 dim: 4 } }", (3, 4)),
        ("DummyData", "dummy_data_param { num: 9 channels: 3 height: 4 width: 5 }", (3, 4, 5)),
        ("DummyData", "", None),
        ("HDF5Data", 'hdf5_data_param { source: "f" }', None),
    ],
)
def test_shape_of_the_images(tmp_path, kind, param, shape):
    net = read_prototxt(write_prototxt(tmp_path, layer(kind, param)))
    assert image_shape(net.layers[0].layer) == shape


def test_training_data_and_nets_without_data_layers(tmp_path):
    text = layer("Data", "include { phase: TRAIN }", "train", "", "data")
    assert data_sources(write_prototxt(tmp_path, text + INPUT)) == []
