"""Our loadables beside the real compiler's: the same operations with the same integers, the same outputs.

Weights, operands, multipliers, shifts, windows and sizes are compared, operation by operation, and what the
chip makes of every recorded input. What is left out must differ, so that the list of reasons stays true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from nvdla_sim.loadable.enums import MemoryFlags, OpEvent, OpType
from nvdla_sim.loadable.lists import DlaTask, read_tasks
from nvdla_sim.loadable.loadable import Loadable
from nvdla_sim.runtime.buffers import bound_memories
from nvdla_sim.runtime.dimg import text_dump
from nvdla_sim.runtime.session import Runtime
from nvdla_sim.runtime.tensor import is_image
from tests.compiler.decoded import operations
from tests.compiler.differences import OTHER_OPERATIONS, left_out
from tests.compiler.nets import Case, batches, cases
from tests.runtime.goldens import loadables, value

CASES = cases()
RUNS = {recorded.path: recorded.runs for recorded in loadables()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_same_operations(case: Case) -> None:
    ours = list(operations(case.compile()))
    if case.net not in OTHER_OPERATIONS:
        assert (ours == list(operations(Loadable.load(case.real)))) is (left_out(case) is None)


@pytest.mark.parametrize("case", batches(), ids=lambda case: case.name)
def test_batches(case: Case) -> None:
    """Also the order of the images' operations and what waits for what are the real compiler's.

    But for one event: here a convolution waits until those of the layer before are done, and one of pixels
    for that of the image before, on purpose.
    """
    ours, real = case.compile(), Loadable.load(case.real)
    assert _edges(ours) == _edges(real)
    assert _late_convolutions(real) == 0
    layers = sum(op["kind"] == "CONV" for op in operations(ours)) // 2
    assert _late_convolutions(ours) == layers - 1 + is_image(ours.tensors[0])
    sizes = [[(t.name, t.n, t.size, t.strides) for t in loadable.tensors] for loadable in (ours, real)]
    assert sizes[0] == sizes[1]
    runtime = Runtime(ours, case.config)
    for (path,), (output,) in RUNS[case.real]:
        (result,) = runtime.run([[value(path)] * 2])
        equal = [text_dump(image) == output.read_bytes() for image in result.values]
        assert equal == [left_out(case) is None] * 2


@pytest.mark.parametrize("case", [case for case in CASES if RUNS.get(case.real)], ids=lambda case: case.name)
def test_same_outputs(case: Case, count_goldens: Callable[[str, str, str, int, int], None]) -> None:
    """By the outputs' names: ours are in the net's order, the real compiler's are in an order of its own."""
    real = Loadable.load(case.real)
    names = [real.tensors[memory.tensor_desc_id].name for memory in bound_memories(real, MemoryFlags.OUTPUT)]
    runtime = Runtime(case.compile(), case.config)
    wrong, count = [], 0
    for inputs, outputs in RUNS[case.real]:
        results = {r.name: text_dump(r.values) for r in runtime.run([value(path) for path in inputs])}
        for name, output in zip(names, outputs, strict=True):
            count += 1
            if results.get(name) != output.read_bytes():
                wrong.append(output.name)
    reason = left_out(case)
    if reason is not None:
        assert wrong, f"equal now, although {reason}"
        return
    if case.root == "shared":
        suite = "outputs of the real stack, compiled here"
        count_goldens(suite, case.config, case.mode, count - len(wrong), len(wrong))
    assert not wrong


def _edges(loadable: Loadable) -> list[tuple[int, int, list[tuple[int, int]]]]:
    """Of each of the chip's operations: type, what it waits for, where its edges lead with which event.

    Between convolutions the event is left out.
    """
    return [
        (
            int(node["op_type"]),
            int(node["dependency_count"]),
            [
                (int(edge["index"]), -1 if node["op_type"] == slot == OpType.CONV else int(edge["event"]))
                for slot, edge in enumerate([*node["consumers"], node["fused_parent"]])
                if edge["index"] >= 0
            ],
        )
        for node in _graph(loadable)
    ]


def _late_convolutions(loadable: Loadable) -> int:
    """How many start only when the one before is completed."""
    edges = [node["consumers"][OpType.CONV] for node in _graph(loadable) if node["op_type"] == OpType.CONV]
    return sum(edge["event"] == OpEvent.OP_COMPLETED for edge in edges if edge["index"] >= 0)


def _graph(loadable: Loadable) -> Iterator[np.void]:
    for task in read_tasks(loadable):
        if isinstance(task, DlaTask):
            yield from task.dep_graph


def test_most_loadables_have_the_same_outputs() -> None:
    ran = [case for case in CASES if RUNS.get(case.real) and case.root == "shared"]
    if not ran:
        pytest.skip("the golden loadables are not on this machine")
    assert sum(left_out(case) is None for case in ran) >= 212
