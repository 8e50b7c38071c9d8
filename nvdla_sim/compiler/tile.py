"""How a convolution is cut to fit the convolution buffer.

The buffer's banks are shared out between data and weights. The whole source cube of an operation must be in
it; of the weights two groups of kernels are enough (one if need be), since the next group loads while one
works. What does not fit is cut by rows of the source, then by kernels below a hardware group. Where the rows
under a single kernel are too long, the cube is cut by columns first, into strips.

Source: compiler-facts section 6.7 and 8.15, hardware-facts section 3.3, recipes section 1 ("width split").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise

from nvdla_sim.compiler.program import NO_PADS, Pads, Pair
from nvdla_sim.errors import UnsupportedError
from nvdla_sim.hw.config import Config

STRIPS_TRIED = 16  # numbers of strips that fit: more strips have more rows at once, and share more columns


@dataclass(frozen=True)
class Span:
    """A piece along an axis: source [start, start + size), padded, gives output [first, first + count)."""

    start: int
    size: int
    first: int
    count: int
    before: int  # padding
    after: int

    @property
    def written(self) -> slice:
        """Of the output."""
        return slice(self.first, self.first + self.count)


Strips = tuple[Span, ...]  # of columns


@dataclass(frozen=True)
class Axis:
    """A convolution along one axis of ``size`` source rows or columns."""

    size: int
    kernel: int
    stride: int
    dilation: int
    before: int  # padding
    after: int

    @property
    def reach(self) -> int:
        """Source rows or columns from a kernel's first to its last."""
        return (self.kernel - 1) * self.dilation + 1

    @property
    def outputs(self) -> int:
        return (self.size + self.before + self.after - self.reach) // self.stride + 1

    @property
    def whole(self) -> Span:
        """All in one piece, with what no kernel reads."""
        return Span(0, self.size, 0, self.outputs, self.before, self.after)

    def source(self, first: int, end: int) -> Pair:
        """The source [start, stop) under outputs [first, end); not start < stop under padding alone."""
        start = first * self.stride - self.before
        stop = (end - 1) * self.stride - self.before + self.reach
        return max(0, start), min(self.size, stop)

    def span(self, first: int, count: int) -> Span:
        """The piece for these outputs."""
        start, stop = self.source(first, first + count)
        begin = first * self.stride - self.before
        end = begin + (count - 1) * self.stride + self.reach
        return Span(start, stop - start, first, count, start - begin, max(0, end - stop))

    def split(self, pieces: int) -> tuple[Span, ...]:
        """As many pieces, of one size or two that differ by one."""
        bounds = [self.outputs * index // pieces for index in range(pieces + 1)]
        return tuple(self.span(first, end - first) for first, end in pairwise(bounds))


@dataclass(frozen=True)
class Geometry:
    """A convolution's window; pairs are (y, x). ``kernel`` is in pixels also for images."""

    kernel: Pair
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    pads: Pads = NO_PADS

    def rows(self, height: int) -> Axis:
        pads = self.pads
        return Axis(height, self.kernel[0], self.stride[0], self.dilation[0], pads.top, pads.bottom)

    def columns(self, width: int) -> Axis:
        pads = self.pads
        return Axis(width, self.kernel[1], self.stride[1], self.dilation[1], pads.left, pads.right)


@dataclass(frozen=True)
class Piece:
    """What one operation reads and writes of the plane. ``entries``: of one of its source rows."""

    rows: Span
    columns: Span
    entries: int


@dataclass(frozen=True)
class Plan:
    """The operations of one convolution: for each slice of kernels, for each piece of the plane."""

    kernels: tuple[slice, ...]
    pieces: tuple[Piece, ...]
    data_banks: int
    weight_banks: int
    resident: bool  # all weights of an operation stay in the buffer while it runs


def entries_per_row(config: Config, channels: int, width: int) -> int:
    """Buffer entries of one row of a feature cube.

    Surfaces fill entries side by side; the last, partly filled group of surfaces packs two or four pixels of
    one or two surfaces into an entry.
    """
    atoms = -(-channels // config.atom)
    per_entry = config.cbuf_entry // config.atom
    full, rest = divmod(atoms, per_entry)
    if rest == 3:
        return width * (full + 1)
    return width * full + -(-rest * width // per_entry)


def image_entries_per_row(config: Config, width: int, pads: Pads) -> int:
    """Buffer entries of one row of 4-byte pixels; the padding left and right is stored too."""
    return -(-(width + pads.left + pads.right) * 4 // config.cbuf_entry)


@dataclass(frozen=True)
class Demand:
    """What one convolution asks of the buffer. ``what`` names it in messages."""

    what: str
    geometry: Geometry
    channels: int  # of the source, of which a kernel has as many
    height: int
    width: int
    kernels: int
    image: bool = False

    @property
    def rows(self) -> Axis:
        return self.geometry.rows(self.height)

    @property
    def columns(self) -> Axis:
        return self.geometry.columns(self.width)

    @property
    def kernel_bytes(self) -> int:
        return self.channels * self.geometry.kernel[0] * self.geometry.kernel[1]

    def entries(self, config: Config, width: int) -> int:
        """Of one source row of this width."""
        if self.image:
            return image_entries_per_row(config, width, self.geometry.pads)
        return entries_per_row(config, self.channels, width)


def plan(config: Config, demand: Demand) -> Plan:
    """Cut a convolution so that each operation fits. A picture is not cut by columns.

    Raises ``UnsupportedError`` where a single kernel and the source under it do not fit.
    """
    whole = (demand.columns.whole,)
    cut = _uncut(config, demand) or _cut_rows(config, demand, whole) or _cut_kernels(config, demand, whole)
    if cut is not None:
        return cut
    if not demand.image:
        for way in (_cut_rows, _cut_kernels):
            cuts = (way(config, demand, strips) for strips in _strips(demand.columns))
            fitting = list(islice(filter(None, cuts), STRIPS_TRIED))
            if fitting:
                return min(fitting, key=lambda cut: _fetched(config, demand, cut))
    height = min(demand.height, demand.rows.reach)
    width = demand.width if demand.image else min(demand.width, demand.columns.reach)
    raise UnsupportedError(
        f"{demand.what}: one kernel of {demand.kernel_bytes} bytes and the {height} x {width} source pixels "
        f"under it, {height * demand.entries(config, width) * config.cbuf_entry} bytes, do not fit "
        f"{config.name}'s convolution buffer of {config.cbuf_bytes} bytes"
    )


def _uncut(config: Config, demand: Demand) -> Plan | None:
    entries = demand.entries(config, demand.width)
    data_banks = _row_banks(config, entries, demand.height)
    pieces = (Piece(demand.rows.whole, demand.columns.whole, entries),)
    for weight_banks, resident in _weight_shares(config, demand):
        if data_banks + weight_banks <= config.cbuf_banks:
            return Plan(_every_kernel(demand), pieces, data_banks, weight_banks, resident)
    return None


def _cut_rows(config: Config, demand: Demand, strips: Strips) -> Plan | None:
    """All kernels in each operation, with as many rows as the banks left by a share of weights hold."""
    cuts: list[Plan] = []
    for weight_banks, resident in _weight_shares(config, demand):
        data_banks = config.cbuf_banks - weight_banks
        if pieces := _pieces(config, demand, strips, data_banks):
            cuts.append(Plan(_every_kernel(demand), pieces, data_banks, weight_banks, resident))
    return min(cuts, key=lambda cut: _fetched(config, demand, cut), default=None)


def _cut_kernels(config: Config, demand: Demand, strips: Strips) -> Plan | None:
    """Operations of fewer kernels than a hardware group: each writes its own surface, partly empty."""
    entries = _longest(config, demand, strips)
    for height in (demand.height, min(demand.height, demand.rows.reach)):
        left = config.cbuf_banks - _row_banks(config, entries, height)
        count = min(left * config.bank_bytes // demand.kernel_bytes, config.atomic_k, demand.kernels)
        if count < 1:
            continue
        weight_banks = _banks(config, count * demand.kernel_bytes)
        data_banks = config.cbuf_banks - weight_banks
        if pieces := _pieces(config, demand, strips, data_banks):
            kernels = tuple(slice(k, min(k + count, demand.kernels)) for k in range(0, demand.kernels, count))
            return Plan(kernels, pieces, data_banks, weight_banks, resident=True)
    return None


def _fetched(config: Config, demand: Demand, cut: Plan) -> int:
    """Bytes: source under two pieces is fetched twice, weights that do not stay once for each piece."""
    data = sum(piece.rows.size * piece.entries for piece in cut.pieces) * config.cbuf_entry
    weights = demand.kernels * demand.kernel_bytes * (1 if cut.resident else len(cut.pieces))
    return data * len(cut.kernels) + weights


def _weight_shares(config: Config, demand: Demand) -> list[tuple[int, bool]]:
    """Banks worth giving to weights, and whether all weights fit them: all, two hardware groups, one."""
    everything = _banks(config, demand.kernels * demand.kernel_bytes)
    group = _banks(config, min(config.atomic_k, demand.kernels) * demand.kernel_bytes)
    return [(everything, True), *((banks, False) for banks in (2 * group, group) if banks < everything)]


def _every_kernel(demand: Demand) -> tuple[slice, ...]:
    return (slice(0, demand.kernels),)


def _strips(columns: Axis) -> Iterator[Strips]:
    """Two strips or more; a number of strips that makes none of them narrower than fewer do is left out."""
    widest = columns.outputs
    for count in range(2, columns.outputs + 1):
        if -(-columns.outputs // count) == widest:
            continue
        widest = -(-columns.outputs // count)
        strips = columns.split(count)
        if all(strip.size > 0 for strip in strips):  # not only padding
            yield strips


def _pieces(config: Config, demand: Demand, strips: Strips, data_banks: int) -> tuple[Piece, ...]:
    """The strips in pieces of as many source rows as the banks hold; empty where they do not hold a kernel's.

    All have the same banks, or weights could not stay in the buffer from one to the next.
    """
    capacity = max(0, data_banks) * config.cbuf_entries // _longest(config, demand, strips)
    counts = _row_counts(demand.rows, capacity)
    single_pixel = min(counts, default=0) == min(strip.count for strip in strips) == 1
    if single_pixel and len(counts) * len(strips) > 1:
        return ()  # the SDP takes a piece of one pixel for a packed one and would miss its surfaces
    rows = [demand.rows.span(sum(counts[:index]), count) for index, count in enumerate(counts)]
    return tuple(Piece(each, strip, demand.entries(config, strip.size)) for strip in strips for each in rows)


def _row_counts(rows: Axis, capacity: int) -> list[int]:
    """Output rows of each piece, as many as ``capacity`` source rows give; empty where it is too small."""
    counts: list[int] = []
    while sum(counts) < rows.outputs:
        first, count = sum(counts), 0
        for candidate in range(first + 1, rows.outputs + 1):
            top, bottom = rows.source(first, candidate)
            if bottom - top > capacity:
                break
            if bottom > top:  # not only padding
                count = candidate - first
        if count == 0:
            return []
        counts.append(count)
    if len(counts) > 1 and counts[-1] == 1 and counts[-2] > 2:
        even = [*counts[:-2], counts[-2] - 1, 2]
        pieces = [rows.span(sum(even[:index]), even[index]) for index in (-2, -1)]
        if all(0 < piece.size <= capacity for piece in pieces):
            return even
    return counts


def _longest(config: Config, demand: Demand, strips: Strips) -> int:
    """Entries of a source row of the widest strip."""
    return demand.entries(config, max(strip.size for strip in strips))


def _row_banks(config: Config, entries: int, height: int) -> int:
    return _banks(config, height * entries * config.cbuf_entry)


def _banks(config: Config, size: int) -> int:
    return -(-size // config.bank_bytes)
