"""Recorded runs of the real firmware and chip: every register write in order, every operation's bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nvdla_sim.errors import LoadableError
from nvdla_sim.hw.config import Config, config_named
from nvdla_sim.hw.execute import reference_executor
from nvdla_sim.hw.kernels.writes import writes
from nvdla_sim.hw.launch import Launch
from nvdla_sim.hw.memory import Ports
from nvdla_sim.loadable.enums import MemoryFlags
from nvdla_sim.loadable.lists import DlaTask, EmuTask, read_task
from nvdla_sim.loadable.loadable import Loadable
from nvdla_sim.runtime.buffers import Buffers, bound_memories
from nvdla_sim.runtime.firmware import Csb
from nvdla_sim.runtime.image import read_picture
from nvdla_sim.runtime.plan import Steps, resolve
from nvdla_sim.runtime.tensor import write
from tests.runtime.goldens import INPUT_ENDINGS
from tests.shared import SHARED_GOLDENS, golden_paths

Count = Callable[[str, str, str, int, int], None]


def status(folder: Path) -> str:
    with (folder / "ops.jsonl").open() as file:
        return json.loads(file.readline())["run"]["status"]


RUNS = [path.parent for path in golden_paths("perop/*/*/ops.jsonl")]
COMPLETED = [folder for folder in RUNS if status(folder) == "ok"]
FAILED = [folder for folder in RUNS if status(folder) == "error"]

# GLB.S_INTR_STATUS := CDMA data and weights done, of a convolution whose SDP never starts. Here the units of
# a convolution run together, so one that nothing takes data from has not fetched anything either.
FETCHED_IN_VAIN = [0x100C, 0x50000]


class Tap:
    """Between firmware and chip: keeps every register write."""

    def __init__(self) -> None:
        self.writes: list[list[int]] = []

    def __call__(self, csb: Csb) -> Csb:
        def csb_write(address: int, value: int) -> None:
            self.writes.append([address, value])
            csb.csb_write(address, value)

        return SimpleNamespace(csb_write=csb_write, csb_read=csb.csb_read, pending=csb.pending)


@dataclass
class Recording:
    run: dict[str, Any]
    operations: list[dict[str, Any]]  # completed ones, in that order
    writes: list[list[int]]


def read_recording(folder: Path) -> Recording:
    lines = [json.loads(line) for line in (folder / "ops.jsonl").read_text().splitlines()]
    bursts = [json.loads(line) for line in (folder / "registers.jsonl").read_text().splitlines()]
    return Recording(
        lines[0]["run"],
        [line for line in lines if "n" in line],
        [write for burst in bursts for write in burst["writes"]],
    )


def load(run: dict[str, Any]) -> Loadable:
    folder = "lenet-mnist/loadables" if run["net"] == "lenet-mnist" else f"loadables/{run['net']}"
    return Loadable.load(SHARED_GOLDENS / folder / run["loadable"])


@pytest.mark.parametrize("folder", COMPLETED, ids=lambda f: f"{f.parent.name}-{f.name}")
def test_completed_run(folder: Path, count_goldens: Count) -> None:
    recording = read_recording(folder)
    config = config_named(recording.run["config"])
    loadable = load(recording.run)
    buffers = Buffers(loadable)
    tap = Tap()
    steps = resolve(loadable, tasks_of(loadable), config, buffers, tap)
    assert tap.writes == recording.writes
    count_goldens("recorded register writes, runs", config.name, recording.run["mode"], 1, 0)
    with np.load(folder / "data.npz") as data:
        memory = bound_memories(loadable, MemoryFlags.INPUT)[0]
        buffers.ports.dram.view(buffers.base(memory.id), data["input"].size)[:] = data["input"]
        compared = compare_after_each(config, steps, buffers.ports, recording.operations, dict(data))
    count_goldens("bytes after each recorded operation", config.name, recording.run["mode"], compared, 0)


@pytest.mark.parametrize("folder", FAILED, ids=lambda f: f"{f.parent.name}-{f.name}")
def test_failed_run(folder: Path, count_goldens: Count) -> None:
    """What was written until the firmware refused an operation, or until nothing went on."""
    recording = read_recording(folder)
    config = config_named(recording.run["config"])
    loadable = load(recording.run)
    tap = Tap()
    with pytest.raises(LoadableError):
        resolve(loadable, tasks_of(loadable), config, Buffers(loadable), tap)
    expected = recording.writes
    if recording.run["net"] == "conv_softmax_conv":
        assert expected.pop() == FETCHED_IN_VAIN
    assert tap.writes == expected
    count_goldens("recorded register writes, failed runs", config.name, recording.run["mode"], 1, 0)


@pytest.mark.parametrize("folder", RUNS, ids=lambda f: f"{f.parent.name}-{f.name}")
def test_input_surface(folder: Path, count_goldens: Count) -> None:
    """A picture's or an array's bytes in the input, as the hardware got them."""
    run = read_recording(folder).run
    loadable, config = load(run), config_named(run["config"])
    tensor = loadable.tensors[bound_memories(loadable, MemoryFlags.INPUT)[0].tensor_desc_id]
    net = SHARED_GOLDENS / (
        "lenet-mnist/images" if run["net"] == "lenet-mnist" else f"loadables/{run['net']}"
    )
    path = next(p for p in (net / f"{run['input']}{end}" for end in INPUT_ENDINGS) if p.exists())
    values = np.load(path) if path.suffix == ".npy" else read_picture(path, tensor.w, tensor.h)
    raw = np.full(tensor.size, 0x55, np.uint8)
    write(tensor, raw, values[None], config)
    with np.load(folder / "data.npz") as data:
        np.testing.assert_array_equal(raw, data["input"])
    count_goldens("recorded input surfaces", run["config"], path.suffix, 1, 0)


def tasks_of(loadable: Loadable) -> list[DlaTask | EmuTask]:
    return [read_task(loadable, task) for task in loadable.tasks]


def compare_after_each(
    config: Config,
    steps: Steps,
    ports: Ports,
    operations: list[dict[str, Any]],
    data: dict[str, np.ndarray],
) -> int:
    """Run the steps, and compare the bytes of the operation that each completes.

    Operations that ran at the same time may have completed in another order: the address tells which it is.
    """
    execute = reference_executor(config, ports)
    waiting = [operation for operation in operations if "dst_bytes" in operation]
    assert len(waiting) == len(steps)
    for step in steps:
        if isinstance(step, Launch):
            execute(step)
            ((_, address, _),) = writes(config, step)
        else:
            step.run()
            address = step.address
        done = next(o for o in waiting if o["cubes"]["dst"]["dma"] == address)
        waiting.remove(done)
        np.testing.assert_array_equal(
            ports.dram.view(address, done["dst_bytes"]),
            data[f"{done['n']:04}"],
            f"operation {done['n']} ({done['type']})",
        )
    return len(steps)
