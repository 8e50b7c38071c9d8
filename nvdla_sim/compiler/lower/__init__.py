"""From layers to operations of the chip: one file for each operator."""

from __future__ import annotations

from collections.abc import Callable

from nvdla_sim.compiler.lower import convolution, dropout, flatten, inner_product, pooling, relu, softmax
from nvdla_sim.compiler.lower.lowering import Lowering
from nvdla_sim.compiler.steps import Step
from nvdla_sim.graph.operator import Operator
from nvdla_sim.graph.ops.convolution import Convolution
from nvdla_sim.graph.ops.dropout import Dropout
from nvdla_sim.graph.ops.flatten import Flatten
from nvdla_sim.graph.ops.inner_product import InnerProduct
from nvdla_sim.graph.ops.pooling import Pooling
from nvdla_sim.graph.ops.relu import ReLU
from nvdla_sim.graph.ops.softmax import Softmax

LOWER: dict[type[Operator], Callable[[Step, Lowering], None]] = {
    Convolution: convolution.lower,
    Dropout: dropout.lower,
    Flatten: flatten.lower,
    InnerProduct: inner_product.lower,
    Pooling: pooling.lower,
    ReLU: relu.lower,
    Softmax: softmax.lower,
}
