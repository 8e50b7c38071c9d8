#!/usr/bin/env python3
"""Break one scale of a good calibration table, and see whether nvdla-compare's verdict names it.

    python tools/planted_faults.py GOLDENS/loadables [--count 40] [--seed 1]

The folder holds one net each in folders with ``deploy.prototxt``, ``net.caffemodel``, ``calib.json`` and
``float_ref.npz``; nets that cannot be compiled are left out. Faults are drawn at random among the entries
that the compiled net uses: ten times too small, ten times too large, exchanged with another entry at least
three times as large or small, missing. Every net is also judged with its good table: there nothing may be
found.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nvdla_sim.analysis.compare.comparison import Comparison, compare
from nvdla_sim.analysis.compare.verdict import Cause, judge
from nvdla_sim.analysis.compare.versions import Settings
from nvdla_sim.caffe.importer import load_caffe
from nvdla_sim.calib.table import Table
from nvdla_sim.cli._command import command_parser, run_command
from nvdla_sim.errors import OptionError, UnsupportedError
from nvdla_sim.graph.graph import Graph
from nvdla_sim.graph.operator import Array

FACTOR = 10
APART = 3  # entries nearer to each other may be exchanged without harm
LEAST_ENTRIES = 3
SETTINGS = Settings("nv_small", bits=(8,))

Scales = dict[str, float]


@dataclass(frozen=True)
class Net:
    """A net with a good table; ``used``: the entries that the compiled net takes a scale from."""

    name: str
    graph: Graph
    table: Table
    inputs: dict[str, Array]
    used: tuple[str, ...] = ()

    def compare(self, table: Table | None = None) -> Comparison:
        return compare(self.graph, table or self.table, self.inputs, SETTINGS)


@dataclass(frozen=True)
class Fault:
    """``broken``: the entries that a right verdict may name."""

    net: Net
    kind: str
    broken: tuple[str, ...]
    table: Table
    cause: Cause


def too_small(scales: Scales, name: str, chance: random.Random) -> tuple[str, ...]:
    scales[name] /= FACTOR
    return (name,)


def too_large(scales: Scales, name: str, chance: random.Random) -> tuple[str, ...]:
    scales[name] *= FACTOR
    return (name,)


def exchanged(scales: Scales, name: str, chance: random.Random) -> tuple[str, ...]:
    others = [other for other in scales if not 1 / APART < scales[other] / scales[name] < APART]
    if not others:
        return ()
    other = chance.choice(others)
    scales[name], scales[other] = scales[other], scales[name]
    return name, other


def missing(scales: Scales, name: str, chance: random.Random) -> tuple[str, ...]:
    del scales[name]
    return (name,)


KINDS: dict[str, tuple[Callable[[Scales, str, random.Random], tuple[str, ...]], Cause]] = {
    "10x too small": (too_small, Cause.ENTRY),
    "10x too large": (too_large, Cause.ENTRY),
    "exchanged": (exchanged, Cause.ENTRY),
    "missing": (missing, Cause.MISSING),
}


def load(folder: Path) -> Net | None:
    """The net in a folder; None where it has no float reference or cannot be compiled."""
    if not all((folder / name).exists() for name in ("net.caffemodel", "calib.json", "float_ref.npz")):
        return None
    graph = load_caffe(folder / "deploy.prototxt", folder / "net.caffemodel")
    with np.load(folder / "float_ref.npz") as reference:
        names = sorted(name for name in reference.files if name.startswith("input"))
        inputs = {name: reference[key][0] for name, key in zip(graph.inputs, names, strict=True)}
    net = Net(folder.name, graph, Table.load(folder / "calib.json"), inputs)
    try:
        good = net.compare()
    except UnsupportedError:
        return None
    found = judge(good).first
    if found:
        print(f"{net.name}: the good table: {found.layer}: {found.cause.value}: {found.why}")
    used = dict.fromkeys(report.entry for report in good.tensors if report.entry is not None)
    return replace(net, used=tuple(used))


def faults(nets: list[Net], count: int, seed: int) -> Iterator[Fault]:
    """``count`` faults, as many of each kind."""
    chance = random.Random(seed)
    for number in range(count):
        kind, (plant, cause) = list(KINDS.items())[number % len(KINDS)]
        broken: tuple[str, ...] = ()
        while not broken:
            net = chance.choice(nets)
            scales = {name: net.table.scales[name] for name in net.used}
            broken = plant(scales, chance.choice(net.used), chance)
        kept = {name: scale for name, scale in net.table.scales.items() if name not in broken}
        yield Fault(net, kind, broken, replace(net.table, scales=kept | scales), cause)


def main(arguments: list[str] | None = None) -> int:
    parser = command_parser("planted_faults.py", __doc__ or "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    all_right = True

    def work(options: argparse.Namespace) -> None:
        nonlocal all_right
        all_right = measure(options.folder, options.count, options.seed)

    return run_command(parser, work, arguments) or int(not all_right)


def measure(folder: Path, count: int, seed: int) -> bool:
    """Print every fault's verdict and the counts; whether all name the broken layer."""
    folders = sorted(path for path in folder.glob("*") if path.is_dir())
    loaded = [net for path in folders if (net := load(path))]
    nets = [net for net in loaded if len(net.used) >= LEAST_ENTRIES]
    if not nets:
        raise OptionError(f"{folder} holds no net of {LEAST_ENTRIES} scales: see --help for what is needed")
    print(f"{len(loaded)} nets judged with their good tables; {len(nets)} of them get faults")
    right_layer = right_cause = 0
    for fault in faults(nets, count, seed):
        finding = judge(fault.net.compare(fault.table)).first
        named = finding is not None and finding.layer in fault.broken
        right_layer += named
        right_cause += named and finding is not None and finding.cause is fault.cause
        said = f"{finding.layer}: {finding.cause.value}: {finding.why}" if finding else "nothing"
        planted = f"{fault.net.name}, {' and '.join(fault.broken)} {fault.kind}"
        print(f"{'right' if named else 'WRONG'}  {planted}: {said}")
    print(f"{right_layer} of {count} verdicts name the broken layer, {right_cause} with the right cause")
    return right_layer == count


if __name__ == "__main__":
    sys.exit(main())
