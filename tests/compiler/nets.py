"""The golden nets compiled by us, and where their parts are: the committed ones, and all where they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from nvdla_sim.caffe.importer import load_caffe
from nvdla_sim.calib.table import Table
from nvdla_sim.compiler.pipeline import compile_graph
from nvdla_sim.loadable.loadable import Loadable
from tests.shared import COMMITTED_GOLDENS, golden_paths

MODES = {"pk": "per-kernel", "pf": "per-filter"}
BATCH = "b2"


class Case(NamedTuple):
    """One of the real compiler's loadables and how it was made."""

    root: str  # "committed" or "shared"
    real: Path
    net: str
    config: str
    mode: str
    variant: str

    @property
    def name(self) -> str:
        return f"{self.root}-{self.net}/{self.real.name}"

    def compile(self, **options: str) -> Loadable:
        """Our loadable of the same net with the same options, ``options`` instead where given."""
        folder = self.real.parent
        chosen: dict[str, Any] = {
            "target": self.config,
            "quantization": self.mode,
            "profile": "default" if self.variant == "default" else "fast-math",
            "batch": 2 if self.variant == BATCH else 1,
            **options,
        }
        if self.net == "lenet-mnist":
            folder = folder.parent
            files = "lenet.prototxt", "lenet.caffemodel", "lenet.int8.json"
            chosen.setdefault("input_format", "nchw" if self.variant == "nchw" else "nhwc")
        else:
            table = "calib_nv.json" if self.variant == "nvcal" else "calib.json"
            files = "deploy.prototxt", "net.caffemodel", table
        prototxt, caffemodel, calibration = (folder / file for file in files)
        return compile_graph(load_caffe(prototxt, caffemodel), Table.load(calibration), **chosen)


def cases() -> list[Case]:
    """Every real loadable of the nets whose caffemodel is there, but for those of two images at once."""
    return [case for case in _cases() if case.variant != BATCH]


def batches() -> list[Case]:
    """The real loadables of two images at once."""
    return [case for case in _cases() if case.variant == BATCH]


def _cases() -> Iterator[Case]:
    for root, path in _real_loadables():
        match = re.fullmatch(r"(nv_\w+)\.int8-(p[kf])(?:\.(\w+))?\.nvdla", path.name)
        if match and (path.parent / "net.caffemodel").exists():
            yield Case(root, path, path.parent.name, match[1], MODES[match[2]], match[3] or "")
    for path in golden_paths("lenet-mnist/loadables/*.nvdla"):
        match = re.fullmatch(r"lenet\.(nv_\w+)\.(per-\w+)(?:\.(nchw))?\.nvdla", path.name)
        if match:
            yield Case("shared", path, "lenet-mnist", match[1], match[2], match[3] or "")


def _real_loadables() -> Iterator[tuple[str, Path]]:
    yield from (("committed", path) for path in sorted(COMMITTED_GOLDENS.glob("loadables/*/*.nvdla")))
    yield from (("shared", path) for path in golden_paths("loadables/*/*.nvdla"))
