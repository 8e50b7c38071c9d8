"""From layers to operations of the chip: one file for each operator."""

from __future__ import annotations

from collections.abc import Callable

from nvdla_sim.compiler.lower import (
    batch_norm,
    convolution,
    dropout,
    flatten,
    fused,
    inner_product,
    pooling,
    scale,
    softmax,
)
from nvdla_sim.compiler.lower.lowering import Lowering
from nvdla_sim.compiler.steps import Step
from nvdla_sim.graph.operator import Operator
from nvdla_sim.graph.ops.batch_norm import BatchNorm
from nvdla_sim.graph.ops.clip import Clip
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.dropout import Dropout
from nvdla_sim.graph.ops.eltwise import Eltwise
from nvdla_sim.graph.ops.flatten import Flatten
from nvdla_sim.graph.ops.inner_product import InnerProduct
from nvdla_sim.graph.ops.pooling import Pooling
from nvdla_sim.graph.ops.prelu import PReLU
from nvdla_sim.graph.ops.relu import ReLU
from nvdla_sim.graph.ops.relu6 import ReLU6
from nvdla_sim.graph.ops.scale import Scale
from nvdla_sim.graph.ops.softmax import Softmax

LOWER: dict[type[Operator], Callable[[Step, Lowering], None]] = {
    BatchNorm: batch_norm.lower,
    Clip: fused.lower,
    Convolution: convolution.lower,
    Dropout: dropout.lower,
    Eltwise: fused.lower,
    Flatten: flatten.lower,
    InnerProduct: inner_product.lower,
    Pooling: pooling.lower,
    PReLU: fused.lower,
    ReLU: fused.lower,
    ReLU6: fused.lower,
    Scale: scale.lower,
    Softmax: softmax.lower,
}
