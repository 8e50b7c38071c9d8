"""The units of a loadable as an SVG picture: a box each, and lines from what they read."""

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


def svg(inspection: Inspection) -> str:
    """A picture of what reads what, from the network's inputs at the top to its outputs at the bottom."""
    labels, sources = _graph(inspection)
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
        parts += _box(layout.points[node], widths[node], label, node, inspection)
    return "\n".join([*parts, "</svg>", ""])


def _graph(inspection: Inspection) -> tuple[dict[Node, Label], dict[Node, tuple[Node, ...]]]:
    """The text of every node, and what each reads."""
    labels: dict[Node, Label] = {}
    sources: dict[Node, tuple[Node, ...]] = {}
    for number, tensor in enumerate(inspection.inputs):
        node = Source(number, input=True)
        labels[node], sources[node] = _port("input", tensor), ()
    ends: dict[int, list[Node]] = {number: [] for number in range(len(inspection.outputs))}
    for unit in inspection.units:
        node = Source(unit.number)
        labels[node], sources[node] = _unit(unit), unit.sources
        for number in unit.outputs:
            ends[number].append(node)
    for number, tensor in enumerate(inspection.outputs):
        end = ("output", number)
        labels[end], sources[end] = _port("output", tensor), tuple(ends[number])
    return labels, sources


def _port(direction: str, tensor: TensorInfo) -> Label:
    size = f"{tensor.channels}x{tensor.height}x{tensor.width}"
    return _cut(f"{direction} {tensor.name}"), size, _scale(tensor.scale)


def _unit(unit: UnitInfo) -> Label:
    last = unit.operations[-1]
    layers = dict.fromkeys(operation.layer for operation in unit.operations if operation.layer)
    engines = "+".join(operation.type for operation in unit.operations)
    numbers = "+".join(str(operation.number) for operation in unit.operations)
    sizes = [f"{c.channels}x{c.height}x{c.width}" for c in last.cubes if c.name == "dst"]
    names = (_cut(", ".join(layers)), f"{numbers} {engines}") if layers else (engines, f"operation {numbers}")
    return *names, " ".join([*sizes, _scale(unit.scale)]).strip()


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


def _box(point: Point, width: float, label: Label, node: Node, inspection: Inspection) -> Iterator[str]:
    left, top = point.x + MARGIN - width / 2, _top(point)
    unit = inspection.units[node.number] if isinstance(node, Source) and not node.input else None
    colour, stroke, hint = PORT_COLOUR, "#5b6470", ""
    if unit is not None:
        colour = CPU_COLOUR if unit.on_cpu else COLOURS[unit.operations[0].type]
        stroke = "#d02020" if unit.problems else stroke
        told = [*unit.problems, *(f"{o.number} {o.type}: {words(o.settings)}" for o in unit.operations)]
        hint = f"<title>{escape(chr(10).join(told))}</title>"
    yield (
        f'<g><rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{4 * LINE}" rx="4" fill="{colour}" '
        f'stroke="{stroke}"/>{hint}'
    )
    for number, line in enumerate(label, start=1):
        weight = ' font-weight="bold"' if number == 1 else ""
        y = top + number * LINE + 2
        yield f'<text x="{point.x + MARGIN:.1f}" y="{y}" text-anchor="middle"{weight}>{escape(line)}</text>'
    yield "</g>"
