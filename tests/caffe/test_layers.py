"""Each layer type: which operator its parameters mean, and which parameters are refused."""

from __future__ import annotations

import pytest

from nvdla_sim.errors import ModelError, UnsupportedError
from nvdla_sim.graph.ops.absval import AbsVal
from nvdla_sim.graph.ops.batch_norm import BatchNorm
from nvdla_sim.graph.ops.bias import Bias
from nvdla_sim.graph.ops.bnll import BNLL
from nvdla_sim.graph.ops.clip import Clip
from nvdla_sim.graph.ops.concat import Concat
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.crop import Crop
from nvdla_sim.graph.ops.deconvolution import Deconvolution
from nvdla_sim.graph.ops.dropout import Dropout
from nvdla_sim.graph.ops.eltwise import Eltwise
from nvdla_sim.graph.ops.elu import ELU
from nvdla_sim.graph.ops.exp import Exp
from nvdla_sim.graph.ops.flatten import Flatten
from nvdla_sim.graph.ops.inner_product import InnerProduct
from nvdla_sim.graph.ops.interp import Interp
from nvdla_sim.graph.ops.log import Log
from nvdla_sim.graph.ops.lrn import LRN
from nvdla_sim.graph.ops.permute import Permute
from nvdla_sim.graph.ops.pooling import Pooling
from nvdla_sim.graph.ops.power import Power
from nvdla_sim.graph.ops.prelu import PReLU
from nvdla_sim.graph.ops.relu import ReLU
from nvdla_sim.graph.ops.relu6 import ReLU6
from nvdla_sim.graph.ops.reshape import Reshape
from nvdla_sim.graph.ops.scale import Scale
from nvdla_sim.graph.ops.shuffle_channel import ShuffleChannel
from nvdla_sim.graph.ops.sigmoid import Sigmoid
from nvdla_sim.graph.ops.slice import Slice
from nvdla_sim.graph.ops.softmax import Softmax
from nvdla_sim.graph.ops.split import Split
from nvdla_sim.graph.ops.swish import Swish
from nvdla_sim.graph.ops.tanh import TanH
from nvdla_sim.graph.ops.threshold import Threshold
from nvdla_sim.graph.ops.upsample import Upsample
from tests.caffe.nets import INPUT, layer, structure

