"""The Python API behind ``import nvdla_sim as nv``: compile, load, run."""

from __future__ import annotations

import os
from collections.abc import Callable

from nvdla_sim.loadable.loadable import Loadable
from nvdla_sim.runtime.session import Output, Runtime

__all__ = ["Loadable", "Output", "Runtime", "compile", "load"]


def compile(
    prototxt: str | os.PathLike[str],
    caffemodel: str | os.PathLike[str],
    calibration: str | os.PathLike[str],
    target: str = "nv_full",
    quantization: str = "per-kernel",
    input_format: str | None = None,
    profile: str = "fast-math",
    batch: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Loadable:
    """Compile a Caffe net and its calibration table to an int8 loadable.

    ``target``: a hardware configuration's name. ``quantization``: "per-kernel" (one weight scale a layer) or
    "per-filter" (one an output channel). ``input_format``: "nhwc" (4-byte pixels) or "nchw" (feature
    surface); None takes nhwc where the input has 1, 3 or 4 channels, else nchw. The defaults are those of
    ``nvdla-compile``. ``batch``: images of a run. ``progress(done, total)`` is called after each step of the
    compiler. Raises ``ModelError``, ``CalibrationError``, ``UnsupportedError`` or ``OptionError``, each
    naming all that is wrong.
    """
    from nvdla_sim.caffe.importer import load_caffe
    from nvdla_sim.calib.table import Table
    from nvdla_sim.compiler.pipeline import compile_graph
    from nvdla_sim.compiler.scales import described_entries

    graph = load_caffe(prototxt, caffemodel)
    return compile_graph(
        graph,
        Table.load(calibration, described_entries(graph)),
        target=target,
        quantization=quantization,
        input_format=input_format,
        profile=profile,
        batch=batch,
        progress=progress,
    )


def load(path: str | os.PathLike[str]) -> Loadable:
    """Read a loadable, ours or NVIDIA's. Raises ``LoadableError`` when it is damaged or something else."""
    return Loadable.load(path)
