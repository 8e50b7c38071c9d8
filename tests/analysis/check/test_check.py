"""The checker: silent on what runs on the real stack and on what we compile; it sees what does not run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nvdla_sim.analysis.check.check import Findings, check
from nvdla_sim.errors import OptionError, UnsupportedError
from nvdla_sim.loadable.enums import OpEvent, OpType
from nvdla_sim.loadable.loadable import Loadable
from tests.compiler.nets import cases
from tests.runtime.editing import (
    change_buffer,
    change_network,
    change_node,
    change_op,
    change_surface,
    committed,
)
from tests.runtime.goldens import Recorded, loadables, recipes
from tests.shared import COMMITTED_GOLDENS, TESTS, golden_paths

Count = Callable[[str, str, str, int, int], None]

SUITE = "loadables that the checker knows to be right or wrong"
REASONS = {
    "pool_max9": "a pool of size 9 is not possible",
    "mini_inception": "a pool of size 16 is not possible",
    "deconv": "has no Rubik engine",
    "conv_softmax_conv": "depends on itself",
}
# per-filter: an operand's producer is the SDP before the last one, and only its edge for programming is there
RACES = {"eltwise_sum3", "eltwise_sum_relu"}

LOADABLES = list(loadables())
RAN = [recorded for recorded in LOADABLES if recorded.runs]
REFUSED = [recorded for recorded in LOADABLES if not recorded.runs]
CASES = cases()
OURS = {("nv_small", "per-filter", ""), ("nv_full", "per-kernel", ""), ("nv_large", "per-kernel", "")}
FOLDERS = sorted({recorded.path.parent for recorded in RAN})
RECIPES = sorted({recorded.path.parent for recorded in recipes()})
LENET = golden_paths("lenet-mnist/loadables/*.nvdla")
KMD = golden_paths("kmd/*.nvdla")


def findings(path: Path, config: str) -> Findings:
    return check(Loadable.load(path), config)


def of_kind(found: Findings, words: str) -> int:
    return sum(words in warning for warning in found.warnings)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: "-".join(folder.parts[-3::2]))
def test_loadables_of_the_real_compiler(folder: Path, count_goldens: Count) -> None:
    """No errors; a warning of a race exactly where the real compiler forgets an edge."""
    for recorded in (recorded for recorded in RAN if recorded.path.parent == folder):
        found = findings(recorded.path, recorded.config)
        forgotten = folder.name in RACES and "int8-pf" in recorded.path.name
        assert bool(of_kind(found, "before")) == forgotten, (recorded.id, found.warnings)
        assert of_kind(found, "overwrite") == 0, (recorded.id, found.warnings)
        count(recorded, found, count_goldens)


@pytest.mark.parametrize("recorded", REFUSED, ids=lambda recorded: recorded.id)
def test_loadables_that_the_real_stack_refuses(recorded: Recorded, count_goldens: Count) -> None:
    found = findings(recorded.path, recorded.config)
    assert REASONS[recorded.path.parent.name] in "\n".join(found.errors)
    if recorded.id.startswith("shared"):
        count_goldens(SUITE, "errors, as it must be", recorded.config, 1, 0)


@pytest.mark.parametrize("folder", RECIPES, ids=lambda folder: "-".join(folder.parts[-3::2]))
def test_recipes(folder: Path, count_goldens: Count) -> None:
    """Written by hand and run on the real stack: neither errors nor warnings."""
    for recorded in (recorded for recorded in recipes() if recorded.path.parent == folder):
        found = findings(recorded.path, recorded.config)
        assert found.warnings == [], recorded.id
        count(recorded, found, count_goldens)


def count(recorded: Recorded, found: Findings, count_goldens: Count) -> None:
    assert found.errors == [], recorded.id
    if recorded.id.startswith("shared"):
        count_goldens(SUITE, "without errors", recorded.config, 1, 0)
        for kind in ("beyond its blob", "beyond its memory", "before"):
            if of_kind(found, kind):
                count_goldens(SUITE, f"with the warning: {kind}", recorded.config, 1, 0)


@pytest.mark.parametrize("path", LENET, ids=lambda path: path.stem)
def test_lenet_mnist(path: Path, count_goldens: Count) -> None:
    config = path.stem.split(".")[1]
    found = findings(path, config)
    assert found.errors == []
    assert of_kind(found, "beyond its blob") == len(found.warnings)
    count_goldens(SUITE, "without errors", config, 1, 0)


@pytest.mark.parametrize("path", KMD, ids=lambda path: path.stem)
def test_kmd_regression(path: Path, count_goldens: Count) -> None:
    config = {"small": "nv_small", "large": "nv_large"}.get(path.stem.rsplit("_", 1)[1], "nv_full")
    if path.stem == "NN_L0_0":
        with pytest.raises(UnsupportedError, match="only INT8"):
            findings(path, config)
        return
    found = findings(path, config)
    assert found.errors == []
    assert of_kind(found, "does not restore it") == len(found.warnings) == 1
    count_goldens(SUITE, "without errors", config, 1, 0)


@pytest.mark.parametrize("net", sorted({case.net for case in CASES}))
def test_what_we_compile(net: str, count_goldens: Count) -> None:
    """Neither errors nor warnings."""
    own = [case for case in CASES if case.net == net and (case.config, case.mode, case.variant) in OURS]
    for case in own:
        try:
            loadable = case.compile()
        except UnsupportedError as refusal:
            pytest.skip(f"{net} cannot be compiled: {refusal}")
        found = check(loadable, case.config)
        assert (found.errors, found.warnings) == ([], []), case.name
        count_goldens(SUITE, "ours, without errors and warnings", case.config, 1, 0)


@pytest.mark.parametrize("path", sorted((TESTS.parent / "loadables").glob("*.nvdla")), ids=lambda p: p.stem)
def test_ready_made_loadables(path: Path) -> None:
    found = check(Loadable.load(path))
    assert (found.errors, found.warnings) == ([], [])


def test_without_a_target_it_is_inferred() -> None:
    found = check(committed("conv_1ch", "nv_small.int8-pk"))
    assert found.config.name == "nv_small"
    assert found.assumption == "atoms of 8 bytes"
    with pytest.raises(OptionError, match="did you mean"):
        check(committed("conv_1ch", "nv_small.int8-pk"), "nv_smal")


# --- one change makes it wrong (CONV SDP CDP CONV SDP CONV SDP SDP CDP CONV SDP PDP CONV SDP SDP) ---


def serial() -> Loadable:
    return Loadable.load(COMMITTED_GOLDENS / "recipes" / "13-chain" / "serial.nv_small.nvdla")


def test_the_unchanged_one_is_right() -> None:
    assert check(serial(), "nv_small") == Findings(check(serial(), "nv_small").config)


ERRORS: dict[str, tuple[Callable[[Loadable], None], str]] = {
    "counts too few": (
        lambda it: change_node(it, 3, dependency_count=1),
        "operation 3 (CONV): dependency_count = 1; edges that lead to it: 3",
    ),
    "counts too many": (
        lambda it: change_node(it, 0, dependency_count=2),
        "operation 0 (CONV): dependency_count = 2; edges that lead to it: 1",
    ),
    "wrong slot": (
        lambda it: change_node(it, 2, consumers__5__index=3, consumers__5__event=1),
        "operation 2 (CDP): its consumer of type RUBIK is operation 3 (CONV)",
    ),
    "wrong parent": (
        lambda it: change_node(it, 2, fused_parent__index=1, fused_parent__event=3),
        "operation 2 (CDP): fused_parent is operation 1 (SDP)",
    ),
    "no head": (
        lambda it: change_network(it, op_head__4=-1),
        "operation 2 (CDP): 0 operations name it as the next CDP",
    ),
    "head of another type": (
        lambda it: change_network(it, op_head__3=2),
        "the first operation of type PDP is operation 2 (CDP)",
    ),
    "waits for ever": (
        lambda it: change_node(it, 1, consumers__4__event=OpEvent.NONE),
        "operation 2 (CDP) waits for operation 1 (SDP)",
    ),
    "refused by the driver": (
        lambda it: change_op(it, 11, OpType.PDP, pool_width=8),
        "operation 11 (PDP): pool_width: a pool of size 9 is not possible",
    ),
    "does not fit its field": (
        lambda it: change_op(it, 0, OpType.CONV, stride_x=16),
        "operation 0 (CONV): CSC.D_CONV_STRIDE_EXT.CONV_X_STRIDE_EXT = 15 does not fit",
    ),
    "refused by the chip": (
        lambda it: change_op(it, 0, OpType.CONV, data_bank=32),
        "operation 0 (CONV): The convolution cannot run this program",
    ),
    "nobody gives data": (
        lambda it: change_node(it, 1, fused_parent__index=-1),
        "operation 1 (SDP): SDP group 0 is enabled and waits for",
    ),
    "unaligned cube": (
        lambda it: change_surface(it, 2, OpType.CDP, dst__offset=4),
        "operation 2 (CDP): dst.address = ",
    ),
    "unaligned stride": (
        lambda it: change_surface(it, 2, OpType.CDP, src__surf_stride=241),
        "operation 2 (CDP): src.surf_stride = 0xf1: needed is a multiple of 8",
    ),
    "outside all memory": (
        lambda it: change_surface(it, 2, OpType.CDP, src__offset=1 << 24),
        "operation 2 (CDP): src: access to",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str) -> None:
    change, message = ERRORS[name]
    loadable = serial()
    change(loadable)
    assert any(message in error for error in check(loadable, "nv_small").errors), check(loadable, "nv_small")


def test_all_errors_are_told() -> None:
    loadable = serial()
    change_op(loadable, 0, OpType.CONV, stride_x=16)
    change_op(loadable, 11, OpType.PDP, pool_width=8, stride_x=9)
    errors = check(loadable, "nv_small").errors
    assert [error.split(":")[1].strip() for error in errors] == [
        "operation 0 (CONV)",
        "operation 0 (CONV)",
        "operation 11 (PDP)",
        "operation 11 (PDP)",
    ]


def test_memories_that_cannot_be_had() -> None:
    loadable = serial()
    loadable.tensors[0].strides = (1, 1, 1, 0, 0, 0, 0, 0)
    (error,) = check(loadable, "nv_small").errors
    assert "lines of" in error


def test_cpu_operation() -> None:
    loadable = committed("softmax", "nv_small.int8-pk")
    assert check(loadable, "nv_small").errors == []
    change_buffer(loadable, 1, offset=1 << 24)
    (error,) = check(loadable, "nv_small").errors
    assert "leaves the mapped memory" in error


def test_compressed_weights_that_contradict_their_mask() -> None:
    loadable = committed("conv_1ch", "nv_full.int8-pf")
    change_op(loadable, 0, OpType.CONV, weight_format=1)
    place = {"address": 1, "type": 0, "size": 128}
    for cube in ("wmb", "wgs"):
        change_surface(
            loadable, 0, OpType.CONV, **{f"{cube}__{name}": value for name, value in place.items()}
        )
    (error,) = check(loadable, "nv_full").errors
    assert "WGS: kernel group 0 has" in error


def test_operand_that_is_not_waited_for() -> None:
    """PDP makes the operand, conv + SDP add it; without the PDP's edge to the SDP the bytes are wrong."""
    path = COMMITTED_GOLDENS / "recipes" / "13-race" / "pdp_then_conv_elt.nv_large.nvdla"
    loadable = Loadable.load(path)
    assert check(loadable, "nv_large").warnings == []
    change_node(loadable, 0, consumers__2__index=-1)
    change_node(loadable, 2, dependency_count=1)
    found = check(loadable, "nv_large")
    assert found.errors == []
    assert found.warnings == [
        "task 0: operation 2 (SDP) may read x2 before operation 0 (PDP) has written it: no dependency waits "
        "for that"
    ]