# The bottom is 4x6x8. Layer type, its parameters, the operator, and the tops if more than one.
MEANINGS = [
    ("AbsVal", "", AbsVal()),
    ("BatchNorm", "batch_norm_param { eps: 0.5 }", BatchNorm(0.5)),
    ("BatchNorm", "batch_norm_param { use_global_stats: true eps: 0.25 }", BatchNorm(0.25)),
    ("Bias", "", Bias()),
    ("Bias", "bias_param { axis: 2 num_axes: -1 }", Bias(2, 2)),
    ("Clip", "clip_param { min: -1 max: 2 }", Clip(-1, 2)),
    ("Concat", "", Concat()),
    ("Concat", "concat_param { axis: -1 }", Concat(3)),
    ("Concat", "concat_param { concat_dim: 2 }", Concat(2)),
    ("Convolution", "convolution_param { num_output: 2 kernel_size: 3 }", Convolution(2, (3, 3))),
    (
        "Convolution",
        "convolution_param { num_output: 2 kernel_size: 3 kernel_size: 1 stride: 2 stride: 1 pad: 1 pad: 0 "
        "dilation: 2 dilation: 1 group: 2 bias_term: false }",
        Convolution(2, (3, 1), (2, 1), (1, 0), (2, 1), 2, False),
    ),
    (
        "Convolution",
        "convolution_param { num_output: 2 kernel_h: 3 kernel_w: 1 stride_h: 2 pad_w: 1 engine: CUDNN }",
        Convolution(2, (3, 1), (2, 1), (0, 1)),
    ),
    (
        "ConvolutionDepthwise",
        "convolution_param { num_output: 8 kernel_size: 3 }",
        Convolution(8, (3, 3), group=4),
    ),
    (
        "ConvolutionDepthWise",
        "convolution_param { num_output: 4 kernel_size: 3 }",
        Convolution(4, (3, 3), group=4),
    ),
    (
        "DepthwiseConvolution",
        "convolution_param { num_output: 4 kernel_size: 3 group: 4 }",
        Convolution(4, (3, 3), group=4),
    ),
    ("Crop", "crop_param { axis: 2 offset: 0 }", Crop(2, (0, 0))),
    ("Crop", "", Crop(2, (0, 0))),
    (
        "Deconvolution",
        "convolution_param { num_output: 4 kernel_size: 4 stride: 2 pad: 1 group: 4 bias_term: false }",
        Deconvolution(4, (4, 4), (2, 2), (1, 1), group=4, bias=False),
    ),
    ("Dropout", "dropout_param { dropout_ratio: 0.5 }", Dropout()),
    ("BNLL", "", BNLL()),
    ("Swish", "", Swish()),
    ("Swish", "swish_param { beta: 1.5 }", Swish(1.5)),
    ("Threshold", "threshold_param { threshold: 0.5 }", Threshold(0.5)),
    ("ELU", "", ELU()),
    ("ELU", "elu_param { alpha: 0.5 }", ELU(0.5)),
    ("Eltwise", "", Eltwise("SUM")),
    ("Eltwise", "eltwise_param { operation: MAX }", Eltwise("MAX")),
    ("Eltwise", "eltwise_param { operation: PROD }", Eltwise("PROD")),
    ("Eltwise", "eltwise_param { coeff: 1 coeff: -2 }", Eltwise("SUM", (1, -2))),
    ("Exp", "", Exp()),
    ("Exp", "exp_param { base: 2 scale: 3 shift: 4 }", Exp(2, 3, 4)),
    ("Flatten", "", Flatten(1, 3)),
    ("Flatten", "flatten_param { axis: -2 }", Flatten(2, 3)),
    ("InnerProduct", "inner_product_param { num_output: 3 }", InnerProduct(3)),
    (
        "InnerProduct",
        "inner_product_param { num_output: 3 bias_term: false axis: 2 }",
        InnerProduct(3, False, 2),
    ),
    ("Interp", "interp_param { height: 9 width: 10 }", Interp(9, 10)),
    ("Interp", "interp_param { zoom_factor: 2 }", Interp(11, 15)),
    ("Interp", "interp_param { shrink_factor: 2 }", Interp(3, 4)),
    ("LRN", "", LRN(5, 1, 0.75, 1)),
    ("LRN", "lrn_param { local_size: 3 alpha: 0.5 beta: 0.25 k: 2 }", LRN(3, 0.5, 0.25, 2)),
    ("Log", "log_param { base: 10 }", Log(10)),
    ("PReLU", "", PReLU()),
    ("PReLU", "prelu_param { channel_shared: true }", PReLU(True)),
    ("Permute", "permute_param { order: 0 order: 2 order: 3 order: 1 }", Permute((0, 2, 3, 1))),
    ("Permute", "permute_param { order: 0 order: 3 }", Permute((0, 3, 1, 2))),
    ("Pooling", "pooling_param { kernel_size: 2 stride: 2 }", Pooling("MAX", (2, 2), (2, 2))),
    (
        "Pooling",
        "pooling_param { pool: AVE kernel_h: 3 kernel_w: 2 stride_h: 1 stride_w: 2 pad_h: 1 pad_w: 0 }",
        Pooling("AVE", (3, 2), (1, 2), (1, 0)),
    ),
    ("Pooling", "pooling_param { pool: AVE global_pooling: true }", Pooling("AVE", (6, 8))),
    ("Pooling", "pooling_param { kernel_size: 3 round_mode: FLOOR }", Pooling("MAX", (3, 3), ceil=False)),
    ("Pooling", "pooling_param { kernel_size: 3 ceil_mode: false }", Pooling("MAX", (3, 3), ceil=False)),
    ("Pooling", "pooling_param { kernel_size: 3 torch_pooling: true }", Pooling("MAX", (3, 3), ceil=False)),
    ("Power", "", Power()),
    ("Power", "power_param { power: 2 scale: 0.5 shift: -1 }", Power(2, 0.5, -1)),
    ("ReLU", "", ReLU()),
    ("ReLU", "relu_param { negative_slope: 0.125 }", ReLU(0.125)),
    ("ReLU6", "", ReLU6()),
    ("Reshape", "reshape_param { shape { dim: 0 dim: -1 } }", Reshape((192,))),
    ("Reshape", "reshape_param { shape { dim: 1 dim: 16 dim: 0 dim: -1 } }", Reshape((16, 6, 2))),
    ("Reshape", "reshape_param { shape { dim: -1 dim: 4 dim: 48 } }", Reshape((4, 48))),
    ("Reshape", "reshape_param { axis: 1 num_axes: 2 shape { dim: 24 } }", Reshape((24, 8))),
    ("Reshape", "reshape_param { axis: -1 shape { dim: 1 dim: 1 } }", Reshape((4, 6, 8, 1, 1))),
    ("Scale", "", Scale()),
    ("Scale", "scale_param { bias_term: true axis: 1 num_axes: 3 }", Scale(1, 3, True)),
    ("Scale", "scale_param { axis: 2 num_axes: -1 }", Scale(2, 2)),
    ("ShuffleChannel", "shuffle_channel_param { group: 2 }", ShuffleChannel(2)),
    ("Sigmoid", "", Sigmoid()),
    ("Slice", "slice_param { slice_point: 1 }", Slice((1, 3))),
    ("Slice", "slice_param { axis: -1 }", Slice((4, 4), 3)),
    ("Slice", "slice_param { slice_dim: 2 slice_point: 2 }", Slice((2, 4), 2)),
    ("Softmax", "", Softmax()),
    ("Softmax", "softmax_param { axis: -1 }", Softmax(3)),
    ("SoftmaxWithLoss", "loss_weight: 1 loss_param { normalize: true }", Softmax()),
    ("Split", "", Split(2)),
    ("TanH", "", TanH()),
    ("Upsample", "upsample_param { scale: 2 }", Upsample((2, 2))),
    ("Upsample", "upsample_param { scale_h: 2 scale_w: 3 }", Upsample((2, 3))),
]
BOTTOMS = {"Concat": "data data", "Crop": "data data", "Eltwise": "data data"}
TOPS = {"Slice": "a b", "Split": "a b"}


