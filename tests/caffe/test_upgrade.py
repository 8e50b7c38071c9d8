"""The old syntax means the same as the new one."""

from __future__ import annotations

import pytest

from nvdla_sim.caffe.caffe_pb2 import LayerV1
from nvdla_sim.caffe.layers import BUILDERS
from nvdla_sim.caffe.upgrade import upgraded
from tests.caffe.nets import structure

OLD = """name: "old"
input: "data" input_dim: 1 input_dim: 3 input_dim: 16 input_dim: 16
layers { name: "conv" type: CONVOLUTION bottom: "data" top: "conv" blobs_lr: 1 weight_decay: 0
  param: "shared" blob_share_mode: STRICT convolution_param { num_output: 8 kernel_size: 3 stride: 2 } }
layers { name: "relu" type: RELU bottom: "conv" top: "conv" }
layers { name: "norm" type: LRN bottom: "conv" top: "norm" lrn_param { local_size: 3 alpha: 0.5 } }
layers { name: "pool" type: POOLING bottom: "norm" top: "pool" pooling_param { pool: AVE kernel_size: 2 } }
layers { name: "ip" type: INNER_PRODUCT bottom: "pool" top: "ip" inner_product_param { num_output: 5 } }
layers { name: "prob" type: SOFTMAX bottom: "ip" top: "prob" }
"""
NEW = """name: "old"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 16 dim: 16 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 8 kernel_size: 3 stride: 2 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "norm" type: "LRN" bottom: "conv" top: "norm" lrn_param { local_size: 3 alpha: 0.5 } }
layer { name: "pool" type: "Pooling" bottom: "norm" top: "pool" pooling_param { pool: AVE kernel_size: 2 } }
layer { name: "ip" type: "InnerProduct" bottom: "pool" top: "ip" inner_product_param { num_output: 5 } }
layer { name: "prob" type: "Softmax" bottom: "ip" top: "prob" }
"""


def test_both_syntaxes_give_the_same_graph(tmp_path):
    old, new = structure(tmp_path, OLD), structure(tmp_path, NEW)
    assert [(n.name, n.op, n.inputs, n.outputs) for n in old.nodes] == [
        (n.name, n.op, n.inputs, n.outputs) for n in new.nodes
    ]
    assert old.tensors == new.tensors
    assert [node.line for node in old.nodes] == [3, 5, 6, 7, 8, 9]


@pytest.mark.parametrize("word", LayerV1.Type.keys())
def test_the_types_have_their_new_names(word):
    new = upgraded(LayerV1(name="a", type=word)).type
    assert new.replace("SoftmaxWithLoss", "softmax_loss").lower().replace("_", "") == word.lower().replace(
        "_", ""
    )
    if word in ("CONVOLUTION", "INNER_PRODUCT", "RELU", "TANH", "ABSVAL", "LRN", "SOFTMAX_LOSS", "EXP"):
        assert new in BUILDERS
