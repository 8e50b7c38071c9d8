"""How a convolution is cut to fit the convolution buffer.

The buffer's banks are shared out between data and weights. The whole source cube of an operation must be in
it; of the weights two groups of kernels are enough (one if need be), since the next group loads while one
works. What does not fit is cut by rows of the source, then by kernels below a hardware group.

Source: compiler-facts section 6.7 and 8.15, hardware-facts section 3.3.
"""

from __future__ import annotations

from dataclasses import dataclass

from nvdla_sim.compiler.program import NO_PADS, Pads, Pair
from nvdla_sim.errors import UnsupportedError
from nvdla_sim.hw.config import Config


@dataclass(frozen=True)
class Geometry:
    """A convolution's window; pairs are (y, x). ``kernel`` is in pixels also for images."""

    kernel: Pair
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    pads: Pads = NO_PADS

    @property
    def reach(self) -> int:
        """Source rows from a kernel's first to its last."""
        return (self.kernel[0] - 1) * self.dilation[0] + 1

    def output(self, height: int, width: int) -> Pair:
        """Output height and width."""
        rows = height + self.pads.top + self.pads.bottom - self.reach
        columns = width + self.pads.left + self.pads.right - (self.kernel[1] - 1) * self.dilation[1] - 1
        return rows // self.stride[0] + 1, columns // self.stride[1] + 1


@dataclass(frozen=True)
class Rows:
    """One piece by height: source rows [top, top + height) give output rows [first, first + count)."""

    top: int
    height: int
    first: int
    count: int
    pad_top: int
    pad_bottom: int


@dataclass(frozen=True)
class Plan:
    """The operations of one convolution: for each slice of kernels, for each piece of rows."""

    kernels: tuple[slice, ...]
    rows: tuple[Rows, ...]
    entries: int  # of one source row
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
    height: int  # of the source
    width: int
    entries: int  # of one source row
    kernels: int
    kernel_bytes: int


def plan(config: Config, demand: Demand) -> Plan:
    """Cut a convolution so that each operation fits.

    Raises ``UnsupportedError`` where a single kernel and the rows under it do not fit.
    """
    shares = _weight_shares(config, demand)
    every_kernel = (slice(0, demand.kernels),)
    entries, pads = demand.entries, demand.geometry.pads
    data_banks = _row_banks(config, demand, demand.height)
    whole = Rows(0, demand.height, 0, _outputs(demand), pads.top, pads.bottom)
    for weight_banks, resident in shares:
        if data_banks + weight_banks <= config.cbuf_banks:
            return Plan(every_kernel, (whole,), entries, data_banks, weight_banks, resident)
    cuts: list[Plan] = []
    for weight_banks, resident in shares:
        data_banks = config.cbuf_banks - weight_banks
        if rows := _cut_rows(config, demand, data_banks):
            cuts.append(Plan(every_kernel, rows, entries, data_banks, weight_banks, resident))
    if not cuts:
        return _cut_kernels(config, demand)

    def fetched(cut: Plan) -> int:
        """Bytes: rows under two pieces are fetched twice, weights that do not stay once for each piece."""
        data = sum(rows.height for rows in cut.rows) * entries * config.cbuf_entry
        return data + demand.kernels * demand.kernel_bytes * (1 if cut.resident else len(cut.rows))

    return min(cuts, key=fetched)


def _weight_shares(config: Config, demand: Demand) -> list[tuple[int, bool]]:
    """Banks worth giving to weights, and whether all weights fit them: all, two hardware groups, one."""
    everything = _banks(config, demand.kernels * demand.kernel_bytes)
    group = _banks(config, min(config.atomic_k, demand.kernels) * demand.kernel_bytes)
    return [(everything, True), *((banks, False) for banks in (2 * group, group) if banks < everything)]


def _cut_kernels(config: Config, demand: Demand) -> Plan:
    """Operations of fewer kernels than a hardware group: each writes its own surface, partly empty."""
    window = min(demand.height, demand.geometry.reach)
    for height in (demand.height, window):
        left = config.cbuf_banks - _row_banks(config, demand, height)
        count = min(left * config.bank_bytes // demand.kernel_bytes, config.atomic_k, demand.kernels)
        if count < 1:
            continue
        weight_banks = _banks(config, count * demand.kernel_bytes)
        data_banks = config.cbuf_banks - weight_banks
        if rows := _cut_rows(config, demand, data_banks):
            pieces = tuple(slice(k, min(k + count, demand.kernels)) for k in range(0, demand.kernels, count))
            return Plan(pieces, rows, demand.entries, data_banks, weight_banks, resident=True)
    raise UnsupportedError(
        f"{demand.what}: one kernel of {demand.kernel_bytes} bytes and the {window} source rows under it, "
        f"{demand.entries * config.cbuf_entry} bytes each, do not fit {config.name}'s convolution buffer of "
        f"{config.cbuf_bytes} bytes"
    )


def _cut_rows(config: Config, demand: Demand, data_banks: int) -> tuple[Rows, ...]:
    """Pieces of as many source rows as the banks hold; empty where they do not hold one kernel's."""
    capacity = max(0, data_banks) * config.cbuf_entries // demand.entries
    total = _outputs(demand)
    counts: list[int] = []
    while sum(counts) < total:
        first, count = sum(counts), 0
        for candidate in range(first + 1, total + 1):
            top, bottom = _source_rows(demand, first, candidate)
            if bottom - top > capacity:
                break
            if bottom > top:  # not only padding
                count = candidate - first
        if count == 0:
            return ()
        counts.append(count)
    if len(counts) > 1 and counts[-1] == 1 and counts[-2] > 2:
        counts[-2:] = [counts[-2] - 1, 2]
    if len(counts) > 1 and min(counts) == 1 and demand.geometry.output(1, demand.width)[1] == 1:
        return ()  # the SDP takes a piece of one pixel for a packed one and would miss its surfaces
    return tuple(_rows(demand, sum(counts[:index]), count) for index, count in enumerate(counts))


def _rows(demand: Demand, first: int, count: int) -> Rows:
    top, bottom = _source_rows(demand, first, first + count)
    begin = first * demand.geometry.stride[0] - demand.geometry.pads.top
    end = begin + (count - 1) * demand.geometry.stride[0] + demand.geometry.reach
    return Rows(top, bottom - top, first, count, top - begin, max(0, end - bottom))


def _source_rows(demand: Demand, first: int, end: int) -> Pair:
    """Source rows [top, bottom) under output rows [first, end)."""
    geometry = demand.geometry
    top = first * geometry.stride[0] - geometry.pads.top
    bottom = (end - 1) * geometry.stride[0] - geometry.pads.top + geometry.reach
    return max(0, top), min(demand.height, bottom)


def _outputs(demand: Demand) -> int:
    return demand.geometry.output(demand.height, demand.width)[0]


def _row_banks(config: Config, demand: Demand, height: int) -> int:
    return _banks(config, height * demand.entries * config.cbuf_entry)


def _banks(config: Config, size: int) -> int:
    return -(-size // config.bank_bytes)
