"""Writing a cube's pixels apart: the SDP copies a column of pixels to wider strides.

Seen as one column, a cube without gaps can go to every n-th pixel of another; its rows go to every n-th row
as well. Together they put the phases of a deconvolution beside each other.

Source: recipes section 2 ("Deconvolution") and section 3 (single pixels).
"""

from __future__ import annotations

from dataclasses import replace

from nvdla_sim.compiler.lower.lowering import Lowering
from nvdla_sim.compiler.program import Cube, Post, Sdp

MAX_COLUMN = 8192


def copy(to: Lowering, layer: str, src: Cube, dst: Cube) -> None:
    """Copy a cube to one of the same size with any strides."""
    pieces = surfaces_of_pixel(to, src, dst)
    for piece_src, piece_dst in pieces or [(src, dst)]:
        to.emit(Sdp(layer, piece_src, piece_dst, Post()))


def copy_columns(to: Lowering, layer: str, src: Cube, dst: Cube, step: int, first: int) -> None:
    """Pixel x of each row of ``src`` to pixel ``first + x * step`` of the rows of ``dst``.

    ``src`` has no gaps; the rows of ``dst`` have exactly ``step`` times the pixels of those of ``src``.
    """
    atom = to.config.atom
    assert (src.line, dst.line) == (src.width * atom, src.width * step * atom)
    rows_at_once = max(1, MAX_COLUMN // src.width)
    for row in range(0, src.height, rows_at_once):
        rows = min(rows_at_once, src.height - row)
        start = dst.offset + row * dst.line + first * atom
        column = replace(src.rows(row, rows), width=1, height=rows * src.width, line=atom)
        apart = replace(dst, width=1, height=rows * src.width, line=step * atom, offset=start)
        copy(to, layer, column, apart)


def every_row(cube: Cube, step: int, first: int, count: int) -> Cube:
    """Rows ``first``, ``first + step``, .. of a cube."""
    return replace(cube, height=count, line=step * cube.line, offset=cube.offset + first * cube.line)


def surfaces_of_pixel(to: Lowering, src: Cube, dst: Cube) -> list[tuple[Cube, Cube]]:
    """Both cubes surface by surface, if they are one pixel with gaps: the SDP takes a pixel for packed."""
    atom = to.config.atom
    if (src.height, src.width) != (1, 1) or src.surf == dst.surf == atom:
        return []

    def surface(cube: Cube, lane: int) -> Cube:
        return replace(cube.lanes(lane, min(atom, src.channels - lane), atom), line=atom, surf=atom)

    return [(surface(src, lane), surface(dst, lane)) for lane in range(0, src.channels, atom)]
