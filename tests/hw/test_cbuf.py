"""Data and weights that one convolution leaves in the buffer for the next."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nvdla_sim.errors import ProgramError
from nvdla_sim.hw.conv import ConvBuffer
from tests.hw.conv_case import Case, banks, compressed_case, random_case


def flags(**fields: int) -> dict[str, int]:
    return {f"{unit}.D_MISC_CFG.{name}": value for unit in ("CDMA", "CSC") for name, value in fields.items()}


def test_kept_data_is_not_fetched_again() -> None:
    first = random_case("nv_large", 7, (1, 40, 4, 5), (33, 2, 2))
    first = replace(first, overrides=flags(SKIP_DATA_RLS=1), convert=(5, 70, 6))
    second = random_case("nv_large", 8, (1, 40, 4, 5), (9, 3, 3))
    second = replace(second, overrides=flags(DATA_REUSE=1), pads=(1, 1, 1, 1), pad_value=4)
    buffer = ConvBuffer()
    first.run(buffer)
    expected, _ = replace(second, data=first.data, convert=first.convert).delivered()
    np.testing.assert_array_equal(second.run(buffer)[0], expected)
    # the second layer has released all lines, so a third one fetches its own
    np.testing.assert_array_equal(second.run(buffer)[0], second.delivered()[0])


def test_a_layer_may_take_the_first_of_the_lines_kept() -> None:
    first = random_case("nv_small", 6, (1, 20, 5, 4), (3, 2, 2))
    first.overrides = flags(SKIP_DATA_RLS=1)
    second = replace(first, data=first.data[:, :, :3], overrides=flags(DATA_REUSE=1))
    buffer = ConvBuffer()
    first.run(buffer)
    np.testing.assert_array_equal(second.run(buffer)[0], second.delivered()[0])


@pytest.mark.parametrize("batches", [1, 3])
def test_last_lines_are_kept_and_joined_with_new_ones(batches: int) -> None:
    whole = random_case("nv_full", 9, (batches, 40, 7, 5), (6, 3, 3))
    upper = replace(whole, data=whole.data[:, :, :4])  # its windows end at line 3, the next begin at line 2
    upper.overrides = {"CSC.D_RELEASE.RLS_SLICES": 2 * batches - 1}
    fetched = replace(whole, data=whole.data[:, :, 4:])
    lower = replace(whole, data=whole.data[:, :, 2:])
    source = {
        name: value for name, value in fetched.settings().items() if name.startswith("CDMA.D_DATAIN_SIZE_0")
    }
    source |= {
        name: value
        for name, value in fetched.settings().items()
        if name.endswith(("SURF_STRIDE", "BATCH_STRIDE"))
    }
    lower.overrides = source | flags(DATA_REUSE=1)
    buffer = ConvBuffer()
    streams = [upper.run(buffer)[0], lower.run(buffer, fetched.memory())[0]]
    np.testing.assert_array_equal(np.concatenate(streams, axis=2), whole.delivered()[0])


@pytest.mark.parametrize("height", [2, 5])
def test_other_than_the_lines_left_and_fetched(height: int) -> None:
    case = random_case("nv_small", 9, (1, 20, 5, 5), (6, 3, 3))
    case.overrides = {"CSC.D_RELEASE.RLS_SLICES": 3}
    buffer = ConvBuffer()
    case.run(buffer)
    case.overrides = flags(DATA_REUSE=1) | {"CDMA.D_DATAIN_SIZE_0.DATAIN_HEIGHT": height - 1}
    with pytest.raises(ProgramError, match=f"5 slices are taken, those left and fetched are {height + 1}"):
        case.run(buffer)


def test_nothing_is_fetched_that_no_buffer_holds() -> None:
    case = random_case("nv_small", 9, (1, 20, 5, 5), (6, 3, 3))
    case.overrides = flags(DATA_REUSE=1) | {"CDMA.D_DATAIN_SIZE_0.DATAIN_HEIGHT": 8191}
    with pytest.raises(ProgramError, match="5 slices are taken, those left and fetched are 8192"):
        ConvBuffer().data(case.layer(), lambda: pytest.fail("8192 lines are fetched"))


def test_lines_left_of_another_width_do_not_fit() -> None:
    buffer = ConvBuffer()
    replace(random_case("nv_small", 1, (1, 8, 3, 5), (1, 1, 1)), overrides=flags(SKIP_DATA_RLS=1)).run(buffer)
    other = random_case("nv_small", 1, (1, 8, 3, 4), (1, 1, 1))
    with pytest.raises(
        ProgramError, match=r"DATA_REUSE: the slices left are \(5, 8\), this layer's are \(4, 8\)"
    ):
        replace(other, overrides=flags(DATA_REUSE=1)).run(buffer)


def test_everything_is_fetched_when_the_banks_have_changed() -> None:
    first = random_case("nv_small", 2, (1, 8, 3, 5), (1, 1, 1))
    second = random_case("nv_small", 3, (1, 8, 3, 5), (1, 1, 1))
    buffer = ConvBuffer()
    replace(first, overrides=flags(SKIP_DATA_RLS=1, SKIP_WEIGHT_RLS=1)).run(buffer)
    second.overrides = flags(DATA_REUSE=1, WEIGHT_REUSE=1) | banks(3, 3)
    np.testing.assert_array_equal(second.run(buffer)[0], second.delivered()[0])


def test_kept_weights_are_not_fetched_again() -> None:
    first = random_case("nv_medium_512", 10, (1, 20, 3, 4), (33, 2, 2))
    second = random_case("nv_medium_512", 11, (1, 20, 5, 4), (33, 2, 2))
    buffer = ConvBuffer()
    replace(first, overrides=flags(SKIP_WEIGHT_RLS=1)).run(buffer)
    second.overrides = flags(WEIGHT_REUSE=1)
    expected, _ = replace(second, weights=first.weights).delivered()
    np.testing.assert_array_equal(second.run(buffer)[0], expected)
    with pytest.raises(ProgramError, match="WEIGHT_REUSE: the layer before did not keep its weights"):
        second.run(buffer)


def test_kept_weights_outlive_their_memory() -> None:
    case = random_case("nv_small", 4, (1, 8, 2, 2), (3, 1, 1))
    case.overrides = flags(SKIP_WEIGHT_RLS=1)
    buffer, memory = ConvBuffer(), case.memory()
    case.run(buffer, memory)
    memory.dram.view(case.layer().weight_address, case.layer().weight_bytes)[:] = 0
    case.overrides = flags(WEIGHT_REUSE=1)
    np.testing.assert_array_equal(case.run(buffer, memory)[0], case.delivered()[0])


def test_kept_weights_are_too_few() -> None:
    buffer = ConvBuffer()
    few = random_case("nv_small", 12, (1, 8, 3, 3), (1, 1, 1))
    replace(few, overrides=flags(SKIP_WEIGHT_RLS=1)).run(buffer)
    many = random_case("nv_small", 12, (1, 8, 3, 3), (9, 2, 2))
    with pytest.raises(ProgramError, match="WEIGHT_REUSE: 8 bytes of weights are left, 288 needed"):
        replace(many, overrides=flags(WEIGHT_REUSE=1)).run(buffer)


def test_kept_weights_of_the_other_format() -> None:
    buffer = ConvBuffer()
    case = compressed_case()
    replace(case, overrides=flags(SKIP_WEIGHT_RLS=1)).run(buffer)
    plain = Case(case.config, case.data, case.weights, overrides=flags(WEIGHT_REUSE=1))
    with pytest.raises(ProgramError, match="one layer's weights are compressed, the other's are not"):
        plain.run(buffer)
