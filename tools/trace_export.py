"""Writes a loadable's run as an NVDLA text trace: memory before, register writes, checks of the results.

The driver's register writes are recorded while it runs on the simulated chip. In a trace every unit has its
own queue, so words hold together what the driver did one after the other: a unit goes on only after the
interrupts that the driver had handled by then, and units are enabled in the driver's order. What a CPU
operation between two accelerator tasks writes is loaded when the task before it is done.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import accumulate
from pathlib import Path

from nvdla_sim._version import __version__
from nvdla_sim.errors import NvdlaError, UnsupportedError
from nvdla_sim.files import write_atomically
from nvdla_sim.hw.config import Config
from nvdla_sim.hw.execute import reference_executor
from nvdla_sim.hw.formats import round_up
from nvdla_sim.hw.kernels.writes import writes
from nvdla_sim.hw.launch import Launch
from nvdla_sim.hw.memory import Bytes
from nvdla_sim.hw.registers import register_map
from nvdla_sim.loadable.enums import MemoryFlags
from nvdla_sim.loadable.lists import read_tasks
from nvdla_sim.loadable.loadable import Loadable
from nvdla_sim.runtime.buffers import PAGE, Buffers
from nvdla_sim.runtime.emulator import CpuOperation
from nvdla_sim.runtime.firmware import Csb
from nvdla_sim.runtime.plan import Steps, resolve
from nvdla_sim.runtime.session import InputValue, Runtime
from tools.trace_format import memory_text
from tools.trace_player import INTERRUPTS


def export(
    loadable: Loadable,
    inputs: InputValue | Sequence[InputValue],
    folder: Path,
    target: str | None = None,
) -> Path:
    """Write ``folder/<loadable's name>.cfg`` after its memory files; the trace's path.

    ``inputs`` and ``target`` as for ``Runtime``. ``NvdlaError`` when the loadable cannot run or a file cannot
    be written.
    """
    runtime = Runtime(loadable, target)
    runtime.run(inputs)
    config, buffers = runtime.config, Buffers(loadable)
    for port in runtime.inputs:  # nothing writes to an input: it is what it was before the run
        buffers.ports.dram.view(port.address, port.raw.size)[:] = port.raw
    tasks = read_tasks(loadable)
    steps = resolve(loadable, tasks, config, buffers)
    handled = list(accumulate(map(_interrupts, steps)))  # interrupts when a step is done
    if not steps or not handled[-1]:
        raise UnsupportedError(f"{loadable.name} runs nothing on the accelerator: there is nothing to export")
    stops = {count for count, step in zip(handled, steps, strict=True) if isinstance(step, CpuOperation)}
    recorder = _Recorder(config, stops | {handled[-1]})
    resolve(loadable, tasks, config, buffers, recorder.tap)

    name = re.sub(r"\W", "_", Path(loadable.name).stem)
    files = _MemoryFiles(folder, name)
    trace = [f"// {Path(loadable.name).name} on {config.name}, by nvdla-sim {__version__}"]
    trace += _initial_memory(loadable, buffers, steps[: handled.count(0)], files)
    trace += recorder.lines
    trace += _results(config, buffers, steps, handled, files)
    path = folder / f"{name}.cfg"
    write_atomically(path, "\n".join([*trace, ""]).encode())
    return path


def _interrupts(step: Launch | CpuOperation) -> int:
    """How many interrupts tell that a step is done."""
    if isinstance(step, CpuOperation):
        return 0
    ends = (step.sdp, step.pdp, step.cdp, step.rubik, step.bdma)
    # a convolution's data, weights and accumulator have one each
    return (3 if step.conv is not None else 0) + sum(layer is not None for layer in ends)


class _Recorder:
    """Stands between driver and chip and turns what the driver writes into the trace's lines.

    ``stops``: numbers of handled interrupts; a word ``done_<number>`` is given when so many have come.
    """

    def __init__(self, config: Config, stops: Collection[int]) -> None:
        self.lines: list[str] = []
        self._stops = stops
        self._registers = register_map(config)
        self._handled = 0
        self._words: list[str] = []  # what units have to wait for: interrupts and stops so far
        self._waited: Counter[str] = Counter()  # unit -> how many of them it waits for already
        self._numbers: Counter[str] = Counter()  # of the words of each kind
        self._enabled = ""  # unit that was enabled last

    def tap(self, chip: Csb) -> Csb:
        self._chip = chip
        return self

    def csb_read(self, address: int) -> int:
        return self._chip.csb_read(address)

    def pending(self) -> list[str]:
        return self._chip.pending()

    def csb_write(self, address: int, value: int) -> None:
        self._chip.csb_write(address, value)
        unit, register = self._registers.decode(address)
        if (unit, register) == ("GLB", "S_INTR_STATUS"):
            self._interrupts(value)
            return
        self._wait_for_all(unit)
        enables = register == "D_OP_ENABLE" and value & 1
        if enables and unit == "CDMA":
            # after a reset the convolution buffer takes a while to clear
            self.lines.append("poll_reg_equal(NVDLA_CDMA.S_CBUF_FLUSH_STATUS_0, 0x1);")
        if enables and self._enabled not in ("", unit):
            self.lines.append(f"sync_wait(NVDLA_{unit}, enabled_{self._numbers['enabled'] - 1});")
        self.lines.append(f"reg_write(NVDLA_{unit}.{register}_0, 0x{value:x});")
        if enables:
            self.lines.append(f"sync_notify(NVDLA_{unit}, {self._next('enabled')});")
            self._enabled = unit

    def _interrupts(self, status: int) -> None:
        """The driver clears these bits; the trace's player does that by itself."""
        for name in (name for bit, name in INTERRUPTS.items() if status >> bit & 1):
            self._words.append(self._next(name))
            self.lines.append(f"intr_notify({name}, {self._words[-1]});")
            self._handled += 1
        if self._handled in self._stops:
            self._wait_for_all("GLB")
            self._words.append(f"done_{self._handled}")
            self.lines.append(f"sync_notify(NVDLA_GLB, {self._words[-1]});")

    def _next(self, kind: str) -> str:
        self._numbers[kind] += 1
        return f"{kind}_{self._numbers[kind] - 1}"

    def _wait_for_all(self, unit: str) -> None:
        for word in self._words[self._waited[unit] :]:
            self.lines.append(f"sync_wait(NVDLA_{unit}, {word});")
        self._waited[unit] = len(self._words)


