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


def plan(
    config: Config, what: str, geometry: Geometry, height: int, entries: int, kernels: int, kernel_bytes: int
) -> Plan:
    """Cut a convolution over ``height`` source rows of ``entries`` entries each.

    Raises ``UnsupportedError`` naming ``what`` where a single kernel and the rows under it do not fit.
    """
    shares = _weight_shares(config, kernels, kernel_bytes)
    every_kernel = (slice(0, kernels),)
    data_banks = _banks(config, height * entries * config.cbuf_entry)
    whole = Rows(0, height, 0, geometry.output(height, 1)[0], geometry.pads.top, geometry.pads.bottom)
    for weight_banks, resident in shares:
        if data_banks + weight_banks <= config.cbuf_banks:
            return Plan(every_kernel, (whole,), entries, data_banks, weight_banks, resident)
    cuts: list[Plan] = []
    for weight_banks, resident in shares:
        data_banks = config.cbuf_banks - weight_banks
        if rows := _cut_rows(config, geometry, height, entries, data_banks):
            cuts.append(Plan(every_kernel, rows, entries, data_banks, weight_banks, resident))
    if not cuts:
        return _cut_kernels(config, what, geometry, height, entries, kernels, kernel_bytes)

    def fetched(cut: Plan) -> int:
        """Bytes: rows under two pieces are fetched twice, weights that do not stay once for each piece."""
        data = sum(rows.height for rows in cut.rows) * entries * config.cbuf_entry
        return data + kernels * kernel_bytes * (1 if cut.resident else len(cut.rows))

    return min(cuts, key=fetched)


def _weight_shares(config: Config, kernels: int, kernel_bytes: int) -> list[tuple[int, bool]]:
    """Banks worth giving to weights, and whether all weights fit them: all, two hardware groups, one."""
    everything = _banks(config, kernels * kernel_bytes)
    group = _banks(config, min(config.atomic_k, kernels) * kernel_bytes)
    return [(everything, True), *((banks, False) for banks in (2 * group, group) if banks < everything)]


def _cut_kernels(
    config: Config, what: str, geometry: Geometry, height: int, entries: int, kernels: int, kernel_bytes: int
) -> Plan:
    """Operations of fewer kernels than a hardware group: each writes its own surface, partly empty."""
    window_banks = _banks(config, min(height, geometry.reach) * entries * config.cbuf_entry)
    source_banks = _banks(config, height * entries * config.cbuf_entry)
    for banks in (source_banks, window_banks):
        count = (config.cbuf_banks - banks) * config.bank_bytes // kernel_bytes
        if count < 1:
            continue
        count = min(count, config.atomic_k, kernels)
        weight_banks = _banks(config, count * kernel_bytes)
        data_banks = config.cbuf_banks - weight_banks
        rows = _cut_rows(config, geometry, height, entries, data_banks)
        if rows:
            pieces = tuple(slice(k, min(k + count, kernels)) for k in range(0, kernels, count))
            return Plan(pieces, rows, entries, data_banks, weight_banks, resident=True)
    raise UnsupportedError(
        f"{what}: one kernel of {kernel_bytes} bytes and the {min(height, geometry.reach)} source rows under "
        f"it, {entries * config.cbuf_entry} bytes each, do not fit {config.name}'s convolution buffer of "
        f"{config.cbuf_bytes} bytes"
    )


def _cut_rows(
    config: Config, geometry: Geometry, height: int, entries: int, data_banks: int
) -> tuple[Rows, ...]:
    """Pieces of as many source rows as the banks hold; empty where they do not hold one kernel's."""
    capacity = max(0, data_banks) * config.cbuf_entries // entries
    total = geometry.output(height, 1)[0]
    pieces: list[Rows] = []
    first = 0
    while first < total:
        count = 0
        for candidate in range(first + 1, total + 1):
            top, bottom = _source_rows(geometry, height, first, candidate)
            if bottom - top > capacity:
                break
            if bottom > top:  # not only padding
                count = candidate - first
        if count == 0:
            return ()
        top, bottom = _source_rows(geometry, height, first, first + count)
        begin = first * geometry.stride[0] - geometry.pads.top
        end = (first + count - 1) * geometry.stride[0] - geometry.pads.top + geometry.reach
        pieces.append(Rows(top, bottom - top, first, count, top - begin, max(0, end - bottom)))
        first += count
    return tuple(pieces)


def _source_rows(geometry: Geometry, height: int, first: int, end: int) -> Pair:
    """Source rows [top, bottom) under output rows [first, end)."""
    top = first * geometry.stride[0] - geometry.pads.top
    bottom = (end - 1) * geometry.stride[0] - geometry.pads.top + geometry.reach
    return max(0, top), min(height, bottom)


def _banks(config: Config, size: int) -> int:
    return -(-size // config.bank_bytes)
