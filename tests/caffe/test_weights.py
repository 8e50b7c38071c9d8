"""Caffemodels: new and legacy blobs, doubles, statistics, transposed weights, damage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvdla_sim.caffe.caffe_pb2 import Blob, Shape, TrainedLayer, TrainedLayerV1, TrainedNet
from nvdla_sim.caffe.weights import StoredBlob, layer_params, read_caffemodel
from nvdla_sim.errors import ModelError
from nvdla_sim.graph.ops.batch_norm import BatchNorm
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.inner_product import InnerProduct
from nvdla_sim.graph.ops.prelu import PReLU
from tests.graph.cases import random_array

VALUES = np.arange(6, dtype=np.float32) / 7


def read(tmp_path, net):
    path = tmp_path / "net.caffemodel"
    path.write_bytes(net if isinstance(net, bytes) else net.SerializeToString())
    return read_caffemodel(path)


def stored(*shape, seed=0):
    return StoredBlob(random_array(seed, *shape).ravel(), shape)


@pytest.mark.parametrize(
    ("blob", "shape"),
    [
        (Blob(shape=Shape(dim=[2, 3]), data=[VALUES.tobytes()]), (2, 3)),
        (Blob(shape=Shape(dim=[2, 3]), double_data=[VALUES.astype("<f8").tobytes()]), (2, 3)),
        (Blob(num=1, channels=1, height=2, width=3, data=[VALUES.tobytes()]), (1, 1, 2, 3)),
        (Blob(shape=Shape(dim=[6]), data=[VALUES[:2].tobytes(), VALUES[2:].tobytes()]), (6,)),
    ],
    ids=["new", "double", "legacy", "in pieces"],
)
def test_blobs(tmp_path, blob, shape):
    for net in (
        TrainedNet(layer=[TrainedLayer(name="a", blobs=[blob]), TrainedLayer(name="b")]),
        TrainedNet(layers=[TrainedLayerV1(name="a", blobs=[blob])]),
    ):
        weights = read(tmp_path, net)
        assert list(weights) == ["a"]
        assert weights["a"][0].shape == shape
        np.testing.assert_array_equal(weights["a"][0].values, VALUES)


def test_packed_floats_are_what_caffe_writes(tmp_path):
    # field 100 (layer), length 16: name "a"; field 7 (blobs), length 11: shape 1, then field 5 with one float
    record = (
        bytes([10, 1]) + b"a" + bytes([0x3A, 11, 0x3A, 3, 0x0A, 1, 1, 0x2A, 4]) + np.float32(2.5).tobytes()
    )
    weights = read(tmp_path, bytes([0xA2, 6, len(record)]) + record)
    assert weights["a"][0].shape == (1,)
    assert weights["a"][0].values.tolist() == [2.5]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"not a model", "not a caffemodel, or cut short"),
        (b"", "holds no layers"),
        (TrainedNet(name="empty").SerializeToString(), "holds no layers"),
        (
            TrainedNet(
                layer=[TrainedLayer(name="a", blobs=[Blob(shape=Shape(dim=[7]), data=[VALUES.tobytes()])])]
            ),
            r'layer "a", blob 0: 6 numbers do not fill the shape \(7,\)',
        ),
        (
            TrainedNet(
                layer=[
                    TrainedLayer(name="a", blobs=[Blob(shape=Shape(dim=[-2, -3]), data=[VALUES.tobytes()])])
                ]
            ),
            "do not fill",
        ),
        (
            TrainedNet(layer=[TrainedLayer(name="a", blobs=[Blob(shape=Shape(dim=[1 << 40, 1 << 40]))])]),
            "0 numbers do not fill",
        ),
        (
            TrainedNet(layer=[TrainedLayer(name="a", blobs=[Blob(shape=Shape(dim=[2]), data=[b"12345"])])]),
            "5 bytes are not whole numbers",
        ),
    ],
    ids=["text", "empty", "no layers", "too few", "negative", "huge", "torn"],
)
def test_damage(tmp_path, data, message):
    with pytest.raises(ModelError, match=rf"caffemodel .*net\.caffemodel: .*{message}"):
        read(tmp_path, data)


def test_a_name_that_is_no_text(tmp_path):
    good = TrainedNet(layer=[TrainedLayer(name="abc")]).SerializeToString()
    with pytest.raises(ModelError, match=r"no text|cut short"):
        read(tmp_path, good.replace(b"abc", b"\xff\xfe\xfd"))


def test_a_gigantic_file_is_not_read(tmp_path):
    path = tmp_path / "net.caffemodel"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # sparse
    with pytest.raises(ModelError, match=r"1099511627776 bytes, allowed: up to 2147483647"):
        read_caffemodel(path)


def test_missing_file(tmp_path):
    with pytest.raises(ModelError, match=r"caffemodel .*absent: No such file"):
        read_caffemodel(tmp_path / "absent")


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_damage_gives_weights_or_an_error(tmp_path_factory, data):
    blobs = [Blob(shape=Shape(dim=[2, 3]), data=[VALUES.tobytes()])]
    good = bytearray(
        TrainedNet(name="n", layer=[TrainedLayer(name="a", type="Scale", blobs=blobs)]).SerializeToString()
    )
    for _ in range(data.draw(st.integers(1, 3))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damage") / "net.caffemodel"
    path.write_bytes(bytes(good[: data.draw(st.integers(0, len(good)))]))
    try:
        weights = read_caffemodel(path)
    except ModelError:
        return
    assert all(blob.values.size == np.prod(blob.shape) for stored in weights.values() for blob in stored)


def test_shapes_may_differ_in_axes_of_one():
    op = InnerProduct(5)
    params = layer_params(op, [stored(1, 1, 5, 12), stored(1, 1, 1, 5)], [(12,)], transposed=False)
    assert {name: value.shape for name, value in params.items()} == {"weight": (5, 12), "bias": (5,)}
    shared = layer_params(PReLU(True), [stored(1)], [(4, 2, 2)], transposed=False)
    assert shared["slope"].shape == ()


def test_transposed_inner_product():
    weight = stored(12, 5)
    params = layer_params(InnerProduct(5, bias=False), [weight], [(12,)], transposed=True)
    np.testing.assert_array_equal(params["weight"], weight.values.reshape(12, 5).T)


def test_every_misfit_is_told():
    op = Convolution(8, (3, 3))
    with pytest.raises(
        ModelError, match=r"weight .* is 8x4x3x5, needed is 8x4x3x3; bias .* is 7, needed is 8"
    ):
        layer_params(op, [stored(8, 4, 3, 5), stored(7)], [(4, 9, 9)], transposed=False)
    with pytest.raises(ModelError, match="has 1 blobs in the caffemodel, needed are 2: weight, bias"):
        layer_params(op, [stored(8, 4, 3, 3)], [(4, 9, 9)], transposed=False)
    # the same number of elements in another order of axes
    with pytest.raises(ModelError, match="is 4x8x3x3, needed is 8x4x3x3"):
        layer_params(op, [stored(4, 8, 3, 3), stored(8)], [(4, 9, 9)], transposed=False)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(value):
    weight, bias = random_array(1, 8, 4, 3, 3), random_array(2, 8)
    bias[3] = value
    blobs = [StoredBlob(array.reshape(-1), array.shape) for array in (weight, bias)]
    with pytest.raises(ModelError, match=r"^bias in the caffemodel holds numbers that are not finite$"):
        layer_params(Convolution(8, (3, 3)), blobs, [(4, 6, 6)], transposed=False)


def test_batch_norm_statistics_are_divided_by_the_factor():
    mean, variance = stored(3, seed=1), StoredBlob(np.array([1, 2, 3], np.float32), (3,))
    blobs = [mean, variance, StoredBlob(np.array([4], np.float32), (1,))]
    params = layer_params(BatchNorm(), blobs, [(3, 2, 2)], transposed=False)
    np.testing.assert_allclose(params["mean"], mean.values / 4)
    np.testing.assert_allclose(params["variance"], [0.25, 0.5, 0.75])
    blobs[2] = StoredBlob(np.zeros(1, np.float32), (1,))  # as Caffe: nothing was ever gathered
    params = layer_params(BatchNorm(), blobs, [(3, 2, 2)], transposed=False)
    assert not params["mean"].any()
    assert not params["variance"].any()


def test_negative_variance_is_refused():
    blobs = [
        stored(3),
        StoredBlob(np.array([1, -2, 3], np.float32), (3,)),
        StoredBlob(np.ones(1, np.float32), (1,)),
    ]
    with pytest.raises(ModelError, match=r"variance of channel 1 is -2\.0"):
        layer_params(BatchNorm(), blobs, [(3, 2, 2)], transposed=False)
