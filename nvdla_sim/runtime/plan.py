"""A loadable's tasks resolved once into what a run executes, one step after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from nvdla_sim.hw.chip import Chip
from nvdla_sim.hw.config import Config
from nvdla_sim.hw.execute import reference_executor
from nvdla_sim.hw.launch import Launch
from nvdla_sim.hw.memory import Ports
from nvdla_sim.loadable.lists import DlaTask, EmuTask
from nvdla_sim.loadable.loadable import Loadable
from nvdla_sim.runtime import emulator
from nvdla_sim.runtime.buffers import Buffers
from nvdla_sim.runtime.firmware import Csb, Firmware

Step = Callable[[], object]
Prepare = Callable[[Config, Sequence[Launch], Ports], list[Step]]


def reference_steps(config: Config, launches: Sequence[Launch], ports: Ports) -> list[Step]:
    """The launches of one task, executed by the engines' references."""
    execute = reference_executor(config, ports)
    return [partial(execute, launch) for launch in launches]


def resolve(
    loadable: Loadable,
    tasks: Sequence[DlaTask | EmuTask],
    config: Config,
    buffers: Buffers,
    prepare: Prepare,
    tap: Callable[[Csb], Csb] = lambda csb: csb,
) -> list[Step]:
    """What the submits do, in order.

    The firmware runs on a chip that only notes its launches; ``prepare`` makes those of a task executable.
    ``tap`` may put something between firmware and chip that sees the register accesses.
    """
    launches: list[Launch] = []

    def note(launch: Launch) -> dict[str, int]:
        launches.append(launch)
        return {}

    csb = tap(Chip(config, buffers.ports, note))
    steps: list[Step] = []
    for number in (task for submit in loadable.submits for task in submit.task_ids):
        task, entry = tasks[number], loadable.tasks[number]
        name = f"{loadable.name}: task {number}"
        locate = partial(buffers.locate, entry)
        if isinstance(task, EmuTask):
            steps += emulator.prepare(task, locate, buffers.ports, name)
            continue
        launches.clear()
        Firmware(config, csb, task, locate, name).run()
        steps += prepare(config, tuple(launches), buffers.ports)
    return steps
