"""An inspection as text for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nvdla_sim.analysis.inspect.flow import Source
from nvdla_sim.analysis.inspect.inspection import CubeInfo, Inspection, OperationInfo, TensorInfo, UnitInfo
from nvdla_sim.analysis.inspect.settings import Settings

MOST_SOURCES = 9  # that a unit's line names


def lines(inspection: Inspection) -> Iterator[str]:
    """The whole report, line by line."""
    producer = f"compiled by {inspection.producer}, " if inspection.producer else ""
    reason = f" ({inspection.assumption})" if inspection.assumption else ""
    yield f"{inspection.name}: {producer}for {inspection.target}{reason}"
    yield ""
    for direction, tensors in (("input", inspection.inputs), ("output", inspection.outputs)):
        for number, tensor in enumerate(tensors):
            yield f"{direction} {number}: {_tensor(tensor)}"
    yield ""
    loaded = sum(memory.blob_bytes for memory in inspection.memories)
    total = sum(memory.size for memory in inspection.memories)
    yield f"memories: {total:,} bytes, {loaded:,} of them loaded from blobs"
    for memory in inspection.memories:
        blobs = f", {memory.blobs} blobs of {memory.blob_bytes:,}" if memory.blobs else ""
        yield f"  {memory.number:3}  {memory.use:<20} {memory.size:>12,} bytes{blobs}"
    task = None
    for unit in inspection.units:
        if unit.task != task:
            task = unit.task
            yield ""
            yield f"task {task} on the {'CPU' if unit.on_cpu else 'chip'}"
        yield from _unit(unit, inspection)


def _tensor(tensor: TensorInfo) -> str:
    form = "4-byte pixels" if tensor.pixels else "features"
    batch = f", {tensor.images} images" if tensor.images > 1 else ""
    return (
        f"{tensor.name}  {tensor.channels}x{tensor.height}x{tensor.width} {form}{batch}, "
        f"memory {tensor.memory}, lines of {tensor.line_stride}, surfaces of {tensor.surf_stride} bytes"
        f"{_scale(tensor.scale)}"
    )


def _scale(scale: float | None) -> str:
    return f", scale {scale:.6g}" if scale is not None else ""


def _unit(unit: UnitInfo, inspection: Inspection) -> Iterator[str]:
    for operation in unit.operations:
        layer = operation.layer or ""
        cubes = {cube.name: cube for cube in operation.cubes}
        flow = f"{_cube(cubes['src'])} -> {_cube(cubes['dst'])}" if "src" in cubes else ""
        yield f"  {operation.number:4} {operation.type:<7} {layer:<24} {flow}".rstrip()
        for part in (words(operation.settings), *_operands(operation), *_order(operation)):
            yield f"{'':14}{part}"
    names = [source_name(source, inspection) for source in unit.sources]
    if len(names) > MOST_SOURCES:
        names[MOST_SOURCES - 1 : -1] = [".."]
    ends = [f"from {', '.join(names)}"] if names else []
    if unit.tensor is not None:
        ends.append(f'gives "{unit.tensor}"{_scale(unit.scale)}')
    ends += [f"is output {inspection.outputs[number].name}" for number in unit.outputs]
    if ends:
        yield f"{'':14}{'; '.join(ends)}"
    for problem in unit.problems:
        yield f"{'':14}REFUSED: {problem}"


def source_name(source: Source, inspection: Inspection) -> str:
    """What it is called in the report: an input's name, or the operation whose result it is."""
    if source.input:
        return f"input {inspection.inputs[source.number].name}"
    unit = inspection.units[source.number]
    task = f"task {unit.task} " if unit.task else ""
    return f"{task}operation {unit.operations[-1].number}"


def _cube(cube: CubeInfo) -> str:
    return f"{cube.channels}x{cube.height}x{cube.width} {_place(cube)}"


def _place(cube: CubeInfo) -> str:
    """Memory and offset of a cube."""
    return "on the fly" if cube.memory is None else f"@{cube.memory}+{cube.offset}"


def _operands(operation: OperationInfo) -> Iterator[str]:
    others = [cube for cube in operation.cubes if cube.name not in ("src", "dst")]
    if others:
        yield ", ".join(f"{cube.name} {_place(cube)}" for cube in others)


def _order(operation: OperationInfo) -> Iterator[str]:
    """Only the chip's operations depend on each other."""
    if operation.wakes is not None:
        wakes = "".join(f"; {event.lower()} wakes {number}" for number, event in operation.wakes.items())
        yield f"waits for {operation.dependencies}{wakes}"


def words(known: Settings) -> str:
    """An operation's settings in a line."""
    return ", ".join(_setting(name, value) for name, value in known.items())


def _setting(name: str, value: Any) -> str:
    label = name.replace("_", " ")
    if isinstance(value, bool):
        return label if value else f"no {label}"
    if isinstance(value, dict):
        return f"{label}: {_converter(value) if 'offset' in value else _stage(value)}"
    if isinstance(value, tuple):
        return f"{label} {'x'.join(map(str, value)) if len(value) == 2 else ' '.join(map(str, value))}"
    if isinstance(value, list):
        return f"{len(value)} {label}: " + "; ".join(words(entry) for entry in value)
    return f"{label} {value:.6g}" if isinstance(value, float) else f"{label} {value}"


def _converter(cvt: Settings) -> str:
    """``(v - offset) * scale >> truncate`` without the parts that do nothing."""
    value = f"(v - {cvt['offset']})" if cvt["offset"] else "v"
    scale = f" * {cvt['scale']}" if cvt["scale"] != 1 else ""
    return value + scale + (f" >> {cvt['truncate']}" if cvt["truncate"] else "")


def _stage(stage: Settings) -> str:
    """One SDP stage; an operand in memory is named by what it varies over."""
    parts = []
    if "alu" in stage:
        operand = _operand(stage["alu"]) + (f" << {stage['alu_shift']}" if stage["alu_shift"] else "")
        parts.append(f"{'+' if stage['function'] == 'sum' else stage['function']} {operand}")
    if "mul" in stage:
        parts.append(f"* {_operand(stage['mul'])}")
    if "truncate" in stage:
        parts.append(f">> {stage['truncate']}")
    for name in ("alu_converter", "mul_converter"):
        if name in stage:
            parts.append(f"{name.split('_')[0]} operands {_converter(stage[name])}")
    return " ".join([*parts, *([stage["act"]] if "act" in stage else [])]) or "nothing"


def _operand(value: int | str) -> str:
    return f"[{value}]" if isinstance(value, str) else str(value)
