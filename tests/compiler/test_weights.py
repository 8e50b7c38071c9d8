"""Weight layouts against loops that follow the format's description word by word."""

from __future__ import annotations

import numpy as np
import pytest

from nvdla_sim.compiler.weights import feature_weights, image_extension, image_weights
from nvdla_sim.hw.config import CONFIGS

SMALL, LARGE, FULL = (CONFIGS[name] for name in ("nv_small", "nv_large", "nv_full"))


def random(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(-128, 128, shape).astype(np.int8)


@pytest.mark.parametrize("config", [SMALL, LARGE, FULL])
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (9, 70, 2, 3), (33, 64, 1, 1)])
def test_feature_weights(config, shape) -> None:
    values = random(shape)
    kernels, channels, rows, columns = shape
    stream = [
        values[k, c, y, x]
        for group in range(0, kernels, config.atomic_k)
        for block in range(0, channels, config.atomic_c)
        for y in range(rows)
        for x in range(columns)
        for k in range(group, min(group + config.atomic_k, kernels))
        for c in range(block, min(block + config.atomic_c, channels))
    ]
    check(feature_weights(values, config), stream, config)


@pytest.mark.parametrize(("config", "extension"), [(SMALL, 1), (LARGE, 1), (LARGE, 2), (LARGE, 4)])
@pytest.mark.parametrize("shape", [(3, 3, 5, 3), (35, 1, 4, 2), (8, 4, 9, 4)])
def test_image_weights(config, extension: int, shape) -> None:
    values = random(shape)
    kernels, channels, rows, columns = shape
    pixels = np.zeros((kernels, rows, columns, 4), np.int8)
    pixels[..., :channels] = values.transpose(0, 2, 3, 1)
    lines = pixels.reshape(kernels, rows, -1)
    if extension == 1:
        blocks = [(y, y + 1, c) for c in range(0, 4 * columns, config.atomic_c) for y in range(rows)]
    else:
        blocks = [(y, min(y + extension, rows), 0) for y in range(0, rows, extension)]
    stream = [
        value
        for group in range(0, kernels, config.atomic_k)
        for first, last, c in blocks
        for k in range(group, min(group + config.atomic_k, kernels))
        for y in range(first, last)
        for value in lines[k, y, c : c + config.atomic_c]
    ]
    check(image_weights(values, extension, config), stream, config)


def check(made: np.ndarray, stream: list[int], config) -> None:
    assert made.size % config.cbuf_entry == 0
    assert 0 <= made.size - len(stream) < config.cbuf_entry
    assert made[: len(stream)].view(np.int8).tolist() == stream
    assert not made[len(stream) :].any()


@pytest.mark.parametrize(
    ("config", "kernel", "stride", "extension"),
    [
        (SMALL, (5, 5), 1, 1),
        (LARGE, (3, 3), 1, 1),
        (LARGE, (5, 5), 1, 2),
        (FULL, (7, 7), 2, 2),
        (FULL, (11, 11), 4, 1),
        (FULL, (9, 3), 1, 4),
        (FULL, (9, 3), 4, 1),
    ],
)
def test_extension_as_real_loadables_have_it(config, kernel, stride: int, extension: int) -> None:
    assert image_extension(kernel, stride, config) == extension
