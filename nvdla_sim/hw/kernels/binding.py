"""From addresses of the chip to addresses of this process, each checked against the mapped memory."""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from typing import Any, NamedTuple

from numpy.typing import NDArray

from nvdla_sim.hw.formats import feature_extent
from nvdla_sim.hw.kernels._memory import address_of
from nvdla_sim.hw.kernels._record import fill
from nvdla_sim.hw.memory import Bytes, Ports
from nvdla_sim.hw.surface import Surface


class Region(NamedTuple):
    """Bytes of this process, [first, last)."""

    first: int
    last: int

    def overlaps(self, other: Region) -> bool:
        return self.first < other.last and other.first < self.last


class Cube(NamedTuple):
    """A bound cube: the fields of a CUBE record, and the bytes it spans."""

    address: int
    surf: int
    line: int
    pixel: int
    surfaces: int
    region: Region

    def fill(self, record: Any) -> None:
        """Set a CUBE record."""
        fill(record, {name: getattr(self, name) for name in self._fields[:-1]})

    def same_elements(self, other: Cube) -> bool:
        """Whether element by element both are the same bytes."""
        return self[:-1] == other[:-1]


class Binding:
    """The memory that one launch uses, and whatever else has to live as long as its kernels.

    ``frozen``: regions whose bytes were read while preparing: the kernels do not look at them again.
    """

    def __init__(self, ports: Ports) -> None:
        self.frozen: list[Region] = []
        self._ports = ports
        self._views: list[tuple[int, int, Bytes]] = []
        self._kept: list[NDArray[Any]] = []

    def view(self, ram_type: int, address: int, size: int) -> Bytes:
        """``ProgramError`` when any of the bytes is not mapped."""
        view = self._ports.port(ram_type).view(address, size)
        self._views.append((ram_type, address, view))
        return view

    def frozen_bytes(self, ram_type: int, address: int, size: int) -> Bytes:
        """Bytes to be read now, once and for all."""
        view = self.view(ram_type, address, size)
        self.frozen.append(region_of(view))
        return view

    def cube(
        self, surface: Surface, surfaces: int, height: int, width: int, pixel: int, per_pixel: bool = True
    ) -> Cube:
        """A cube of ``pixel`` bytes for each pixel and surface; not ``per_pixel``: all pixels share one."""
        line, surf = (surface.line_stride, surface.surf_stride) if per_pixel else (0, pixel)
        rows, columns = (height, width) if per_pixel else (1, 1)
        extent = feature_extent(surfaces * pixel, rows, columns, pixel, line, surf)
        view = self.view(surface.ram_type, surface.address, extent)
        step = pixel if per_pixel else 0
        return Cube(address_of(view), surf, line, step, surfaces, region_of(view))

    def keep(self, array: NDArray[Any]) -> int:
        """The address of an array that is to live as long as this."""
        self._kept.append(array)
        return address_of(array)

    @property
    def kept_bytes(self) -> int:
        """How much memory that is."""
        return sum(array.nbytes for array in self._kept)

    def settled(self) -> bool:
        """Whether every view is still the memory itself: mapping more memory may have moved it."""
        return all(
            address_of(self._ports.port(ram_type).view(address, view.size)) == address_of(view)
            for ram_type, address, view in self._views
        )


class Regions:
    """Many regions, to be asked quickly whether another one overlaps any of them."""

    def __init__(self, regions: Iterable[Region]) -> None:
        self._first: list[int] = []  # of disjoint regions in order
        self._last: list[int] = []
        for first, last in sorted(regions):
            if self._last and first <= self._last[-1]:
                self._last[-1] = max(self._last[-1], last)
            else:
                self._first.append(first)
                self._last.append(last)

    def overlap(self, region: Region) -> bool:
        at = bisect.bisect_left(self._first, region.last) - 1  # the last one that begins before its end
        return at >= 0 and region.first < self._last[at]


def region_of(view: Bytes) -> Region:
    """The bytes of a view."""
    first = address_of(view)
    return Region(first, first + view.size)
