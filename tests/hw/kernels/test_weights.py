from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvdla_sim.hw.config import CONFIGS
from nvdla_sim.hw.formats import unpack_weights
from nvdla_sim.hw.kernels.microkernel import GROUP, best_isa, isa_named
from nvdla_sim.hw.kernels.weights import pack_weights
from tests.hw.kernels.launches import Bench, Drawn, random_conv


@pytest.mark.parametrize("pixels", [False, True], ids=["cube", "pixels"])
@pytest.mark.parametrize("isa", sorted({"portable", best_isa().name}))
@settings(max_examples=20)
@given(data=st.data())
def test_each_weight_has_its_place(isa: str, pixels: bool, data: st.DataObject) -> None:
    chip, form, random = CONFIGS["nv_small"], isa_named(isa), Drawn(data)
    conv = random_conv(random, chip, Bench(random), pixels)
    stream = random.choice(np.array([-128, 127, 3], np.int8), conv.weight_bytes).view(np.uint8)
    shape = (conv.kernels, conv.kernel_channels, conv.kernel_height, conv.kernel_width)
    weights = unpack_weights(stream, shape, chip.atomic_c, chip.atomic_k, conv.rows_per_step)
    packed = pack_weights(chip, conv, form, stream)

    step, at = form.lanes_per_step, 0
    atom = conv.kernel_channels if pixels else chip.atom
    rest = packed.packed.reshape(-1, GROUP, step)  # [step, kernel of the group, lane of the step]
    for group in range(0, -(-conv.kernels // GROUP) * GROUP, GROUP):
        for ky, kx in np.ndindex(conv.kernel_height, conv.kernel_width):
            for first in range(0, conv.kernel_channels, atom):
                piece = weights[group : group + GROUP, first : first + atom, ky, kx]
                steps = -(-piece.shape[1] // step)
                expected = np.zeros((GROUP, steps * step), np.int64)
                expected[: piece.shape[0], : piece.shape[1]] = piece
                got = rest[at : at + steps].swapaxes(0, 1).reshape(GROUP, -1)
                assert np.array_equal(got, expected)
                at += steps
    assert at == len(rest)
    assert packed.group_bytes == packed.packed.nbytes // -(-conv.kernels // GROUP)

    flat = weights.reshape(conv.kernels, -1).astype(np.int64)
    assert packed.start[: conv.kernels].tolist() == (-form.bias * flat.sum(1)).tolist()
    assert packed.largest[: conv.kernels].tolist() == (128 * np.abs(flat).sum(1)).tolist()
    assert not packed.start[conv.kernels :].any()
    assert not packed.largest[conv.kernels :].any()
