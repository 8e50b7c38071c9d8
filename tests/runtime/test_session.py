"""Runtime: inputs and outputs, scales, and what is refused before anything runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nvdla_sim.errors import (
    ImageError,
    LoadableError,
    NvdlaError,
    OptionError,
    ProgramError,
    UnsupportedError,
)
from nvdla_sim.loadable.entries import SOURCE_MAP
from nvdla_sim.loadable.enums import DataCategory, DataType, MemType, OpType
from nvdla_sim.loadable.lists import read_task
from nvdla_sim.loadable.loadable import Blob, Loadable
from nvdla_sim.runtime.session import Runtime
from tests.runtime.editing import change_op, change_surface, committed
from tests.shared import COMMITTED_GOLDENS

GREY = COMMITTED_GOLDENS / "loadables" / "conv_1ch" / "img_16x16x1_noise1.pgm"


def grey_net() -> Loadable:
    return committed("conv_1ch", "nv_small.int8-pk")


def test_paths_and_arrays_are_the_same_input() -> None:
    runtime = Runtime(grey_net(), "nv_small")
    assert [port.tensor.name for port in runtime.inputs] == ["data"]
    pixels = np.asarray(Image.open(GREY)).astype(int)
    values = ((pixels * 254 + 255) // 510).astype(np.int8)[np.newaxis]
    results = [
        runtime.run(given)[0].values for given in (GREY, str(GREY), [GREY], values, [values], (values,))
    ]
    for result in results:
        np.testing.assert_array_equal(result, results[0])


def test_outputs_are_copies() -> None:
    runtime = Runtime(grey_net(), "nv_small")
    (first,) = runtime.run(GREY)
    kept = first.values.copy()
    runtime.run(np.full((1, 16, 16), 100, np.int8))
    np.testing.assert_array_equal(first.values, kept)
    first.values[:] = 0
    np.testing.assert_array_equal(runtime.run(GREY)[0].values, kept)


def test_progress_counts_the_operations() -> None:
    runtime = Runtime(committed("two_outputs", "nv_small.int8-pk"), "nv_small")
    tensor = runtime.inputs[0].tensor
    seen: list[tuple[int, int]] = []
    channels = 3 if tensor.data_category == DataCategory.IMAGE else tensor.c
    runtime.run(
        np.zeros((channels, tensor.h, tensor.w), np.int8), lambda done, total: seen.append((done, total))
    )
    assert len(seen) > 1
    assert seen == [(i, len(seen)) for i in range(1, len(seen) + 1)]


def test_scale_of_a_softmax() -> None:
    loadable = committed("softmax", "nv_small.int8-pk")
    (task,) = (read_task(loadable, task) for task in loadable.tasks)
    (output,) = Runtime(loadable).run(np.zeros((10, 1, 1), np.int8))
    assert output.scale == float(task.ops[0]["out_scale"]) > 0


def test_scale_that_the_loadable_notes() -> None:
    loadable = grey_net()
    assert Runtime(loadable).run(GREY)[0].scale is None
    name = Runtime(loadable).outputs[0].tensor.name
    note = np.frombuffer(f'{{"tensors": {{"{name}": {{"scale": 0.25}}}}}}'.encode(), np.uint8)
    loadable.blobs.append(Blob(SOURCE_MAP, 0, 0, (0, 0, 0), note))
    assert Runtime(loadable).run(GREY)[0].scale == 0.25


def test_assumption() -> None:
    assert Runtime(grey_net()).assumption == "atoms of 8 bytes"
    assert Runtime(grey_net()).config.name == "nv_small"
    assert Runtime(grey_net(), "nv_small").assumption is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], r'1 input \("data"\), 0 are given'),
        ([GREY, GREY], r"1 input \(\"data\"\), 2 are given"),
        (np.zeros((1, 16, 16), np.uint8), "array of uint8, shape .1, 16, 16.; needed is"),
        (np.zeros((16, 16), np.int8), "shape .16, 16.; needed is"),
        ([[1, 2]], "int; needed is"),
        ([1], "int; needed is"),
        (1, "int; needed is"),
        (None, "NoneType; needed is"),
        ([[GREY, GREY]], 'input "data" takes 1 image, 2 are given'),
        (np.zeros((2, 1, 16, 16), np.int8), "takes 1 image, 2 are given"),
        (np.zeros((0, 1, 16, 16), np.int8), "need one shape .*, given are none"),
        (np.zeros((1, 16, 17), np.int8), "takes 1 to 4x16x16 values"),
        (np.zeros((5, 16, 16), np.int8), "5x16x16 are given"),
        (Path("nowhere.pgm"), "picture nowhere.pgm: No such file"),
    ],
)
def test_wrong_inputs(given, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        Runtime(grey_net(), "nv_small").run(given)


@pytest.mark.parametrize(("net", "stem", "mode"), [
    ("conv_1ch", "nv_small.int8-pk", "RGB"),
    ("conv_4ch", "nv_large.int8-pf", "L"),
])  # fmt: skip
def test_pictures_of_other_channels(tmp_path: Path, net: str, stem: str, mode: str) -> None:
    runtime = Runtime(committed(net, stem))
    tensor = runtime.inputs[0].tensor
    path = tmp_path / "picture.png"
    Image.new(mode, (tensor.w, tensor.h)).save(path)
    wanted = 1 if mode == "RGB" else 3
    with pytest.raises(ImageError, match=rf"has {4 - wanted} channels, .* has {wanted}: convert it"):
        runtime.run(path)


def test_picture_for_a_feature_input(tmp_path: Path) -> None:
    runtime = Runtime(committed("conv_feat_odd", "nv_small.int8-pf"))
    tensor = runtime.inputs[0].tensor
    path = tmp_path / "picture.png"
    Image.new("L", (tensor.w, tensor.h)).save(path)
    with pytest.raises(ImageError, match=f"takes {tensor.c}x{tensor.h}x{tensor.w} values"):
        runtime.run(path)


def test_a_wrong_input_leaves_the_runtime_usable() -> None:
    runtime = Runtime(grey_net(), "nv_small")
    before = runtime.run(GREY)[0].values
    with pytest.raises(ImageError):
        runtime.run(np.zeros((9, 9, 9), np.int8))
    np.testing.assert_array_equal(runtime.run(GREY)[0].values, before)


def test_a_run_does_not_see_what_the_run_before_left() -> None:
    """An operation that adds to what its destination holds finds 0 there every time."""
    loadable = committed("eltwise_sum_relu", "nv_small.int8-pf")
    (task,) = (read_task(loadable, task) for task in loadable.tasks)
    last = len(task.ops) - 1
    dst = task.surfaces[last]["dst"]
    change_surface(loadable, last, OpType.SDP, x2__address=int(dst["address"]), x2__offset=int(dst["offset"]))
    runtime = Runtime(loadable)
    tensor = runtime.inputs[0].tensor
    values = np.random.default_rng(3).integers(-20, 20, (tensor.c, tensor.h, tensor.w)).astype(np.int8)
    first, second = (runtime.run(values)[0].values for _ in range(2))
    assert first.any()
    np.testing.assert_array_equal(first, second)


def test_weights_inside_the_input_are_those_of_this_run() -> None:
    loadable = grey_net()
    (task,) = (read_task(loadable, task) for task in loadable.tasks)
    change_surface(loadable, 0, OpType.CONV, weight__address=int(task.surfaces[0]["src"]["address"]))
    runtime = Runtime(loadable)
    results = []
    for seed in (1, 2):
        values = np.random.default_rng(seed).integers(-128, 128, (1, 16, 16)).astype(np.int8)
        results.append(runtime.run(values)[0].values)
    # with the weights of a run before, or none, all pixels would be alike
    assert all(np.unique(result).size > 10 for result in results)
    assert not np.array_equal(*results)


def test_unknown_target() -> None:
    with pytest.raises(OptionError, match='"nv_smal" is not known: did you mean "nv_small"'):
        Runtime(grey_net(), "nv_smal")


def test_a_tensor_bound_to_another_memory() -> None:
    loadable = grey_net()
    loadable.tensors[0].mem_id = loadable.tensors[1].mem_id
    with pytest.raises(LoadableError, match=r"is in memory .*, but bound to memory"):
        Runtime(loadable)


def test_a_tensor_that_cannot_be_served_names_the_file() -> None:
    loadable = committed("conv_1ch", "nv_small.int8-pk")
    loadable.tensors[0].data_type = DataType.HALF
    with pytest.raises(UnsupportedError, match=r'nv_small.int8-pk.nvdla: tensor "data" has data type HALF'):
        Runtime(loadable)


def test_a_cube_outside_the_memory() -> None:
    loadable = committed("concat", "nv_large.int8-pk")
    change_surface(loadable, 1, OpType.SDP, dst__offset=0x7000_0000)
    with pytest.raises(ProgramError, match="leaves the mapped memory"):
        Runtime(loadable, "nv_large")


def test_a_loadable_for_other_hardware() -> None:
    with pytest.raises(NvdlaError, match="operation"):
        Runtime(committed("conv_1ch", "nv_full.int8-pf"), "nv_small")


def test_int16_is_refused_where_the_chip_has_none() -> None:
    loadable = grey_net()
    change_op(loadable, 0, OpType.CONV, in_precision=1, out_precision=1)
    with pytest.raises(NvdlaError, match="nv_small has only INT8"):
        Runtime(loadable, "nv_small")


def test_pixels_on_the_fly_are_refused_whatever_their_address() -> None:
    loadable = grey_net()
    change_surface(loadable, 0, OpType.CONV, src__type=MemType.HW, src__address=30000)
    with pytest.raises(LoadableError, match="task 0 uses entry 30000 of its address list"):
        Runtime(loadable)
