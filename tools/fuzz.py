#!/usr/bin/env python3
"""Feed damaged inputs to the simulator and watch that each ends in the right bytes or in a clear error.

    python tools/fuzz.py --what loadables --count 1000 [--seed S] [--first N]

``--what``: loadables (run by the runtime), programs (register programs, run on the chip), traces (text
traces, played), nets (Caffe nets with their tables, compiled), or pictures. Each input is a good one with a
few numbers, words or bytes changed. "The right bytes": the references and the kernels agree on all memory. A
case is a finding when they do not, when anything but an ``NvdlaError`` is raised, when the process dies (the
memory of loadables and programs lies between pages that nobody may touch), and when it takes too long or too
much memory.

Findings are printed and saved with what reproduces them; case N alone: ``--first N --count 1``.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import multiprocessing
import resource
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from nvdla_sim.errors import NvdlaError
from tools.fuzz_loadables import Loadables
from tools.fuzz_programs import Programs
from tools.fuzz_support import ENGINES, Case, Finding, Subject
from tools.fuzz_texts import Nets, Pictures, Traces

ROOT = Path(__file__).resolve().parent.parent
GOLDENS = [p for p in (ROOT / "tests" / "goldens", ROOT.parent / "shared" / "goldens") if p.is_dir()]

SLOW = 5.0  # seconds of CPU time that a case may take
HANGS = 300.0  # seconds after which a case is given up; some go into compiling kernels
PEAK = 2 << 30  # bytes that a case may take on its way
ADDRESS_SPACE = 16 << 30  # bytes that a worker may map
START_METHOD = "spawn"  # of workers: they have nothing that the process before has damaged
LONGEST_MESSAGE = 10_000  # characters

RAN, REFUSED, FOUND = "ran", "refused", "finding"


class Outcome(NamedTuple):
    """How case ``number`` ended. ``kind``: a short name to count by; ``text``: all that there is to say."""

    number: int
    verdict: str
    kind: str
    text: str


def _loadables() -> Subject:
    return Loadables([*GOLDENS, ROOT / "loadables"])


def _programs() -> Subject:
    return Programs(path for root in GOLDENS for path in root.glob("random/*.npz"))


def _traces() -> Subject:
    return Traces(sorted((GOLDENS[0] / "recipes").glob("*/*nv_small.nvdla"))[::4])


def _nets() -> Subject:
    demo = ROOT / "nvdla_sim" / "demo"
    folders = [folder for root in GOLDENS for folder in root.glob("loadables/*")]
    found = [[folder / name for name in Nets.NAMES] for folder in folders]
    complete = [net for net in found if all(path.exists() for path in net)]
    return Nets([[demo / f"digits{end}" for end in (".prototxt", ".caffemodel", ".int8.json")], *complete])


def _pictures() -> Subject:
    return Pictures(path for root in GOLDENS for path in root.glob("loadables/*/img_*"))


SUBJECTS: dict[str, Callable[[], Subject]] = {
    "loadables": _loadables,
    "programs": _programs,
    "traces": _traces,
    "nets": _nets,
    "pictures": _pictures,
}


def make(what: Subject, name: str, seed: int, number: int) -> Case:
    """Case ``number``: always the same one."""
    return what.case(Random(f"{name} {seed} {number}"))


def judge(case: Case, number: int, engines: Sequence[str]) -> Outcome:
    """Play a case in this process."""
    outcome, seconds, peak = _play(case, number, engines)
    if seconds > SLOW and outcome.verdict != FOUND:
        # kernels may have been compiled; they are only once
        outcome, seconds, peak = _play(case, number, engines)
    if seconds > SLOW and outcome.verdict != FOUND:
        return Outcome(number, FOUND, "slow", f"{seconds:.1f} s of CPU time\n{outcome.text}")
    if peak > PEAK and outcome.verdict != FOUND:
        return Outcome(number, FOUND, "memory", f"{peak >> 20} MiB more than before\n{outcome.text}")
    return outcome


def _play(case: Case, number: int, engines: Sequence[str]) -> tuple[Outcome, float, int]:
    """How it ended, seconds of CPU time, and bytes that it took on its way."""
    verdict, kind, text = RAN, RAN, ""
    before, start = _reset_peak(), time.process_time()
    try:
        case.play(engines)
    except NvdlaError as problem:
        verdict, kind, text = REFUSED, type(problem).__name__, str(problem)
        if len(text) > LONGEST_MESSAGE:
            verdict, kind = FOUND, "long message"
    except Finding as problem:
        verdict, kind, text = FOUND, "difference", str(problem)
    except Exception as problem:
        verdict, kind, text = FOUND, type(problem).__name__, traceback.format_exc()
    return Outcome(number, verdict, kind, text), time.process_time() - start, _peak() - before


def _reset_peak() -> int:
    """Bytes in use now; from here on ``_peak`` counts."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> int:
    """The most bytes that were in use."""
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) << 10
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def work(
    connection: Connection, name: str, seed: int, numbers: range, engines: Sequence[str], log: str
) -> None:
    """What a worker process does: play the cases, tell each outcome."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    what = SUBJECTS[name]()
    with open(log, "w") as file:
        faulthandler.enable(file)
        for number in numbers:
            connection.send(judge(make(what, name, seed, number), number, engines))


def outcomes(name: str, seed: int, numbers: range, engines: Sequence[str], log: Path) -> Iterator[Outcome]:
    """Play the cases in a worker process, and in another one where it dies or hangs."""
    context = multiprocessing.get_context(START_METHOD)
    while numbers:
        log.write_text("")
        mine, its = context.Pipe(duplex=False)
        worker = context.Process(target=work, args=(its, name, seed, numbers, engines, str(log)), daemon=True)
        worker.start()
        its.close()
        try:
            while numbers:
                if not mine.poll(HANGS):
                    yield Outcome(numbers[0], FOUND, "hang", f"more than {HANGS:.0f} seconds")
                    break
                yield mine.recv()
                numbers = numbers[1:]
        except EOFError:
            worker.join()
            yield Outcome(numbers[0], FOUND, "died", f"exit code {worker.exitcode}\n{log.read_text()}")
        worker.kill()
        worker.join()
        numbers = numbers[1:]


def _line(text: str) -> str:
    """The line that says most: the last one of a traceback, else the first."""
    lines = text.strip().splitlines() or [""]
    return lines[-1 if lines[0].startswith("Traceback") else 0][:200]


def main(arguments: list[str] | None = None) -> int:
    from nvdla_sim.cli._command import command_parser, run_command

    parser = command_parser("fuzz.py", __doc__ or "")
    parser.add_argument("--what", choices=SUBJECTS, default="loadables", help="the kind of input")
    parser.add_argument("--count", type=int, default=1000, help="how many cases")
    parser.add_argument("--first", type=int, default=0, help="number of the first one")
    parser.add_argument("--seed", type=int, default=0, help="other cases for another seed")
    parser.add_argument("--engine", choices=ENGINES, help="run by this one only, comparing nothing")
    parser.add_argument("-o", dest="output", type=Path, default=Path("fuzz-findings"), help="for findings")
    found = 0

    def run(options: argparse.Namespace) -> None:
        nonlocal found
        options.output.mkdir(parents=True, exist_ok=True)
        engines = (options.engine,) if options.engine else ENGINES
        numbers = range(options.first, options.first + options.count)
        counts: Counter[tuple[str, str]] = Counter()
        what = SUBJECTS[options.what]()
        log = options.output / "worker.log"
        for outcome in outcomes(options.what, options.seed, numbers, engines, log):
            counts[outcome.verdict, outcome.kind] += 1
            if not counts.total() % 10_000:
                print(f"{counts.total()} cases, {found} findings so far", flush=True)
            if outcome.verdict == FOUND:
                found += 1
                stem = f"{options.what}-{options.seed}-{outcome.number}"
                case = make(what, options.what, options.seed, outcome.number)
                saved = case.save(options.output / stem)
                saved.with_suffix(".txt").write_text(outcome.text)
                print(f"{saved} ({case.seed}): {outcome.kind}: {_line(outcome.text)}", flush=True)
        for (verdict, kind), count in sorted(counts.items()):
            print(f"{count:8} {verdict}{'' if kind == verdict else f': {kind}'}")
        print(f"{sum(counts.values())} cases, {found} findings")

    return run_command(parser, run, arguments) or min(found, 1)


if __name__ == "__main__":
    sys.exit(main())
