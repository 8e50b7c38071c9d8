"""Each rule about a loadable's lists, broken one at a time."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from nvdla_sim.errors import LoadableError
from nvdla_sim.loadable.check import MAX_MEMORY, problems, refuse
from nvdla_sim.loadable.entries import Address, Blob, MemoryEntry, Submit, Task
from nvdla_sim.loadable.loadable import Loadable
from tests.loadable.samples import ACTIVATIONS, CONSTANTS, INPUT, OUTPUT, small_loadable


def test_a_good_loadable_has_no_problem() -> None:
    assert list(problems(small_loadable())) == []


def _too_many_addresses(x: Loadable) -> None:
    x.tasks[0].address_list = [0] * 6145


def _output_gap(x: Loadable) -> None:
    x.memories[OUTPUT].bind_id = 1


def _two_inputs_with_one_number(x: Loadable) -> None:
    x.memories[ACTIVATIONS].flags |= 4


def _many_inputs(x: Loadable) -> None:
    first = len(x.memories)
    more = [replace(x.memories[INPUT], id=first + i, bind_id=1 + i) for i in range(256)]
    x.memories += more


def _overlap(x: Loadable) -> None:
    memory = x.memories[CONSTANTS]
    memory.contents, memory.offsets = ["tb-0"] * 33, [0] * 33


RULES: list[tuple[Callable[[Loadable], object], str]] = [
    (lambda x: x.tasks.clear(), "there is no task"),
    (lambda x: x.memories.clear(), "there is no memory"),
    (lambda x: x.submits.clear(), "there is no submit"),
    (lambda x: setattr(x.tasks[1], "id", 0), "task 1 has id 0"),
    (lambda x: setattr(x.memories[2], "id", 9), "memory 2 has id 9"),
    (lambda x: setattr(x.addresses[0], "id", 1), "address 0 has id 1"),
    (lambda x: setattr(x.tensors[1], "id", 2), "tensor 1 has id 2"),
    (lambda x: x.addresses.extend([x.addresses[0]] * 65536), "at most 65536 are allowed"),
    (lambda x: x.tasks.extend([x.tasks[0]] * 1024), "1026 entries of kind task, at most 1024 are allowed"),
    (lambda x: setattr(x.memories[0], "domain", 2), "memory 0: domain 2"),
    (lambda x: x.memories[CONSTANTS].offsets.append(0), "memory 1: 1 contents, but 2 offsets"),
    (lambda x: x.memories[CONSTANTS].contents.__setitem__(0, "tb-1"), '"tb-1" is not among the blobs'),
    (lambda x: x.memories[CONSTANTS].offsets.__setitem__(0, 3969), '"tb-0" (128 bytes at 3969) does not fit'),
    (_overlap, "memory 1: its contents overlap"),
    (lambda x: setattr(x.memories[0], "size", MAX_MEMORY), f"at most {MAX_MEMORY} are allowed"),
    (_output_gap, "the OUTPUTs are bound to [1]"),
    (_two_inputs_with_one_number, "the INPUTs are bound to [0, 0]"),
    (_many_inputs, "there are 257 INPUTs, at most 256 are allowed"),
    (lambda x: setattr(x.memories[INPUT], "tensor_desc_id", 2), "tensor 2 of INPUT 0"),
    (lambda x: setattr(x.addresses[1], "mem_id", 99), "address 1: memory 99"),
    (lambda x: setattr(x.addresses[1], "offset", 4097), "address 1: offset 4097 is outside memory 1"),
    (lambda x: setattr(x.tensors[0], "mem_id", 99), 'tensor "data": memory 99'),
    (lambda x: setattr(x.tensors[0], "size", 129), 'tensor "data": 129 bytes at 0 are outside memory 3'),
    (lambda x: setattr(x.tensors[0], "offset", 1), 'tensor "data": 128 bytes at 1 are outside memory 3'),
    (lambda x: setattr(x.tensors[0], "h", 0), "h 0, w 4; each must be at least 1"),
    (lambda x: setattr(x.tensors[0], "c", -5), "c -5"),
    (lambda x: setattr(x.tensors[0], "c", 9), "need more than its 128 bytes"),
    (lambda x: setattr(x.tasks[0], "interface", 3), "task 0: interface 3"),
    (_too_many_addresses, "6145 addresses"),
    (lambda x: x.tasks[1].address_list.append(13), "task 1: addresses [13] are not among the 13"),
    (lambda x: x.submits[1].task_ids.append(2), "submit 1: tasks [2] are not among the 2"),
    (
        lambda x: x.blobs.append(Blob("tb-0", 0, 0, (0, 0, 0), np.zeros(1, np.uint8))),
        'two blobs have the name "tb-0"',
    ),
]


@pytest.mark.parametrize(("breaks", "told"), RULES, ids=[re.sub(r"\W+", "-", told) for _, told in RULES])
def test_each_rule(breaks: Callable[[Loadable], object], told: str) -> None:
    loadable = small_loadable()
    breaks(loadable)
    assert told in "\n".join(problems(loadable))


def test_the_last_allowed_values() -> None:
    loadable = small_loadable()
    loadable.addresses[1].offset = 4096
    loadable.memories[CONSTANTS].offsets = [3968]
    loadable.tasks[0].address_list = [0] * 6144
    loadable.memories[0].size = 0
    loadable.memories[0].size = MAX_MEMORY - sum(memory.size for memory in loadable.memories)
    assert list(problems(loadable)) == []


def test_what_the_runtime_does_not_read_may_be_anything() -> None:
    loadable = small_loadable()
    loadable.events[0].id = 77
    loadable.tasks[0].post_actions = [99]
    loadable.submits[0].id = 5
    # contents count only where they are copied: hand-made files name some that do not exist
    loadable.memories[OUTPUT].contents, loadable.memories[OUTPUT].offsets = [""], [0]
    assert list(problems(loadable)) == []


def test_all_problems_are_told_at_once() -> None:
    loadable = small_loadable()
    loadable.memories[0].domain = 2
    loadable.addresses[1].mem_id = 99
    loadable.tensors[0].h = 0
    loadable.tasks[0].interface = 3
    assert len(list(problems(loadable))) == 4


def test_a_long_list_of_problems_is_cut() -> None:
    loadable = Loadable(
        tasks=[Task(i, 7) for i in range(1000)],
        memories=[MemoryEntry(0, 0, 1, 1)],
        addresses=[Address(0, 0, 0, 0)],
        submits=[Submit(0, [])],
    )
    with pytest.raises(LoadableError) as caught:
        loadable.to_bytes()
    lines = str(caught.value).splitlines()
    assert len(lines) == 22
    assert lines[-1] == "  - and more"


def test_nothing_is_refused_without_a_problem() -> None:
    refuse("headline", [])
