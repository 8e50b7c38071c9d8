"""What is told of a loadable: of our own with layers and scales, of NVIDIA's without, of refused ones why."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from nvdla_sim.analysis.inspect.flow import Source
from nvdla_sim.analysis.inspect.inspection import CubeInfo, inspect
from nvdla_sim.analysis.inspect.text import lines, words
from nvdla_sim.loadable.loadable import Loadable
from tests.runtime.editing import committed
from tests.runtime.goldens import Recorded, loadables, recipes
from tests.shared import COMMITTED_GOLDENS, TESTS

DIGITS = TESTS.parent / "loadables" / "digits.nv_small.per-filter.nvdla"
RECORDED = [r for r in (*loadables(), *recipes()) if r.id.startswith("committed")]


def test_ours() -> None:
    found = inspect(Loadable.load(DIGITS))
    assert found.producer is not None
    assert found.producer.startswith("nvdla-sim ")
    assert (found.target, found.assumption) == ("nv_small", "as its compiler noted")
    (data,), (prob,) = found.inputs, found.outputs
    assert (data.name, data.pixels, data.memory, data.line_stride) == ("data", True, 1, 128)
    assert (prob.name, prob.channels, prob.scale) == ("prob", 10, pytest.approx(1 / 127))
    units = found.units
    assert [[o.layer for o in unit.operations] for unit in units] == [
        ["conv1", "conv1"],
        ["pool1"],
        ["conv2", "conv2"],
        ["pool2"],
        ["ip1", "ip1"],
        ["ip2", "ip2"],
        ["prob"],
    ]
    assert [unit.tensor for unit in units] == ["conv1", "pool1", "conv2", "pool2", "relu1", "ip2", "prob"]
    assert [unit.sources for unit in units] == [(Source(0, input=True),), *((Source(n),) for n in range(6))]
    assert [unit.outputs for unit in units] == [()] * 6 + [(0,)]
    assert [unit.task for unit in units] == [0] * 6 + [1]
    assert units[1].scale == units[0].scale  # pooling keeps it
    conv, sdp = units[0].operations
    assert conv.settings["kernel"] == (5, 5)
    assert (conv.type, conv.wakes) == ("CONV", {1: "OP_PROGRAMMED", 3: "OP_PROGRAMMED"})
    assert [cube.name for cube in conv.cubes] == ["weight", "src", "dst"]
    assert sdp.cubes[0] == CubeInfo("src", 16, 24, 24, None, 0, 192, 4608)
    assert [cube.name for cube in sdp.cubes] == ["src", "x1", "dst"]
    uses = {memory.use: memory for memory in found.memories}
    assert uses["input 0"].size == 128 * 28
    assert uses["task-0-op_list"].blob_bytes == 10 * 116


def test_the_real_compilers() -> None:
    found = inspect(committed("two_outputs", "nv_small.int8-pk"))
    assert found.producer is None
    assert {o.layer for unit in found.units for o in unit.operations} == {None}
    assert {number for unit in found.units for number in unit.outputs} == {0, 1}
    assert all(unit.tensor is unit.scale is None and not unit.problems for unit in found.units)


def test_a_refused_operation_is_told_with_the_reason() -> None:
    (unit,) = inspect(committed("pool_max9", "nv_large.int8-pk"), "nv_large").units
    assert "a pool of size 9 is not possible" in unit.problems[0]
    assert unit.operations[0].settings["kernel"] == (9, 9)
    assert unit.sources == ()


def test_fused_operands_come_from_two_units() -> None:
    path = COMMITTED_GOLDENS / "recipes" / "13-race" / "pdp_then_conv_elt.nv_large.nvdla"
    found = inspect(Loadable.load(path), "nv_large")
    assert [o.type for o in found.units[1].operations] == ["CONV", "SDP"]
    assert Source(0) in found.units[1].sources


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda recorded: recorded.id)
def test_everything_can_be_told(recorded: Recorded) -> None:
    found = inspect(Loadable.load(recorded.path), recorded.config)
    text = list(lines(found))
    operations = [operation for unit in found.units for operation in unit.operations]
    assert sum(operation.type in line for line in text for operation in operations) >= len(operations)
    told = json.loads(json.dumps(asdict(found)))
    assert len(told["units"]) == len(found.units)
    assert told["target"] == recorded.config


# recipe or net -> the words for the settings of its first operation of a type
WORDS = {
    ("recipes/04-lrn/lrn_n9_a1_k1_F9.nv_small", "CDP"): (
        "channels summed 9, square sum, multiply, in converter: v, out converter: v * 20902 >> 27, "
        "table 0, table method exponential"
    ),
    ("recipes/03-prelu-x/prelu_sdp.nv_large", "SDP"): (
        "x1: * 256, x2: * [channel] >> 15 prelu, out converter: v * 19859 >> 22"
    ),
    ("recipes/15-image/img_k11_s4_e1.nv_large", "CONV"): (
        "input a8b8g8r8, kernel 11x11, stride 4x4, pad 0 0 0 0, weight bytes 4864, data banks 1, "
        "weight banks 1"
    ),
    ("recipes/08-pooling/max11_s2_p5.nv_large", "PDP"): ("method max, kernel 6x6, stride 1x1, pad 5 5 5 5"),
    ("loadables/softmax/nv_small.int8-pk", "SOFTMAX"): "in scale 0.0229736, out scale 0.00467266, axis 1",
    ("loadables/deconv/nv_full.int8-pf", "RUBIK"): "mode contract, stride 2x2",
}


@pytest.mark.parametrize(("name", "kind"), WORDS)
def test_words(name: str, kind: str) -> None:
    found = inspect(Loadable.load(COMMITTED_GOLDENS / f"{name}.nvdla"))
    first = next(o for unit in found.units for o in unit.operations if o.type == kind)
    assert words(first.settings) == WORDS[name, kind]


def test_words_for_y_and_copies() -> None:
    found = inspect(Loadable.load(COMMITTED_GOLDENS / "recipes/03-sdp-y-lut/tanh.nv_large.nvdla"))
    sdp = next(o for unit in found.units for o in unit.operations if o.type == "SDP")
    assert "y: lut" in words(sdp.settings)
    transfers = {"transfers": [{"line_size": 64, "line_repeat": 2}]}
    assert words(transfers) == "1 transfers: line size 64, line repeat 2"