class _MemoryFiles:
    """Writes memory files ``folder/<name>_<what>.dat``; gives the commands that load them."""

    def __init__(self, folder: Path, name: str) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise NvdlaError(f"cannot write to {folder}: {problem.strerror or problem}") from None
        self._folder = folder
        self._name = name

    def load(self, what: str, address: int, data: Bytes, *word: str) -> str:
        file = f"{self._name}_{what}.dat"
        write_atomically(self._folder / file, memory_text(data).encode())
        return f"mem_load({', '.join(['pri_mem', hex(address), chr(34) + file + chr(34), *word])});"


def _initial_memory(
    loadable: Loadable, buffers: Buffers, cpu_first: Steps, files: _MemoryFiles
) -> Iterator[str]:
    """The memory when the accelerator starts; ``cpu_first``: CPU operations before that."""
    for step in cpu_first:
        assert isinstance(step, CpuOperation)
        step.run()
    bound = MemoryFlags.ALLOC | MemoryFlags.INPUT | MemoryFlags.OUTPUT
    memories = [memory for memory in loadable.memories if memory.flags & bound]
    for memory in memories:
        address, size = buffers.base(memory.id), round_up(memory.size, PAGE)
        # a cube may reach into the rest of the page
        yield f"mem_init(pri_mem, 0x{address:x}, 0x{size:x}, ALL_ZERO);"
        data = buffers.ports.dram.view(address, size)
        if data.any():
            what = f"input{memory.bind_id}" if memory.flags & MemoryFlags.INPUT else f"memory{memory.id}"
            yield files.load(what, address, data)


def _results(
    config: Config, buffers: Buffers, steps: Steps, handled: Sequence[int], files: _MemoryFiles
) -> list[str]:
    """What CPU operations contribute between the accelerator's tasks, and checks of all that these wrote."""
    lines = []
    places: set[tuple[int, int]] = set()
    execute = reference_executor(config, buffers.ports)
    for number, (step, count) in enumerate(zip(steps, handled, strict=True)):
        if isinstance(step, Launch):
            execute(step)
            places.update((address, size) for _, address, size in writes(config, step))
        elif 0 < count < handled[-1]:
            step.run()
            data = buffers.ports.dram.view(step.address, step.size)
            lines.append(files.load(f"step{number}", step.address, data, f"done_{count}"))
    for address, size in sorted(places):
        whole_words = size & ~3
        crc = zlib.crc32(buffers.ports.dram.view(address, whole_words).tobytes())
        lines.append(f"check_crc(done_{handled[-1]}, pri_mem, 0x{address:x}, 0x{whole_words:x}, 0x{crc:x});")
    return lines
