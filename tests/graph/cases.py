"""Random arrays and parameters for the operators' tests."""

from __future__ import annotations

import numpy as np

from nvdla_sim.graph.operator import Array, Operator, Shape


def random_array(seed: int, *shape: int) -> Array:
    """Normal float32 values."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def random_params(op: Operator, shapes: list[Shape], seed: int = 0) -> dict[str, Array]:
    """Normal values for every parameter; a variance is made positive."""
    params = {}
    for index, (name, shape) in enumerate(op.param_shapes(shapes).items()):
        values = random_array(seed + index, *shape)
        params[name] = np.abs(values) + np.float32(0.1) if name == "variance" else values
    return params
