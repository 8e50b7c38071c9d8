"""A loadable's tasks resolved once into what a run executes: launches and CPU operations, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from nvdla_sim.errors import LoadableError
from nvdla_sim.hw.chip import Chip
from nvdla_sim.hw.config import Config
from nvdla_sim.hw.kernels.writes import writes
from nvdla_sim.hw.launch import Launch
from nvdla_sim.hw.limits import Allowance
from nvdla_sim.hw.memory import Ports
from nvdla_sim.loadable.lists import MAX_OPERATIONS, DlaTask, EmuTask
from nvdla_sim.loadable.loadable import Loadable
from nvdla_sim.runtime import emulator
from nvdla_sim.runtime.buffers import Buffers
from nvdla_sim.runtime.emulator import CpuOperation
from nvdla_sim.runtime.firmware import Csb, Firmware

Steps = Sequence[Launch | CpuOperation]
Extent = tuple[int, int]  # bus address, bytes

_DRAM = 1


def resolve(
    loadable: Loadable,
    tasks: Sequence[DlaTask | EmuTask],
    config: Config,
    buffers: Buffers,
    tap: Callable[[Csb], Csb] = lambda csb: csb,
) -> Steps:
    """What the submits do, one after the other.

    The firmware runs on a chip that only notes its launches. ``tap`` may put something between firmware and
    chip that sees the register accesses. ``NvdlaError`` for what is refused, too long or too much.
    """
    steps: list[Launch | CpuOperation] = []
    submitted = [task for submit in loadable.submits for task in submit.task_ids]
    count = sum(max(len(tasks[number].ops), 1) for number in submitted)
    if count > MAX_OPERATIONS:
        raise LoadableError(
            f"{loadable.name}: its submits run {count} operations, at most {MAX_OPERATIONS} are possible"
        )
    allowance = Allowance()

    def note(launch: Launch) -> dict[str, int]:
        steps.append(launch)
        return {}

    csb = tap(Chip(config, buffers.ports, allowance.limiting(config, note)))
    for number in submitted:
        task, entry = tasks[number], loadable.tasks[number]
        name = f"{loadable.name}: task {number}"
        locate = partial(buffers.locate, entry)
        if isinstance(task, EmuTask):
            operations = emulator.prepare(task, locate, buffers.ports, name)
            allowance.take(sum(operation.seconds for operation in operations))
            steps += operations
        else:
            Firmware(config, csb, task, locate, name).run()
    return steps


def executable(
    config: Config, steps: Steps, ports: Ports, given: Iterable[Extent]
) -> list[Callable[[], object]]:
    """What runs each step, any number of times. ``given``: memory that changes between runs.

    ``ProgramError`` when a launch leaves its memory.
    """
    # numba takes a while to import
    from nvdla_sim.hw.kernels.program import prepare_program

    launches = [step for step in steps if isinstance(step, Launch)]
    by_cpu = [(step.address, step.size) for step in steps if isinstance(step, CpuOperation)]
    volatile = [(_DRAM, address, size) for address, size in (*given, *by_cpu)]
    runs = iter(prepare_program(config, launches, ports, volatile))
    return [next(runs) if isinstance(step, Launch) else step.run for step in steps]


def written(config: Config, steps: Steps) -> Iterator[Extent]:
    """The memory that the steps write."""
    for step in steps:
        if isinstance(step, Launch):
            yield from ((address, size) for _, address, size in writes(config, step))
        else:
            yield step.address, step.size
