"""What CDMA reads: compressed weights, and never a byte outside the mapped memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nvdla_sim.errors import ProgramError
from nvdla_sim.hw.config import CONFIGS
from nvdla_sim.hw.memory import Memory, Ports
from tests.hw.conv_case import (
    DATA,
    MASK,
    SIZES,
    WEIGHTS,
    CompressedCase,
    assert_runs_as_loops,
    banks,
    compressed_case,
)


@pytest.mark.parametrize("itemsize", [1, 2])
def test_compressed_weights(itemsize: int) -> None:
    assert_runs_as_loops(compressed_case(itemsize))


def test_group_sizes_that_the_bit_mask_does_not_give() -> None:
    case = compressed_case()
    memory = case.memory()
    memory.dram.view(SIZES, 4)[0] += 1
    with pytest.raises(ProgramError, match=r"WGS: kernel group 0 has \d+ bytes, by the bit mask"):
        case.run(memory=memory)


def test_bit_mask_of_more_weights_than_there_are() -> None:
    case = compressed_case()
    case.overrides |= dict.fromkeys(
        ("CDMA.D_WEIGHT_BYTES.WEIGHT_BYTES", "CSC.D_WEIGHT_BYTES.WEIGHT_BYTES"), 128
    )
    with pytest.raises(ProgramError, match="WEIGHT_BYTES: 128, by the bit mask"):
        case.run()


def test_compressed_kernel_group_that_does_not_fit_its_banks() -> None:
    weights = np.ones((32, 2048, 1, 2), np.int64)
    case = CompressedCase(
        CONFIGS["nv_full"], np.ones((1, 2048, 1, 2), np.int64), weights, overrides=banks(1, 4)
    )
    case.layer()
    with pytest.raises(
        ProgramError, match="WEIGHT_BANK: a kernel group of 131072 bytes does not fit its banks"
    ):
        replace(case, overrides=banks(1, 3)).run()


@pytest.mark.parametrize("cut", [DATA, WEIGHTS, MASK, SIZES])
def test_nothing_outside_the_mapped_memory_is_read(cut: int) -> None:
    case = compressed_case()
    regions = case.regions()
    regions[cut] = regions[cut][:-1]
    memory = Memory()
    for base, region in regions.items():
        memory.map(base, region)
    size = regions[cut].size + 1
    with pytest.raises(ProgramError, match=f"access to {size} bytes at 0x{cut:x} leaves the mapped"):
        case.run(memory=Ports(dram=memory, sram=Memory()))
