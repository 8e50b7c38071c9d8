#!/usr/bin/env python3
"""Measure how near compiled nets come to float, to the ideal, and to the real compiler.

    python tools/zoo.py ZOO
    python tools/accuracy.py --zoo ZOO [--net NAME ...]

measures every net of the golden loadables and of the zoo on three configurations in both modes, prints a
verdict for each, keeps the figures in ``docs/accuracy.tsv`` and writes ``docs/accuracy.md``. With ``--net``
only these nets are measured again. A zoo of full size takes about ten minutes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from nvdla_sim.caffe.importer import load_caffe
from nvdla_sim.calib.table import Table
from nvdla_sim.errors import UnsupportedError
from nvdla_sim.files import write_atomically
from nvdla_sim.graph.graph import Graph
from nvdla_sim.graph.operator import Array
from nvdla_sim.loadable.enums import MemoryFlags
from nvdla_sim.loadable.loadable import Loadable
from nvdla_sim.runtime.buffers import bound_memories
from nvdla_sim.runtime.dimg import text_dump
from nvdla_sim.runtime.session import Runtime
from tests.compiler.differences import left_out
from tests.compiler.nets import cases
from tests.runtime.goldens import loadables, value
from tests.shared import SHARED_GOLDENS
from tools.accuracy_measure import Subject
from tools.accuracy_page import Cost, Equality, page
from tools.accuracy_records import ZOO, Record, read, write
from tools.zoo_builder import pictures

DOCS = Path(__file__).resolve().parent.parent / "docs"
RECORDS, PAGE = DOCS / "accuracy.tsv", DOCS / "accuracy.md"
TARGETS = ("nv_small", "nv_large", "nv_full")
MODES = {"per-kernel": "int8-pk", "per-filter": "int8-pf"}
PICTURE_SEED = 2  # another one than the zoo's calibration has
# Of one picture rounding moves the cosine of a deep net by up to 0.01, up or down, on the chip and in the
# ideal run alike; that is more than what is to be seen.
PICTURES = 16
COMPILED = ("resnet50", "densenet121", "vgg16")  # nets of the zoo whose compile is measured by itself


class Net(NamedTuple):
    """A net with its files, and the real compiler's cosines and loadables where they are recorded."""

    name: str
    folder: Path
    golden: bool


def nets(zoo: Path) -> Iterator[Net]:
    for prototxt in sorted((SHARED_GOLDENS / "loadables").glob("*/deploy.prototxt")):
        if (prototxt.parent / "net.caffemodel").exists():
            yield Net(prototxt.parent.name, prototxt.parent, golden=True)
    for prototxt in sorted(zoo.glob("*/deploy.prototxt")):
        yield Net(f"{ZOO}{prototxt.parent.name}", prototxt.parent, golden=False)


def measured(net: Net, real: dict[tuple[str, str, str], float]) -> Iterator[Record]:
    """The net on every target in every mode."""
    graph = load_caffe(net.folder / "deploy.prototxt", net.folder / "net.caffemodel")
    table = Table.load(net.folder / "calib.json")
    inputs = [{graph.inputs[0]: values} for values in _inputs(net, graph, table)]
    subject = Subject(graph, table, inputs)
    for target in TARGETS:
        for mode, word in MODES.items():
            key = (net.name, target, mode)
            try:
                found = subject.measure(target, mode)
            except UnsupportedError as problem:
                yield Record(*key, refused=str(problem))
                continue
            loadable = net.folder / f"{target}.{word}.nvdla"
            yield Record(
                *key,
                inputs=len(inputs),
                chip=found.chip,
                ideal=found.ideal,
                own=found.own,
                output=found.output,
                real=real.get(key),
                size=found.size,
                real_size=loadable.stat().st_size if loadable.exists() else None,
                seconds=found.seconds,
            )


