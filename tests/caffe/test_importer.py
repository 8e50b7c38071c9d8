"""The whole import: names, ends, training nets, and every bad net with all its problems at once."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from nvdla_sim.caffe.alternatives import INSTEAD
from nvdla_sim.caffe.importer import MAX_BLOBS, MAX_PROBLEMS, load_caffe
from nvdla_sim.caffe.layers import BUILDERS
from nvdla_sim.errors import ModelError, UnsupportedError
from tests.caffe.nets import INPUT, layer, structure, write_caffemodel, write_prototxt
from tests.graph.cases import random_array

CONV = layer("Convolution", "convolution_param { num_output: 2 kernel_size: 3 }", "conv", top="conv")
WEIGHTS = {"conv": [random_array(1, 2, 4, 3, 3), random_array(2, 2)]}


def test_weights_lines_and_names(tmp_path):
    text = f'name: "net"{INPUT}{CONV}' + layer("ReLU", "", "relu", "conv", "conv")
    graph = load_caffe(write_prototxt(tmp_path, text), write_caffemodel(tmp_path, WEIGHTS))
    assert graph.name == "net"
    assert (graph.inputs, graph.outputs) == (("data",), ("relu",))
    conv, relu = graph.nodes
    assert (conv.line, relu.line) == (3, 4)
    assert (conv.outputs, relu.inputs, relu.outputs) == (("conv",), ("conv",), ("relu",))
    assert graph.tensors["relu"].blob == "conv"
    assert graph.tensors["relu"].shape == (2, 4, 6)
    np.testing.assert_array_equal(conv.params["weight"], WEIGHTS["conv"][0])
    np.testing.assert_array_equal(conv.params["bias"], WEIGHTS["conv"][1])


def test_in_place_layers_read_what_was_there(tmp_path):
    text = INPUT + (
        layer("Power", "power_param { scale: 2 }", "a", "data", "x")
        + layer("Power", "power_param { shift: 1 }", "b", "x", "x")
        + layer("Power", "power_param { scale: 3 }", "c", "x", "x")
        + layer("Eltwise", "", "d", "x data", "x")
    )
    graph = structure(tmp_path, text)
    assert [node.outputs for node in graph.nodes] == [("x",), ("b",), ("c",), ("d",)]
    x = random_array(1, 2, 4, 6, 8)
    np.testing.assert_allclose(graph.run({"data": x})["d"], (2 * x + 1) * 3 + x, rtol=1e-6)


@pytest.mark.parametrize(
    "head",
    [
        'input: "data" input_dim: 5 input_dim: 4 input_dim: 6 input_dim: 8',
        'input: "data" input_shape { dim: 5 dim: 4 dim: 6 dim: 8 }',
        layer("Input", "input_param { shape { dim: 5 dim: 4 dim: 6 dim: 8 } }", "in", "", "data"),
    ],
)
def test_ways_to_declare_an_input(tmp_path, head):
    graph = structure(tmp_path, head + "\n" + CONV)
    assert graph.inputs == ("data",)
    assert graph.tensors["data"].shape == (4, 6, 8)


def test_several_inputs_and_outputs(tmp_path):
    shape = "shape { dim: 1 dim: 4 }"
    text = (
        layer("Input", f"input_param {{ {shape} }}", "in", "", "a b c")
        + layer("ReLU", "", "first", "a", "first")
        + layer("Eltwise", "", "second", "a b", "second")
    )
    graph = structure(tmp_path, text)
    assert (graph.inputs, graph.outputs) == (("a", "b"), ("first", "second"))
    assert "c" not in graph.tensors  # nothing reads it


TRAINING = """name: "LeNet"
layer { name: "mnist" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  transform_param { scale: 0.5 } data_param { source: "train" batch_size: 64 backend: LMDB } }
layer { name: "mnist" type: "Data" top: "data" top: "label" include { phase: TEST }
  transform_param { scale: 0.5 crop_size: 6 force_gray: true } data_param { source: "test" batch_size: 10 } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" param { lr_mult: 1 } param { lr_mult: 2 }
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } bias_filler { type: "constant" } } }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy" include { phase: TEST }
  accuracy_param { top_k: 5 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" }
"""


def test_a_training_net_is_used_as_at_test_time(tmp_path):
    graph = structure(tmp_path, TRAINING)
    assert (graph.inputs, graph.outputs) == (("data",), ("loss",))
    assert [(node.name, node.op.kind, node.line) for node in graph.nodes] == [
        ("ip", "InnerProduct", 6),
        ("loss", "Softmax", 10),
    ]
    assert graph.tensors["data"].shape == (1, 6, 6)


def test_input_shapes_replace_what_the_prototxt_says(tmp_path):
    unknown_size = TRAINING.replace("crop_size: 6", "")
    path = write_prototxt(tmp_path, unknown_size)
    with pytest.raises(
        ModelError, match=r'line 4, layer "mnist" \(Data\): the size of "data" is not told: give crop_size'
    ):
        load_caffe(path, None)
    assert load_caffe(path, None, {"data": (1, 28, 28)}).tensors["data"].shape == (1, 28, 28)
    with pytest.raises(ModelError, match="input_shapes names image: the net has no such input"):
        load_caffe(path, None, {"data": (1, 28, 28), "image": (1, 2, 3)})


def test_a_reshape_may_repeat_the_batch_of_the_data_layer(tmp_path):
    data = layer("Data", "data_param { batch_size: 64 } transform_param { crop_size: 4 }", "d", "", "data")
    graph = structure(tmp_path, data + layer("Reshape", "reshape_param { shape { dim: 64 dim: -1 } }"))
    assert graph.tensors["it"].shape == (48,)


def test_a_parameter_message_of_another_layer_type_means_nothing(tmp_path):
    text = INPUT + layer("PReLU", "inner_product_param { transpose: true }", "p", top="p")
    weights = write_caffemodel(tmp_path, {"p": [random_array(1, 4)]})
    assert load_caffe(write_prototxt(tmp_path, text), weights).node("p").params["slope"].shape == (4,)


def test_labels_cannot_be_read(tmp_path):
    text = TRAINING + layer("ReLU", bottom="label")
    with pytest.raises(ModelError, match='bottom "label" holds labels'):
        structure(tmp_path, text)


def test_typos_are_refused_and_other_unknown_fields_are_told(tmp_path):
    typo = layer("Convolution", "convolution_param { num_output: 2 kernal_size: 3 }")
    with pytest.raises(
        ModelError, match=r'"kernal_size" \(line 3\) is not known, did you mean "kernel_size"\?'
    ):
        structure(tmp_path, INPUT + typo)
    with pytest.raises(ModelError, match=r'- field "nmae" \(line 1\) is not known, did you mean "name"\?'):
        structure(tmp_path, 'nmae: "x"' + INPUT + CONV)
    with pytest.raises(ModelError, match=r'"crop_sise" \(line 1\)'):
        structure(tmp_path, layer("Data", "transform_param { crop_sise: 3 }", bottom="", top="data") + CONV)
    with pytest.warns(UserWarning, match=r'field "with_float" \(line 3\) is not known; it is ignored'):
        graph = structure(tmp_path, INPUT + layer("ReLU", "with_float: 3"))
    assert graph.node("it").op.kind == "ReLU"


def test_every_problem_at_once(tmp_path):
    text = INPUT + (
        layer(
            "Convolution", "convolution_param { num_output: 2 kernel_size: 30 }", "big", "data", "big"
        )  # line 3
        + layer("ReLU", "", "after", "big", "after")  # follows from line 3: not told
        + layer("PriorBox", "prior_box_param { a: 1 }", "box", "data", "box")
        + layer("Relu", "", "word", "data", "word")
        + layer("ReLU", "", "lost", "dtaa", "lost")
        + layer("ReLU", "", "lost", "data", "again")
        + layer("ReLU", "", "twice", "data", "after")
        + layer("InnerProduct", "inner_product_param { num_output: 3 }", "ip", "data", "ip")
        + layer("Convolution", "convolution_param { num_output: 2 kernel_size: 3 }", "conv", "data", "conv")
        # behind layers that lack their weights
        + layer("InnerProduct", "inner_product_param { num_output: 5 }", "ip2", "ip", "ip2")
        + layer("Convolution", "convolution_param { num_output: 1 kernel_size: 9 }", "deep", "conv", "deep")
    )
    weights = {
        "ip_": [random_array(1, 3, 192)],
        "conv": [random_array(1, 2, 4, 3, 5), random_array(2, 3)],
        "ip2": [random_array(3, 5, 4), random_array(4, 5)],
    }
    prototxt, caffemodel = write_prototxt(tmp_path, text), write_caffemodel(tmp_path, weights)
    with pytest.raises(ModelError) as caught:
        load_caffe(prototxt, caffemodel)
    headline, *problems, supported = str(caught.value).split("\n")
    assert headline == f"prototxt {prototxt} with caffemodel {caffemodel} cannot be used:"
    assert problems == [
        '  - line 3, layer "big" (Convolution): its output would have the shape 2x-23x-21: '
        "every size must be at least 1",
        '  - line 5, layer "box" (PriorBox): this type of layer is not supported; '
        "instead: end the net with its bottoms, and do this step on the host",
        '  - line 6, layer "word" (Relu): this type of layer is not supported; did you mean "ReLU"?',
        '  - line 7, layer "lost" (ReLU): bottom "dtaa" is not made by an input or a layer before; '
        'did you mean "data"?',
        '  - line 8, layer "lost" (ReLU): the name is taken by the layer of line 7',
        '  - line 9, layer "twice" (ReLU): blob "after" is made twice',
        '  - line 10, layer "ip" (InnerProduct): the caffemodel has no blobs for it; did you mean "ip_"?',
        '  - line 11, layer "conv" (Convolution): weight in the caffemodel is 2x4x3x5, needed is 2x4x3x3; '
        "bias in the caffemodel is 3, needed is 2",
        '  - line 12, layer "ip2" (InnerProduct): weight in the caffemodel is 5x4, needed is 5x3',
        '  - line 13, layer "deep" (Convolution): its output would have the shape 1x-4x-2: '
        "every size must be at least 1",
    ]
    assert supported.startswith("  - supported types of layers: AbsVal, BNLL, BatchNorm, ")


def test_only_unsupported_layers_are_another_error(tmp_path):
    text = INPUT + layer("ArgMax", name="a", top="a") + layer("Silence", name="b", bottom="a", top="")
    with pytest.raises(UnsupportedError) as caught:
        structure(tmp_path, text)
    assert 'line 3, layer "a" (ArgMax)' in str(caught.value)
    assert 'line 4, layer "b" (Silence)' in str(caught.value)
    assert "instead: the net without it" in str(caught.value)
    assert not isinstance(caught.value, ModelError)


BAD_NETS = [
    ("", "it has no layer that computes anything"),
    (INPUT, "it has no layer that computes anything"),
    ('input: "data"' + CONV, "there are 1 input, 0 input_shape, 0 input_dim"),
    ('input: "data" input_dim: 1 input_dim: 3 input_dim: 4 ' + CONV, "1 input, 0 input_shape, 3 input_dim"),
    (
        'input: "a" input: "a" input_shape { dim: 1 dim: 2 } input_shape { dim: 1 dim: 2 }',
        'blob "a" is made twice',
    ),
    (
        'input: "a" input_shape { dim: 1 }',
        'input "a" needs a shape of a positive batch and at least one axis more',
    ),
    ('input: "a" input_shape { dim: 0 dim: 4 }', "positive batch"),
    (
        'input: "a" input_shape { dim: 1 dim: -4 }',
        'input "a" would have the shape -4: every size must be at least 1',
    ),
    ('input: "a" input_shape { dim: 1 dim: 99999 dim: 99999 }', "more than 268435456 elements"),
    (
        'input: "a" input: "b" input_shape { dim: 1 dim: 2 } input_shape { dim: 3 dim: 2 }',
        'input "b" has the batch 3, another input has 1',
    ),
    (INPUT + INPUT, "the name is taken by the layer of line 2"),
    (INPUT + layer("ReLU", name=""), "it has no name"),
    (INPUT + layer("ReLU", bottom=""), "it needs a bottom and a top"),
    (INPUT + layer("ReLU", top=""), "it needs a bottom and a top"),
    (INPUT + layer("ReLU", bottom="data data"), "ReLU has 2 bottoms, allowed: 1$"),
    (INPUT + layer("ReLU", top="a b"), "ReLU has 2 tops, but gives 1 outputs"),
    (INPUT + layer("Split", top="a a"), 'blob "a" is made twice'),
    (INPUT + layer("ReLU", name="a", top="a") + layer("ReLU", name="b", top="a"), 'blob "a" is made twice'),
    # a cycle: each reads what the other makes
    (
        INPUT + layer("Eltwise", "", "a", "data b", "a") + layer("ReLU", "", "b", "a", "b"),
        'line 3, layer "a" .*: bottom "b" is not made by an input or a layer before',
    ),
    (layer("Input", name="i", bottom="", top="a b"), "it has 2 tops, but 0 shapes in input_param"),
    (layer("Data", name="d", bottom="", top=""), "it has no top"),
    (
        INPUT + layer("Split", top=" ".join(f"t{i}" for i in range(MAX_BLOBS + 1))),
        f"1 bottoms and {MAX_BLOBS + 1} tops, allowed: up to {MAX_BLOBS} each",
    ),
    (
        INPUT + layer("Convolution", "convolution_param { num_output: 8000000 kernel_size: 3 }"),
        "weight would have the shape 8000000x4x3x3, more than 134217728 numbers",
    ),
]


def test_what_works_instead_is_not_a_type_that_we_have():
    assert not INSTEAD.keys() & BUILDERS.keys()


@pytest.mark.parametrize(("text", "message"), BAD_NETS)
def test_bad_nets(tmp_path, text, message):
    with pytest.raises(ModelError, match=message):
        structure(tmp_path, text)


def test_hopeless_nets_end_early(tmp_path):
    text = INPUT + "".join(
        layer("ReLU", name=f"r{i}", bottom=f"nothing{i}", top=f"t{i}") for i in range(9000)
    )
    with pytest.raises(
        ModelError, match=f"and so on: only the first {MAX_PROBLEMS} problems are told"
    ) as caught:
        structure(tmp_path, text)
    assert str(caught.value).count("\n") == MAX_PROBLEMS + 1


HUGE = [
    "convolution_param { num_output: 4000000000 kernel_size: 1 }",
    "convolution_param { num_output: 1 kernel_size: 2000000000 pad: 1000000000 }",
    "convolution_param { num_output: 1 kernel_size: 1 pad: 9000000000000000000 }",
    "convolution_param { num_output: 1 kernel_size: 2 dilation: 9000000000000000000 }",
]


@pytest.mark.parametrize("param", HUGE)
def test_huge_numbers_take_no_memory(tmp_path, param):
    """They are refused by their shape or by the caffemodel, before anything of that size exists."""
    prototxt = write_prototxt(tmp_path, INPUT + layer("Convolution", param, "conv", top="conv"))
    caffemodel = write_caffemodel(tmp_path, WEIGHTS)
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match='layer "conv"'):
            load_caffe(prototxt, caffemodel)
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()
