"""From layers to operations of the chip: one file for each operator."""

from __future__ import annotations

from collections.abc import Callable

from nvdla_sim.compiler.lower import (
    batch_norm,
    bias,
    concat,
    convolution,
    crop,
    deconvolution,
    dropout,
    flatten,
    fused,
    inner_product,
    interp,
    lrn,
    permute,
    pooling,
    scale,
    shuffle_channel,
    slice,
    softmax,
    split,
    unary,
    upsample,
)
from nvdla_sim.compiler.lower.lowering import Lowering
from nvdla_sim.compiler.steps import Step
from nvdla_sim.graph.operator import Operator
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

LOWER: dict[type[Operator], Callable[[Step, Lowering], None]] = {
    AbsVal: unary.lower,
    BNLL: unary.lower,
    BatchNorm: batch_norm.lower,
    Bias: bias.lower,
    Clip: fused.lower,
    Concat: concat.lower,
    Convolution: convolution.lower,
    Crop: crop.lower,
    Deconvolution: deconvolution.lower,
    Dropout: dropout.lower,
    ELU: unary.lower,
    Eltwise: fused.lower,
    Exp: unary.lower,
    Flatten: flatten.lower,
    InnerProduct: inner_product.lower,
    Pooling: pooling.lower,
    Power: unary.lower,
    Interp: interp.lower,
    LRN: lrn.lower,
    Log: unary.lower,
    Permute: permute.lower,
    PReLU: fused.lower,
    ReLU: fused.lower,
    ReLU6: fused.lower,
    Reshape: flatten.lower,
    Scale: scale.lower,
    ShuffleChannel: shuffle_channel.lower,
    Sigmoid: unary.lower,
    Slice: slice.lower,
    Softmax: softmax.lower,
    Split: split.lower,
    Swish: unary.lower,
    TanH: unary.lower,
    Threshold: unary.lower,
    Upsample: upsample.lower,
}
