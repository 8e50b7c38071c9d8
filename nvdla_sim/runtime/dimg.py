"""``output.dimg``: the two forms in which NVIDIA's runtime writes a network output.

Source: compiler-facts section 1.5.
"""

from __future__ import annotations

import struct

from nvdla_sim.hw.formats import Int8

# "surface format" numbers of int8 feature surfaces, by atom bytes; the format names no other atom
_FORMATS = {32: 40, 8: 41}


def text_dump(values: Int8) -> bytes:
    """What ``--rawdump`` writes: each CHW value in decimal followed by one blank, no newline."""
    return "".join(f"{value} " for value in values.reshape(-1).tolist()).encode("ascii")


def binary_dump(values: Int8, atom: int, line_stride: int, surf_stride: int, size: int) -> bytes:
    """A 36-byte little-endian header, then the CHW values as bytes.

    Header: "DIMG", version 0, surface format, width, height, channels, then the output surface's line stride,
    surface stride and size in bytes (of the surface in memory, although the values follow without padding).
    """
    channels, height, width = values.shape
    header = struct.pack(
        "<4s8I", b"DIMG", 0, _FORMATS[atom], width, height, channels, line_stride, surf_stride, size
    )
    return header + values.tobytes()
