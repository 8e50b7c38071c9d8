"""The units of a loadable as an SVG picture: a box each, and lines from what they read.

A layer that takes many alike (a depthwise convolution, the Softmax of every pixel) is one box.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import pairwise

from nvdla_sim.analysis.inspect.flow import Source
from nvdla_sim.analysis.inspect.inspection import Inspection, TensorInfo, UnitInfo
from nvdla_sim.analysis.inspect.layout import Layout, Node, Point, arrange
from nvdla_sim.analysis.inspect.text import words

CHARACTER = 6.7  # pixels, of 11 pixel letters of one width
LINE = 14
MARGIN = 20
ROW = 96  # from layer to layer
MOST_LETTERS = 34
MOST_HINTS = 12  # operations whose settings a box's hint tells

COLOURS = {
    "CONV": "#dce9fb",
    "SDP": "#e3f4df",
    "PDP": "#fdeecb",
    "CDP": "#f7dff0",
    "RUBIK": "#d9f2f2",
    "BDMA": "#d9f2f2",
}
CPU_COLOUR, PORT_COLOUR = "#e8e4de", "#ffffff"

Label = tuple[str, ...]
Boxes = dict[Node, list[UnitInfo]]


def svg(inspection: Inspection) -> str:
    """A picture of what reads what, from the network's inputs at the top to its outputs at the bottom."""
    boxes, labels, sources = _graph(inspection)
    widths = {node: max(map(len, label)) * CHARACTER + 16 for node, label in labels.items()}
    layout = arrange(sources, widths)
    width, height = layout.width + 2 * MARGIN, (layout.layers - 1) * ROW + 4 * LINE + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" '
        f'height="{height}" font-family="monospace" font-size="11">',
        f"<title>{escape(inspection.name)} for {escape(inspection.target)}</title>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        *_lines(layout),
    ]
    for node, label in labels.items():
        parts += _box(layout.points[node], widths[node], label, boxes.get(node, []))
    return "\n".join([*parts, "</svg>", ""])


def _graph(inspection: Inspection) -> tuple[Boxes, dict[Node, Label], dict[Node, tuple[Node, ...]]]:
    """The units of every box, the text of every node, and what each reads."""
    boxes: Boxes = {}
    labels: dict[Node, Label] = {}
    sources: dict[Node, tuple[Node, ...]] = {}
    homes: dict[Source, Source] = {}  # unit -> the box it is in
    for number, tensor in enumerate(inspection.inputs):
        node = Source(number, input=True)
        labels[node], sources[node] = _port("input", tensor), ()
    ends: dict[int, list[Node]] = {number: [] for number in range(len(inspection.outputs))}
    home, before = Source(0), None
    for unit in inspection.units:
        read = tuple(dict.fromkeys(homes.get(source, source) for source in unit.sources))
        kind = (unit.task, _layers(unit), _engines(unit), read)
        if kind != before or not _layers(unit):
            home, before = Source(unit.number), kind
            boxes[home], sources[home] = [], read
        homes[Source(unit.number)] = home
        boxes[home].append(unit)
        for number in unit.outputs:
            ends[number].append(home)
    labels |= {node: _units(units) for node, units in boxes.items()}
    for number, tensor in enumerate(inspection.outputs):
        end = ("output", number)
        labels[end], sources[end] = _port("output", tensor), tuple(dict.fromkeys(ends[number]))
    return boxes, labels, sources


def _port(direction: str, tensor: TensorInfo) -> Label:
    size = f"{tensor.channels}x{tensor.height}x{tensor.width}"
    return _cut(f"{direction} {tensor.name}"), size, _scale(tensor.scale)


def _units(units: list[UnitInfo]) -> Label:
    first, last = units[0].operations, units[-1].operations
    layers, engines = _layers(units[0]), _engines(units[0])
    if len(units) > 1:
        engines = f"{len(units)} x {engines}"
        numbers = f"{first[0].number}..{last[-1].number}"
    else:
        numbers = "+".join(str(operation.number) for operation in first)
    sizes = [f"{c.channels}x{c.height}x{c.width}" for c in last[-1].cubes if c.name == "dst"]
    names = (_cut(", ".join(layers)), f"{numbers} {engines}") if layers else (engines, f"operation {numbers}")
    return *names, " ".join([*sizes, _scale(units[-1].scale)]).strip()


def _layers(unit: UnitInfo) -> tuple[str, ...]:
    return tuple(dict.fromkeys(operation.layer for operation in unit.operations if operation.layer))


def _engines(unit: UnitInfo) -> str:
    return "+".join(operation.type for operation in unit.operations)


def _cut(text: str) -> str:
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1]}…"


def _scale(scale: float | None) -> str:
    return "" if scale is None else f"*{scale:.4g}"


def _top(point: Point) -> int:
    return MARGIN + point.layer * ROW


def _lines(layout: Layout) -> Iterator[str]:
    """Each edge: out of the box's bottom, through its place in every layer, into the other one's top."""
    for path in layout.paths.values():
        first, *_ = path
        steps = [f"M{first.x + MARGIN:.1f} {_top(first) + 4 * LINE}"]
        for start, end in pairwise(path):
            bottom, top = _top(start) + 4 * LINE, _top(end)
            middle = (bottom + top) / 2
            x = end.x + MARGIN
            steps.append(f"C{start.x + MARGIN:.1f} {middle} {x:.1f} {middle} {x:.1f} {top}")
            if end is not path[-1]:
                steps.append(f"V{top + 4 * LINE}")
        yield f'<path d="{"".join(steps)}" fill="none" stroke="#8a8f98"/>'


def _box(point: Point, width: float, label: Label, units: list[UnitInfo]) -> Iterator[str]:
    """``units``: none for a network input or output."""
    left, top = point.x + MARGIN - width / 2, _top(point)
    colour, stroke, hint = PORT_COLOUR, "#5b6470", ""
    if units:
        colour = CPU_COLOUR if units[0].on_cpu else COLOURS[units[0].operations[0].type]
        problems = [problem for unit in units for problem in unit.problems]
        stroke = "#d02020" if problems else stroke
        operations = [operation for unit in units for operation in unit.operations]
        told = [f"{o.number} {o.type}: {words(o.settings)}" for o in operations[:MOST_HINTS]]
        more = [f"and {len(operations) - MOST_HINTS} more"] if len(operations) > MOST_HINTS else []
        hint = f"<title>{escape(chr(10).join([*problems, *told, *more]))}</title>"
    yield (
        f'<g><rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{4 * LINE}" rx="4" fill="{colour}" '
        f'stroke="{stroke}"/>{hint}'
    )
    for number, line in enumerate(label, start=1):
        weight = ' font-weight="bold"' if number == 1 else ""
        y = top + number * LINE + 2
        yield f'<text x="{point.x + MARGIN:.1f}" y="{y}" text-anchor="middle"{weight}>{escape(line)}</text>'
    yield "</g>"
