"""Plots as SVG text: just what the report needs, so that its page needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

LEFT, TOP, RIGHT, BOTTOM = 52, 26, 14, 40  # pixels around the plot
TICKS = 6

Point = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """Values ``low`` to ``high`` on pixels ``first`` to ``last``."""

    low: float
    high: float
    first: float
    last: float

    def at(self, value: float) -> float:
        """The pixel of a value; values beyond the axis are put on its end."""
        part = (value - self.low) / (self.high - self.low)
        return self.first + min(1.0, max(0.0, part)) * (self.last - self.first)

    def ticks(self) -> list[float]:
        """Round values on the axis."""
        rough = (self.high - self.low) / TICKS
        unit = 10 ** math.floor(math.log10(rough))
        step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        return [n * step for n in range(first, math.floor(self.high / step + 1e-9) + 1)]


class Plot:
    """A plot of values x and y; what is drawn later lies above."""

    def __init__(
        self, size: tuple[int, int], x: tuple[float, float], y: tuple[float, float], bottom: int = BOTTOM
    ) -> None:
        """``size``: pixels, margins included. ``x``, ``y``: the values shown; an empty range is widened."""
        self.width, self.height = size
        self.bottom = self.height - bottom
        self.x = Axis(*_range(x), LEFT, self.width - RIGHT)
        self.y = Axis(*_range(y), self.bottom, TOP)
        self._parts: list[str] = []
        self._legend: list[tuple[str, str]] = []

    def grid(self, x_label: str, y_label: str, x_ticks: bool = True) -> None:
        """Axes with their labels and lines at round values."""
        for tick in self.y.ticks():
            y = self.y.at(tick)
            self._line((LEFT, y), (self.width - RIGHT, y), "grid")
            self._text((LEFT - 6, y + 4), f"{tick:g}", "end")
        for tick in self.x.ticks() if x_ticks else ():
            x = self.x.at(tick)
            self._line((x, self.bottom), (x, TOP), "grid")
            self._text((x, self.bottom + 15), f"{tick:g}", "middle")
        self._text(((LEFT + self.width - RIGHT) / 2, self.height - 6), x_label, "middle")
        middle = (TOP + self.bottom) / 2
        self._parts.append(
            f'<text transform="translate(13 {middle:.0f}) rotate(-90)" text-anchor="middle">'
            f"{escape(y_label)}</text>"
        )

    def names(self, labels: Sequence[str]) -> None:
        """A name below each of x = 0, 1, ..., turned so that many find room."""
        for at, label in enumerate(labels):
            x, y = self.x.at(at), self.bottom + 12
            self._parts.append(
                f'<text transform="translate({x:.1f} {y}) rotate(-50)" text-anchor="end">'
                f"{escape(label)}</text>"
            )

    def line(self, points: Sequence[Point], colour: str, name: str = "", width: float = 1.5) -> None:
        """Points joined by straight lines."""
        self._named(name, colour)
        pairs = " ".join(f"{self.x.at(x):.1f},{self.y.at(y):.1f}" for x, y in points)
        self._parts.append(
            f'<polyline points="{pairs}" fill="none" stroke="{colour}" stroke-width="{width}"/>'
        )

    def dots(self, points: Iterable[Point], colour: str, size: float = 3, opacity: float = 0.55) -> None:
        """A dot for each point."""
        path = "".join(f"M{self.x.at(x):.1f} {self.y.at(y):.1f}h0" for x, y in points)
        self._parts.append(
            f'<path d="{path}" stroke="{colour}" stroke-width="{size}" stroke-linecap="round" '
            f'stroke-opacity="{opacity}"/>'
        )

    def bars(self, edges: Sequence[float], heights: Sequence[float], colour: str, name: str = "") -> None:
        """A bar from y's low end to each height between two edges."""
        self._named(name, colour)
        base = self.y.at(self.y.low)
        path = "".join(
            f"M{self.x.at(left):.1f} {base:.1f}V{self.y.at(height):.1f}H{self.x.at(right):.1f}V{base:.1f}z"
            for left, right, height in zip(edges[:-1], edges[1:], heights, strict=True)
            if height > self.y.low
        )
        self._parts.append(f'<path d="{path}" fill="{colour}" fill-opacity="0.55"/>')

    def threshold(self, x: float, colour: str, name: str = "") -> None:
        """A vertical line, if it is within the plot."""
        self._named(name, colour)
        if self.x.low <= x <= self.x.high:
            at = self.x.at(x)
            self._parts.append(_stroke((at, self.bottom), (at, TOP), f'stroke="{colour}" class="limit"'))

    def diagonal(self, colour: str) -> None:
        """y = x."""
        low, high = max(self.x.low, self.y.low), min(self.x.high, self.y.high)
        ends = [(self.x.at(value), self.y.at(value)) for value in (low, high)]
        self._parts.append(_stroke(ends[0], ends[1], f'stroke="{colour}"'))

    def svg(self, title: str) -> str:
        """The plot as an element of an HTML page."""
        legend, x = [], LEFT + 8.0
        for name, colour in self._legend:
            legend.append(
                f'<rect x="{x:.0f}" y="{TOP - 19}" width="10" height="10" fill="{colour}"/>'
                f'<text x="{x + 14:.0f}" y="{TOP - 10}">{escape(name)}</text>'
            )
            x += 14 + 6.6 * len(name) + 16
        return (
            f'<svg viewBox="0 0 {self.width} {self.height}" width="{self.width}" role="img">'
            f"<title>{escape(title)}</title>{''.join(self._parts)}{''.join(legend)}</svg>"
        )

    def _named(self, name: str, colour: str) -> None:
        if name:
            self._legend.append((name, colour))

    def _line(self, start: Point, end: Point, kind: str) -> None:
        self._parts.append(_stroke(start, end, f'class="{kind}"'))

    def _text(self, at: Point, text: str, anchor: str) -> None:
        self._parts.append(
            f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
        )


def _stroke(start: Point, end: Point, style: str) -> str:
    return f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" {style}/>'


def _range(limits: tuple[float, float]) -> tuple[float, float]:
    low, high = limits
    if high - low > 1e-9 * max(abs(low), abs(high), 1e-30):
        return low, high
    return low - abs(low) / 2 - 0.5, high + abs(high) / 2 + 0.5