@pytest.mark.parametrize(("kind", "param", "op"), MEANINGS)
def test_meaning(tmp_path, kind, param, op):
    text = INPUT + layer(kind, param, bottom=BOTTOMS.get(kind, "data"), top=TOPS.get(kind, "it"))
    (node,) = structure(tmp_path, text).nodes
    assert node.op == op
    assert type(node.op) is type(op)


@pytest.mark.parametrize("kind", ["Scale", "Bias"])
def test_two_bottoms(tmp_path, kind):
    pool = layer("Pooling", "pooling_param { global_pooling: true }", "pool", top="pool")
    flat = layer("Flatten", "", "flat", "pool", "flat")
    own = {"Scale": "scale_param", "Bias": "bias_param"}[kind]
    graph = structure(tmp_path, INPUT + pool + flat + layer(kind, f"{own} {{ axis: 0 }}", bottom="data flat"))
    assert graph.nodes[-1].op == {"Scale": Scale(), "Bias": Bias()}[kind]
    with pytest.raises(UnsupportedError, match="axis 1 with two bottoms is not supported, allowed: 0"):
        structure(tmp_path, INPUT + pool + flat + layer(kind, bottom="data flat"))


REFUSALS = [
    ("BatchNorm", "batch_norm_param { use_global_stats: false }", UnsupportedError, "set it to true"),
    ("BatchNorm", "batch_norm_param { eps: -1 }", ModelError, "eps -1.0 must not be negative"),
    ("Clip", "clip_param { min: 1 }", ModelError, "max is missing"),
    ("Clip", "clip_param { min: 1 max: inf }", ModelError, "high inf must be finite"),
    ("ReLU", "relu_param { negative_slope: nan }", ModelError, "negative_slope nan must be finite"),
    (
        "Concat",
        "concat_param { axis: 0 }",
        UnsupportedError,
        "axis 0 mixes the images of a batch, allowed: 1 to 3",
    ),
    ("Concat", "concat_param { axis: 4 }", ModelError, "axis 4 is not an axis of a bottom with 4 axes"),
    ("Convolution", "convolution_param { kernel_size: 3 }", ModelError, "num_output is missing"),
    ("Convolution", "convolution_param { num_output: 1 }", ModelError, "kernel_size must be given"),
    (
        "Convolution",
        "convolution_param { num_output: 1 kernel_h: 1 }",
        ModelError,
        "kernel_h and kernel_w must be given",
    ),
    (
        "Convolution",
        "convolution_param { num_output: 1 kernel_h: 1 kernel_w: 1 kernel_size: 1 }",
        ModelError,
        "kernel_size and kernel_h exclude each other",
    ),
    (
        "Convolution",
        "convolution_param { num_output: 1 kernel_size: [1, 1, 1] }",
        ModelError,
        "kernel_size is given 3 times, allowed: once, or twice",
    ),
    ("Convolution", "convolution_param { num_output: 1 kernel_size: 1 axis: 2 }", UnsupportedError, "axis 2"),
    ("Convolution", "convolution_param { num_output: 1 kernel_size: 1 pad: -1 }", ModelError, "pad -1x-1"),
    (
        "Convolution",
        "convolution_param { num_output: 1 kernel_size: 9 }",
        ModelError,
        "output would have the shape",
    ),
    (
        "ConvolutionDepthwise",
        "convolution_param { num_output: 4 kernel_size: 1 group: 2 }",
        ModelError,
        "group 2 must be the number of input channels, 4",
    ),
    ("Interp", "interp_param { zoom_factor: 2 pad_end: -1 }", UnsupportedError, "pad_beg and pad_end"),
    ("Interp", "interp_param { shrink_factor: 0 }", ModelError, "must be at least 1"),
    ("LRN", "lrn_param { norm_region: WITHIN_CHANNEL }", UnsupportedError, "WITHIN_CHANNEL is not supported"),
    ("Permute", "permute_param { order: 1 order: 0 }", ModelError, "moves the batch"),
    ("Pooling", "pooling_param { pool: STOCHASTIC kernel_size: 2 }", UnsupportedError, "STOCHASTIC"),
    ("Pooling", "pooling_param { global_pooling: true kernel_size: 2 }", ModelError, "exclude each other"),
    ("Pooling", "pooling_param { global_pooling: true pad: 1 }", ModelError, "only pad 0 and stride 1"),
    ("Pooling", "pooling_param { }", ModelError, "kernel_size must be given"),
    (
        "Reshape",
        "reshape_param { shape { dim: 0 dim: 5 dim: -1 } }",
        ModelError,
        "1x4x6x8 cannot take the shape 1x5x-1",
    ),
    ("Reshape", "reshape_param { shape { dim: 0 dim: -1 dim: -1 } }", ModelError, "cannot take the shape"),
    (
        "Reshape",
        "reshape_param { shape { dim: 0 dim: -192 dim: -1 dim: 1 } }",
        ModelError,
        "cannot take the shape",
    ),
    (
        "Reshape",
        "reshape_param { shape { dim: 2 dim: -1 } }",
        UnsupportedError,
        "2x96 mixes the images of a batch",
    ),
    ("Reshape", "reshape_param { axis: 3 shape { dim: 8 dim: 0 } }", ModelError, "dim 1 is 0"),
    (
        "Reshape",
        "reshape_param { axis: 2 num_axes: 3 shape { dim: 8 } }",
        ModelError,
        "do not fit a bottom with 4 axes",
    ),
    (
        "Slice",
        "slice_param { slice_point: 1 slice_point: 2 }",
        ModelError,
        "2 slice_point for 1 tops, needed: 0",
    ),
    ("Upsample", "", ModelError, "scale must be given"),
    ("Upsample", "upsample_param { scale: 2 upsample_h: 3 }", UnsupportedError, "upsample_h and upsample_w"),
]


