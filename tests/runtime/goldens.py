"""What the golden folders hold: real loadables, their inputs, and what the real stack made of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nvdla_sim.runtime.session import InputValue
from tests.shared import COMMITTED_GOLDENS, SHARED_GOLDENS

INPUT_ENDINGS = (".pgm", ".jpg", ".i8.npy")


@dataclass(frozen=True)
class Recorded:
    """One loadable and its runs: (inputs, text output of each network output that was recorded)."""

    id: str
    path: Path
    config: str
    runs: tuple[tuple[tuple[Path, ...], tuple[Path, ...]], ...]


def value(path: Path) -> InputValue:
    """A golden's input as ``Runtime.run`` takes it."""
    return np.load(path) if path.suffix == ".npy" else path


def loadables() -> Iterator[Recorded]:
    """``loadables/<net>/<config>.<mode>.nvdla`` with ``<...>.<input>.output.dimg``; without: refused."""
    for root, folder in _folders("loadables"):
        for path in sorted(folder.glob("*.nvdla")):
            runs = []
            for output in sorted(folder.glob(f"{path.stem}.*.output.dimg")):
                name = output.name.removeprefix(f"{path.stem}.").removesuffix(".output.dimg")
                if "." in name:
                    continue  # of a variant: <config>.<mode>.<variant>
                given = next(p for p in (folder / f"{name}{end}" for end in INPUT_ENDINGS) if p.exists())
                further = output.with_name(f"{output.name}.1")
                runs.append(((given,), (output, further) if further.exists() else (output,)))
            yield Recorded(f"{root}-{folder.name}-{path.stem}", path, path.name.split(".")[0], tuple(runs))


def recipes() -> Iterator[Recorded]:
    """``recipes/<recipe>/case.json``."""
    for root, folder in _folders("recipes"):
        for name, case in json.loads((folder / "case.json").read_text())["cases"].items():
            inputs, outputs = (tuple(folder / file for file in case[key]) for key in ("inputs", "outputs"))
            path = folder / case["loadable"]
            yield Recorded(f"{root}-{folder.name}-{name}", path, case["config"], ((inputs, outputs),))


def _folders(suite: str) -> Iterator[tuple[str, Path]]:
    for root, base in (("committed", COMMITTED_GOLDENS), ("shared", SHARED_GOLDENS)):
        if (base / suite).is_dir():
            yield from ((root, folder) for folder in sorted((base / suite).iterdir()) if folder.is_dir())
