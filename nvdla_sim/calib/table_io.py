"""Reading and writing calibration tables of all kinds.

Kinds: "json" (NVIDIA's compiler, ours), "cache" (TensorRT), "table" (caffe-int8-convert-tools, ncnn).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from nvdla_sim.calib.fitting import Fit, by_name, fit
from nvdla_sim.calib.naming import resolve, tensor_names
from nvdla_sim.calib.table import Table
from nvdla_sim.calib.table_formats import caffe_int8, trt_cache
from nvdla_sim.errors import CalibrationError, OptionError, one_of
from nvdla_sim.files import read_bytes
from nvdla_sim.graph.graph import Graph

Path_ = str | os.PathLike[str]
KINDS = ("json", "cache", "table")
ENDINGS = {".json": "json", ".cache": "cache", ".txt": "cache", ".table": "table"}
MAX_BYTES = 64 << 20


def kind_of_file(path: Path_) -> str:
    """What a table's first bytes say it is; ``CalibrationError`` when it cannot be read."""
    return _kind(_text(path))


def kind_to_write(path: Path_, word: str | None = None) -> str:
    """``word`` if given, else what the ending means; ``OptionError`` when neither tells."""
    if word is not None:
        return one_of("table format", word.lower(), KINDS)
    ending = Path(path).suffix.lower()
    if ending not in ENDINGS:
        raise OptionError(
            f'the ending of "{os.fspath(path)}" tells no table format: use {", ".join(ENDINGS)}, or --format'
        )
    return ENDINGS[ending]


def read_fit(path: Path_, graph: Graph, default: float | None = None) -> Fit:
    """A table of any kind, matched with a net; ``CalibrationError`` when the file is damaged."""
    text, source = _text(path), f"calibration table {os.fspath(path)}"
    kind = _kind(text)
    if kind == "json":
        found, unused = by_name(graph, Table.load(path).scales)
    elif kind == "cache":
        found, unused = resolve(graph, trt_cache.parse(text, source))
    else:
        found, unused = caffe_int8.resolve(graph, caffe_int8.parse(text, source))
    return fit(graph, found, source, unused, default)


def load_table(path: Path_, graph: Graph) -> Table:
    """A complete table for the net, whatever the file's kind; ``CalibrationError`` names what is missing."""
    return read_fit(path, graph).complete()


def render(table: Table, kind: str, graph: Graph | None, calibrator: str = "EntropyCalibration2") -> bytes:
    """The bytes of a table file. A cache needs the net's structure, a .table its weights as well.

    ``calibrator``: TensorRT's word in a cache's first line. ``OptionError`` when the net is not given,
    ``CalibrationError`` when the table lacks one of its scales.
    """
    if kind == "json":
        return table.to_json()
    if graph is None:
        raise OptionError(f"a {kind} names tensors by the net: give --prototxt")
    scales, _ = by_name(graph, table.scales)
    if kind == "cache":
        names = tensor_names(graph)
        by_tensor = _needed(scales, list(names.values()), table.source)
        text = trt_cache.render({name: by_tensor[tensor] for name, tensor in names.items()}, calibrator)
    else:
        read = [node.inputs[0] for node in graph.nodes if node.op.kind == "Convolution"]
        text = caffe_int8.render(graph, _needed(scales, read, table.source))
    return text.encode()


def _needed(scales: Mapping[str, float], tensors: list[str], source: str) -> Mapping[str, float]:
    missing = [tensor for tensor in tensors if tensor not in scales]
    if missing:
        raise CalibrationError(f"{source} has no scale for {', '.join(missing)}")
    return scales


def _text(path: Path_) -> str:
    data = read_bytes(path, CalibrationError, "calibration table")
    where = f"calibration table {os.fspath(path)}"
    if len(data) > MAX_BYTES:
        raise CalibrationError(f"{where}: {len(data)} bytes, allowed: up to {MAX_BYTES}")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise CalibrationError(f"{where}: no text (byte {problem.start})") from None


def _kind(text: str) -> str:
    start = text.lstrip()[:4]
    return "json" if start[:1] in ("{", "[") else "cache" if start == "TRT-" else "table"