def _inputs(net: Net, graph: Graph, table: Table) -> list[Array]:
    """Float CHW: pictures for the zoo, else the recorded one, or one of the recorded int8 ones."""
    shape = graph.tensors[graph.inputs[0]].shape
    if not net.golden:
        return list(pictures(np.random.default_rng(PICTURE_SEED), PICTURES, shape[1]))
    reference = net.folder / "float_ref.npz"
    if reference.exists():
        return [np.asarray(np.load(reference)["input"][0], np.float32).reshape(shape)]
    steps = np.load(next(net.folder.glob("raw_*.i8.npy")))
    return [np.asarray(steps * np.float32(table.scales[graph.inputs[0]]), np.float32)]


def real_cosines() -> dict[tuple[str, str, str], float]:
    """Of the real flow's outputs with float, by net, target and mode."""
    modes = {word: mode for mode, word in MODES.items()}
    found = {}
    for line in (SHARED_GOLDENS / "loadables" / "accuracy.tsv").read_text().splitlines()[1:]:
        net, loadable, cosine, *_ = line.split("\t")
        target, _, word = loadable.partition(".")
        if word in modes:
            found[net, target, modes[word]] = float(cosine)
    return found


def equality() -> Equality:
    """Our loadables' outputs against every recorded one of the real flow."""
    runs = {recorded.path: recorded.runs for recorded in loadables()}
    ours = [case for case in cases() if case.root == "shared" and runs.get(case.real)]
    reasons: dict[str, dict[str, None]] = {}
    equal = total = compared = 0
    for case in ours:
        reason = left_out(case)
        if reason is not None:
            reasons.setdefault(reason, {})[case.net] = None
            continue
        compared += 1
        runtime = Runtime(case.compile(), case.config)
        real = Loadable.load(case.real)
        names = [real.tensors[m.tensor_desc_id].name for m in bound_memories(real, MemoryFlags.OUTPUT)]
        for inputs, outputs in runs[case.real]:
            results = {r.name: text_dump(r.values) for r in runtime.run([value(path) for path in inputs])}
            for name, output in zip(names, outputs, strict=False):  # the real tool may write the first only
                total += 1
                equal += results.get(name) == output.read_bytes()
    return Equality(equal, total, compared, {reason: list(found) for reason, found in reasons.items()})


def compile_cost(net: Path, target: str) -> Cost:
    """What ``nvdla-compile`` takes for the net in this folder, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "nvdla_sim.cli.compile", "--configtarget", target]
        command += ["--prototxt", str(net / "deploy.prototxt")]
        command += ["--caffemodel", str(net / "net.caffemodel")]
        command += ["--calibtable", str(net / "calib.json"), "--cprecision", "int8"]
        began = time.perf_counter()
        process = subprocess.Popen([*command, "-o", f"{folder}/net.nvdla"], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        if status:
            raise SystemExit(f"compiling {net.name} for {target} failed")
        size = os.path.getsize(f"{folder}/net.nvdla")
    processor = usage.ru_utime + usage.ru_stime
    return Cost(net.name, target, seconds, processor, usage.ru_maxrss * 1024, size)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--zoo", type=Path, required=True, help="the folder that tools/zoo.py has written")
    parser.add_argument("--net", action="append", help="measure only this net; zoo/NAME for one of the zoo")
    options = parser.parse_args()
    # First: a process starts with the resident size of the one that made it.
    costs = [compile_cost(options.zoo / name, "nv_large") for name in COMPILED]
    records, real = read(RECORDS), real_cosines()
    chosen = [net for net in nets(options.zoo) if not options.net or net.name in options.net]
    for net in chosen:
        for record in measured(net, real):
            records[record.key] = record
            verdict = record.refused or ", ".join(record.faults) or "right"
            cosines = "" if record.chip is None else f"{record.chip:.4f} of {record.ideal:.4f}, "
            print(f"{' '.join(record.key)}: {cosines}{verdict}", flush=True)
        write(RECORDS, records.values())
    write_atomically(PAGE, page(list(read(RECORDS).values()), equality(), costs).encode())
    print(f"wrote {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
