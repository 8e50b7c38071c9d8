"""nvdla-sim: an int8 compiler for NVDLA, and its chip bit for bit, in Python.

import nvdla_sim as nv
loadable = nv.compile("deploy.prototxt", "net.caffemodel", calibration="table.json", target="nv_small")
loadable.save("net.nvdla")
outputs = nv.Runtime(loadable).run("7.pgm")
outputs[0].values  # int8, CHW
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nvdla_sim._version import __version__
from nvdla_sim.errors import (
    CalibrationError,
    ImageError,
    LoadableError,
    ModelError,
    NvdlaError,
    OptionError,
    ProgramError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from nvdla_sim.api import Loadable, Output, Runtime, compile, load

__all__ = [
    "CalibrationError",
    "ImageError",
    "Loadable",
    "LoadableError",
    "ModelError",
    "NvdlaError",
    "OptionError",
    "Output",
    "ProgramError",
    "Runtime",
    "UnsupportedError",
    "__version__",
    "compile",
    "load",
]


def __getattr__(name: str) -> Any:
    # the rooms load numba, protobuf and the like: a command pays for what it uses only
    if name in ("Loadable", "Output", "Runtime", "compile", "load"):
        from nvdla_sim import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
