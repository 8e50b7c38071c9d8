"""Every tensor of a comparison as .npy files, and such files of another tool or of hardware held against it.

``DIR/<version>/<tensor>.npy``, the name percent-encoded ("conv2%2Fdw"); those in "chip" are the chip's int8
values CHW, all others float32 without the batch axis. ``DIR/tensors.json`` tells names, layers, scales.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.analysis.compare.comparison import Comparison
from nvdla_sim.analysis.compare.verdict import label
from nvdla_sim.analysis.compare.versions import CHIP, FLOAT
from nvdla_sim.errors import NvdlaError, OptionError, did_you_mean, listed
from nvdla_sim.files import write_atomically

INDEX = "tensors.json"
FLOAT_TOLERANCE = 1e-4  # of the tensor's largest |value|: float libraries add in another order
MOST_NAMES = 8  # in a message


@dataclass(frozen=True)
class Difference:
    """Where another's tensor first differs (channel, y, x); ``count`` of its ``total`` elements do."""

    tensor: str
    version: str
    index: tuple[int, ...]
    theirs: float
    ours: float
    count: int
    total: int


@dataclass(frozen=True)
class Agreement:
    """``compared``: (version, tensor) in the order of the layers; ``first``: the first difference, if any."""

    compared: tuple[tuple[str, str], ...]
    first: Difference | None


def write_dump(folder: Path, comparison: Comparison) -> int:
    """Write every tensor, making the folder; returns how many files. ``NvdlaError`` when that fails."""
    files = 0
    for version, tensors in _versions(comparison).items():
        try:
            (folder / version).mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise NvdlaError(f"cannot make folder {folder / version}: {problem.strerror}") from None
        for name, values in tensors.items():
            data = io.BytesIO()
            np.save(data, values, allow_pickle=False)
            write_atomically(folder / version / f"{quote(name, safe=' ')}.npy", data.getvalue())
            files += 1
    index = [
        {"tensor": r.name, "layers": r.layers, "shape": r.shape, "scale": r.scale} for r in comparison.tensors
    ]
    write_atomically(folder / INDEX, json.dumps(index, indent=1).encode())
    return files


def against(folder: Path, comparison: Comparison) -> Agreement:
    """Compare a folder's tensors with ours of the same name.

    Files lie as ``write_dump`` lays them, or all in ``folder``; then integers are the chip's, the others the
    float run's. A name is a tensor's or its last layer's, with "%2F" or "|" for "/". The chip's have to be
    equal, the others nearly. ``OptionError`` when nothing can be compared, or sizes do not fit.
    """
    ours = _versions(comparison)
    theirs = dict(_read(folder, ours))
    if not theirs:
        raise OptionError(f"{folder}: there is no .npy file in it, nor in its folders {', '.join(ours)}")
    names = _names(comparison)
    found = {(version, names.get(name, name)): values for (version, name), values in theirs.items()}
    order = [(version, name) for version, tensors in ours.items() for name in tensors]
    compared = tuple(key for key in order if key in found)
    if not compared:
        known = sorted({name for tensors in ours.values() for name in tensors})
        given = sorted({name for _, name in theirs})
        raise OptionError(
            listed(
                f"{folder}: no .npy file in it is named like a tensor of the net:",
                [f'"{name}" {did_you_mean(name, known)}'.rstrip() for name in given[:MOST_NAMES]],
            )
        )
    sizes = [
        f"{name}: {found[version, name].size} elements, the net's has {ours[version][name].size}"
        for version, name in compared
        if found[version, name].size != ours[version][name].size
    ]
    if sizes:
        raise OptionError(listed(f"{folder}: these tensors are of another net:", sizes))
    differences = (_difference(key, found[key], ours[key[0]][key[1]]) for key in compared)
    return Agreement(compared, next((difference for difference in differences if difference), None))


def _versions(comparison: Comparison) -> dict[str, dict[str, NDArray[Any]]]:
    """Version -> tensor -> values without the batch axis, the chip's first."""
    versions = comparison.versions
    chip = {name: versions.int8[name] for name in versions.layers}
    others = {
        version: {name: values[0] for name, values in tensors.items()}
        for version, tensors in versions.values.items()
        if version != CHIP
    }
    return {CHIP: chip, **others}


def _names(comparison: Comparison) -> dict[str, str]:
    """What else tensors may be called: their last layer."""
    graph = comparison.versions.graph
    names = {node.name: node.outputs[0] for node in graph.nodes if node.name not in graph.tensors}
    return names | {label(report): report.name for report in comparison.tensors}


def _read(
    folder: Path, versions: dict[str, dict[str, NDArray[Any]]]
) -> Iterator[tuple[tuple[str, str], NDArray[Any]]]:
    """(version, name) and values of every .npy file."""
    if not folder.is_dir():
        raise OptionError(f"{folder} is not a folder of .npy files")
    for place in (folder, *(folder / version for version in versions)):
        for path in sorted(place.glob("*.npy")):
            try:
                values = np.array(np.load(path, mmap_mode="r", allow_pickle=False))
            except (OSError, ValueError, EOFError) as problem:
                raise OptionError(f"{path}: not a readable .npy file of numbers ({problem})") from None
            if values.dtype.kind not in "iuf":
                raise OptionError(f"{path}: values of type {values.dtype}, needed are numbers")
            flat = FLOAT if values.dtype.kind == "f" else CHIP
            version = flat if place == folder else place.name
            yield (version, unquote(path.stem.replace("|", "/"))), values


def _difference(key: tuple[str, str], theirs: NDArray[Any], ours: NDArray[Any]) -> Difference | None:
    version, name = key
    theirs = theirs.reshape(ours.shape)
    apart = np.abs(theirs.astype(np.float64) - ours.astype(np.float64))
    allowed = 0.0 if version == CHIP else FLOAT_TOLERANCE * float(np.abs(ours).max())
    wrong = ~(apart <= allowed)  # a value that is not a number differs
    if not wrong.any():
        return None
    index = tuple(int(at) for at in np.unravel_index(int(wrong.argmax()), ours.shape))
    return Difference(
        name, version, index, float(theirs[index]), float(ours[index]), int(wrong.sum()), int(ours.size)
    )