@pytest.mark.parametrize(("kind", "param", "error", "message"), REFUSALS)
def test_refusal(tmp_path, kind, param, error, message):
    with pytest.raises(error, match=rf'line 3, layer "it" \({kind}\): .*{message}'):
        structure(tmp_path, INPUT + layer(kind, param))


def test_more_refusals(tmp_path):
    with pytest.raises(ModelError, match=r"coeff \(1.0, -inf\) must be finite"):
        structure(
            tmp_path, INPUT + layer("Eltwise", "eltwise_param { coeff: [1, -inf] }", bottom="data data")
        )
    with pytest.raises(UnsupportedError, match="by a pooling mask"):
        structure(tmp_path, INPUT + layer("Upsample", "upsample_param { scale: 2 }", bottom="data data"))
    with pytest.raises(ModelError, match="3 offsets for 2 axes, needed: 1 or 2"):
        structure(tmp_path, INPUT + layer("Crop", "crop_param { offset: [0, 0, 0] }", bottom="data data"))
    with pytest.raises(ModelError, match="4 cannot be cut into 3 equal parts: give slice_point"):
        structure(tmp_path, INPUT + layer("Slice", top="a b c"))
    with pytest.raises(ModelError, match=r"needs a bottom with 4 axes \(NxCxHxW\), got 2"):
        structure(
            tmp_path,
            INPUT
            + layer("Flatten", "", "flat", top="flat")
            + layer("Pooling", "pooling_param { global_pooling: true }", bottom="flat"),
        )
