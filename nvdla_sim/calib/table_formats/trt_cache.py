"""TensorRT's calibration cache: ``TRT-<version>-<calibrator>``, then ``<tensor>: <8 hex digits>`` a line.

The digits are the big-endian float32 of amax / 127; tensors are in the order of execution.

Source: tool-formats section 2.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping

from nvdla_sim.errors import CalibrationError, listed

HEADER = re.compile(r"TRT-[\w.]+-\w+")
VERSION = "TRT-7202"  # what a cache that is written here says; TensorRT's own Caffe parser is of that time


def parse(text: str, source: str) -> dict[str, float]:
    """Scale by tensor name, unchecked; ``CalibrationError`` with every line that is not of the format."""
    header, *lines = text.splitlines()
    if not HEADER.fullmatch(header.strip()):
        raise CalibrationError(f'{source}: its first line is not "TRT-<version>-<calibrator>"')
    scales: dict[str, float] = {}
    problems = []
    for number, line in enumerate(lines, start=2):
        if not line.strip():
            continue
        name, colon, digits = line.rpartition(":")
        name, digits = name.strip(), digits.strip()
        if not (colon and name and re.fullmatch(r"[0-9a-fA-F]{8}", digits)):
            problems.append(f'line {number}: expected "<tensor>: <8 hex digits>", got {line[:60]!r}')
        elif name in scales:
            problems.append(f'line {number}: "{name}" is there twice')
        else:
            scales[name] = struct.unpack(">f", bytes.fromhex(digits))[0]
    if problems:
        raise CalibrationError(listed(f"{source}: {len(problems)} wrong lines", problems))
    return scales


def render(scales: Mapping[str, float], calibrator: str) -> str:
    """The file's text for scales by tensor name."""
    lines = [f"{VERSION}-{calibrator}"]
    lines += [f"{name}: {struct.pack('>f', scale).hex()}" for name, scale in scales.items()]
    return "\n".join(lines) + "\n"
