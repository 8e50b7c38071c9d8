"""The input of a convolution, copied from memory into the form the microkernels read.

The copy holds the rows that a chunk of output rows needs, padded, converted, as [surface, row, column,
channel] of ``Isa.element`` plus ``Isa.bias``. Columns and rows that no window meets are left out where the
kernel is one wide or high. Pixel lines are [row, column * components + component].
"""

from __future__ import annotations

import numpy as np

from nvdla_sim.hw.kernels._jit import inlined, part
from nvdla_sim.hw.kernels._memory import int8_at, int16_at, int64_at, uint8_at
from nvdla_sim.hw.kernels._record import Int, Record, integers

COPY, LOOK_UP, PIXELS = 0, 1, 2
INPUT = np.dtype(
    [
        # COPY: bytes as they are; LOOK_UP: through ``table``; PIXELS: components through ``table``
        *integers("mode", "address", "surf", "line", "surfaces", "width", "height"),
        # bytes of an atom, or of a pixel in memory
        *integers("pixel"),
        # address of int16 [component, 256]: what each byte becomes, bias included
        *integers("table", "components"),
        # which byte of the pixel each component is
        *integers("component_0", "component_1", "component_2", "component_3"),
        # ``pad``: the packed padding element
        *integers("pad_left", "pad_top", "pad"),
        # bytes of a packed element; steps in the input from one packed column or row to the next
        *integers("itemsize", "column_step", "row_step"),
        # packed columns (elements for pixels), and rows: rows_first + rows_per_output * (outputs - 1)
        *integers("columns", "rows_per_output", "rows_first", "stride_y"),
        # of packed rows and surfaces
        *integers("row_bytes", "plane_bytes"),
        # 1: packed rows are the input's lines, without gaps here and there
        *integers("whole_lines"),
    ]
)
_SIGN_BITS = -0x7F7F7F7F7F7F7F80  # 0x80 in each byte: adds 128 to an int8, giving uint8


@inlined
def pack(source: Record, first_output: Int, outputs: Int, packed: Int) -> None:
    """Pack what the output rows ``first_output`` .. + ``outputs`` need to the address ``packed``."""
    rows = source.rows_first + source.rows_per_output * (outputs - 1)
    top = first_output * source.stride_y - source.pad_top
    for surface in range(source.surfaces):
        if source.whole_lines == 1 and top >= 0 and top + rows <= source.height:
            place = source.address + surface * source.surf + top * source.line
            _pack_bytes(source, place, packed + surface * source.plane_bytes, rows * source.line)
            continue
        for row in range(rows):
            y = top + row * source.row_step
            target = packed + surface * source.plane_bytes + row * source.row_bytes
            line = source.address + surface * source.surf + y * source.line
            if y < 0 or y >= source.height:
                _fill(source, target, source.row_bytes)
            elif source.mode == PIXELS:
                _pack_pixels(source, line, target)
            else:
                _pack_atoms(source, line, target)


@part
def _fill(source: Record, target: Int, count: Int) -> None:
    """``count`` bytes, whole elements of padding."""
    if source.itemsize == 1:
        narrow = uint8_at(target)
        for i in range(count):
            narrow[i] = source.pad
    else:
        wide = int16_at(target)
        for i in range(count >> 1):
            wide[i] = source.pad


@inlined
def _pack_atoms(source: Record, line: Int, target: Int) -> None:
    """One line of a feature cube."""
    atom, step, columns = source.pixel, source.column_step, source.columns
    atom_bytes = atom * source.itemsize
    begin = min(columns, max(0, (source.pad_left + step - 1) // step))
    end = max(begin, min(columns, (source.width - 1 + source.pad_left) // step + 1))
    _fill(source, target, begin * atom_bytes)
    _fill(source, target + end * atom_bytes, source.row_bytes - end * atom_bytes)
    if step == 1:
        _pack_bytes(
            source, line + (begin - source.pad_left) * atom, target + begin * atom_bytes, (end - begin) * atom
        )
    else:
        for column in range(begin, end):
            place = line + (column * step - source.pad_left) * atom
            _pack_bytes(source, place, target + column * atom_bytes, atom)


@part
def _pack_bytes(source: Record, place: Int, target: Int, count: Int) -> None:
    """``count`` int8 elements, a multiple of 8."""
    if source.mode == LOOK_UP:
        raw, table = uint8_at(place), int16_at(source.table)
        for i in range(count):
            _put(source, target, i, table[raw[i]])
    elif source.itemsize == 1:
        to, of = int64_at(target), int64_at(place)
        for i in range(count >> 3):
            to[i] = of[i] ^ _SIGN_BITS
    else:
        wide, narrow = int16_at(target), int8_at(place)
        for i in range(count):
            wide[i] = narrow[i]


@inlined
def _put(source: Record, target: Int, index: Int, element: Int) -> None:
    if source.itemsize == 1:
        uint8_at(target)[index] = element
    else:
        int16_at(target)[index] = element


@inlined
def _pack_pixels(source: Record, line: Int, target: Int) -> None:
    """One line of an image: its components in the order in which the convolution sees them."""
    components = source.components
    begin = source.pad_left * components
    end = min(source.columns, begin + source.width * components)
    itemsize = source.itemsize
    _fill(source, target, min(begin, source.columns) * itemsize)
    _fill(source, target + end * itemsize, source.row_bytes - end * itemsize)
    table = int16_at(source.table)
    order = (source.component_0, source.component_1, source.component_2, source.component_3)
    for c in range(components):
        raw = uint8_at(line + order[c])
        at = begin + c
        for x in range((end - begin - c + components - 1) // components):
            _put(source, target, at, table[256 * c + raw[x * source.pixel]])
            at += components
