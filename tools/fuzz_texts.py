"""Files that people write or bring: text traces, Caffe nets with their tables, and pictures.

One file of a working set is changed; then the set is used as the command that takes it would.
"""

from __future__ import annotations

import re
import tempfile
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from nvdla_sim.caffe.importer import load_caffe
from nvdla_sim.calib.table import Table
from nvdla_sim.compiler.pipeline import compile_graph
from nvdla_sim.errors import NvdlaError
from nvdla_sim.hw.config import CONFIGS, config_named
from nvdla_sim.loadable.loadable import Loadable
from nvdla_sim.runtime.image import read_picture
from nvdla_sim.runtime.session import Runtime
from tools.fuzz_support import Finding, cut_bytes, executor_of, other_bytes, other_number
from tools.trace_export import export
from tools.trace_player import play_trace

LARGEST_SEED = 300_000  # bytes of all files together
TEXTS = (".prototxt", ".json", ".cfg", ".dat")

_NUMBER = re.compile(rb"0x[0-9a-fA-F]+|\d+")
_WORD = re.compile(rb"[\w.\"]+")

Files = dict[str, bytes]


@dataclass(frozen=True)
class FilesCase:
    """Files in a folder. ``use`` does what is to be done with them there."""

    seed: str
    files: Files
    use: Callable[[Path, Sequence[str]], None]

    def play(self, engines: Sequence[str]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self._write(Path(folder))
            with warnings.catch_warnings(action="ignore"):
                self.use(Path(folder), engines)

    def save(self, path: Path) -> Path:
        path.mkdir(parents=True, exist_ok=True)
        self._write(path)
        return path

    def _write(self, folder: Path) -> None:
        for name, data in self.files.items():
            (folder / name).write_bytes(data)


def _one_changed(rng: Random, files: Files) -> Files:
    name = rng.choice(sorted(files))
    data = bytearray(files[name])
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if name.endswith(TEXTS) and rng.random() < 0.85:
            data = _other_text(rng, data)
        elif rng.random() < 0.8:
            other_bytes(rng, data)
        else:
            data = cut_bytes(rng, data)
    return files | {name: bytes(data)}


def _other_text(rng: Random, data: bytearray) -> bytearray:
    """A line, a number or a word is changed, left out, or put somewhere else."""
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    line = lines[at]
    numbers, words = list(_NUMBER.finditer(line)), list(_WORD.finditer(line))
    kind = rng.random()
    if kind < 0.2:
        del lines[at]
    elif kind < 0.3:
        lines.insert(rng.randrange(len(lines) + 1), line)
    elif kind < 0.75 and numbers:
        found = rng.choice(numbers)
        value = other_number(
            rng, int(found[0], 0 if found[0].startswith(b"0x") else 10), rng.choice((8, 16, 32, 64))
        )
        text = rng.choice((b"%d", b"0x%x", b"-%d", b"%d.5", b"%de9")) if rng.random() < 0.3 else b"%d"
        lines[at] = line[: found.start()] + text % value + line[found.end() :]
    elif words:
        found = rng.choice(words)
        other = _WORD.search(lines[rng.randrange(len(lines))])
        lines[at] = line[: found.start()] + (other[0] if other else b"") + line[found.end() :]
    return bytearray(b"\n".join(lines))


class Traces:
    """Text traces exported from the loadables at ``paths``."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._seeds: list[tuple[str, str, Files]] = []
        for path in paths:
            loadable = Loadable.load(path)
            runtime = Runtime(loadable)
            shapes = [(port.tensor.c, port.tensor.h, port.tensor.w) for port in runtime.inputs]
            with tempfile.TemporaryDirectory() as folder:
                trace = export(loadable, [np.ones(shape, np.int8) for shape in shapes], Path(folder))
                files = {file.name: file.read_bytes() for file in sorted(Path(folder).iterdir())}
            self._seeds.append((trace.name, runtime.config.name, files))

    def case(self, rng: Random) -> FilesCase:
        trace, config, files = rng.choice(self._seeds)

        def play(folder: Path, engines: Sequence[str]) -> None:
            results = {engine: _played(folder / trace, config, engine) for engine in engines}
            (_, first), *others = results.items()
            for engine, other in others:
                if type(first) is not type(other) or (isinstance(first, list) and first != other):
                    raise Finding(f"{first}\n{engine}: {other}")
            if isinstance(first, NvdlaError):
                raise first

        return FilesCase(trace, _one_changed(rng, files), play)


def _played(trace: Path, config: str, engine: str) -> list[str] | NvdlaError:
    try:
        return play_trace(trace, config_named(config), executor_of(engine))
    except NvdlaError as problem:
        return problem


class Nets:
    """Nets, each a prototxt, a caffemodel and a table, compiled for some target."""

    NAMES = ("deploy.prototxt", "net.caffemodel", "calib.json")

    def __init__(self, nets: Iterable[Sequence[Path]]) -> None:
        self._nets = [net for net in nets if sum(path.stat().st_size for path in net) < LARGEST_SEED]

    def case(self, rng: Random) -> FilesCase:
        net = rng.choice(self._nets)
        target, quantization = rng.choice(list(CONFIGS)), rng.choice(("per-kernel", "per-filter"))
        profile = rng.choice(("fast-math", "default"))

        def use(folder: Path, engines: Sequence[str]) -> None:
            prototxt, caffemodel, table = (folder / name for name in self.NAMES)
            graph = load_caffe(prototxt, caffemodel)
            made = compile_graph(graph, Table.load(table), target, quantization, profile=profile)
            loadable = Loadable.from_bytes(made.to_bytes())
            try:
                Runtime(loadable)
            except NvdlaError as problem:
                raise Finding(f"compiled for {target}, but refused: {problem}") from None

        files = {name: path.read_bytes() for name, path in zip(self.NAMES, net, strict=True)}
        return FilesCase(net[0].parent.name, _one_changed(rng, files), use)


class Pictures:
    """The pictures at ``paths``, read as an input of their size."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths = sorted(paths)

    def case(self, rng: Random) -> FilesCase:
        source = rng.choice(self._paths)
        size = re.search(r"(\d+)x(\d+)x", source.name)
        width, height = (int(size[1]), int(size[2])) if size else (16, 16)

        def use(folder: Path, engines: Sequence[str]) -> None:
            read_picture(folder / source.name, width, height)

        return FilesCase(source.name, _one_changed(rng, {source.name: source.read_bytes()}), use)
