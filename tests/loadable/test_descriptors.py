"""The structs' sizes and offsets, and their fields against dumps of the real firmware."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from nvdla_sim.loadable import descriptors as d
from nvdla_sim.loadable.lists import DlaTask, EmuTask, read_task
from nvdla_sim.loadable.loadable import Loadable
from tests.shared import golden_set

SIZES = {
    "NETWORK": 40, "CONSUMER": 4, "COMMON_OP": 36, "CUBE": 32, "OLD_CUBE": 28, "CVT": 8,
    "CONV_OP": 92, "CONV_SURFACE": 172, "OLD_CONV_SURFACE": 152,
    "SDP_SUB_OP": 32, "SDP_OP": 116, "SDP_SURFACE": 160, "OLD_SDP_SURFACE": 140,
    "PDP_OP": 52, "CDP_OP": 24, "RUBIK_OP": 4, "PDP_SURFACE": 64, "OLD_PDP_SURFACE": 56,
    "BDMA_OP": 4, "BDMA_SURFACE": 644, "LUT": 700,
    "EMU_NETWORK": 256, "EMU_POWER": 24, "EMU_SOFTMAX": 24, "EMU_BUFFER": 256,
    "OLD_EMU_POWER": 16, "OLD_EMU_SOFTMAX": 16, "OLD_EMU_BUFFER": 256,
}  # fmt: skip

# literal, so that a slip in a run of fields shows
OFFSETS = {
    ("NETWORK", "op_head"): 16, ("NETWORK", "num_addresses"): 34, ("NETWORK", "dynamic_roi"): 38,
    ("COMMON_OP", "dependency_count"): 4, ("COMMON_OP", "fused_parent"): 32,
    ("CUBE", "size"): 8, ("CUBE", "channel"): 16, ("CUBE", "plane_stride"): 28,
    ("OLD_CUBE", "channel"): 12, ("OLD_CUBE", "plane_stride"): 24,
    ("CONV_OP", "batch_stride"): 24, ("CONV_OP", "in_height_cmac"): 46, ("CONV_OP", "mean_ax"): 58,
    ("CONV_OP", "dilation_y"): 68, ("CONV_OP", "out_precision"): 73, ("CONV_OP", "out_cvt"): 84,
    ("CONV_SURFACE", "in_line_uv_stride"): 168, ("OLD_CONV_SURFACE", "in_line_uv_stride"): 148,
    ("SDP_SUB_OP", "mul_cvt"): 24, ("SDP_OP", "batch_stride"): 16, ("SDP_OP", "y"): 84,
    ("PDP_OP", "partial_width_last"): 10, ("PDP_OP", "precision"): 22, ("PDP_OP", "padding_value"): 24,
    ("CDP_OP", "bypass_out_mul"): 22, ("BDMA_TRANSFER", "dst_surface"): 28, ("BDMA_SURFACE", "transfers"): 4,
    ("LUT", "lo"): 130, ("LUT", "lo_end"): 672, ("LUT", "lo_overflow"): 692, ("LUT", "method"): 699,
    ("EMU_POWER", "shift"): 20, ("EMU_SOFTMAX", "axis"): 12, ("EMU_BUFFER", "surf_stride"): 22,
    ("OLD_EMU_BUFFER", "surf_stride"): 18, ("OLD_EMU_POWER", "shift"): 9, ("OLD_EMU_SOFTMAX", "axis"): 1,
}  # fmt: skip


def test_sizes() -> None:
    assert {name: getattr(d, name).itemsize for name in SIZES} == SIZES


def test_offsets() -> None:
    assert {(struct, field): getattr(d, struct).fields[field][1] for struct, field in OFFSETS} == OFFSETS


def test_fields_do_not_overlap() -> None:
    for name in [*SIZES, "SLOPE", "BDMA_TRANSFER"]:
        struct = getattr(d, name)
        end = 0
        for kind, offset, *_ in sorted(struct.fields.values(), key=lambda field: field[1]):
            assert offset >= end, name
            end = offset + kind.itemsize
        assert end <= struct.itemsize, name


def test_the_slots_hold_the_largest_record() -> None:
    assert max(struct.itemsize for struct in d.OPS.values()) == d.OP_STRIDE
    assert max(struct.itemsize for struct in d.SURFACES.values()) == d.SURFACE_STRIDE
    assert d.COMMON_OP.itemsize == d.DEP_GRAPH_STRIDE
    assert d.LUT.itemsize == d.LUT_STRIDE
    assert {struct.itemsize for struct in d.EMU_OPS.values()} == {d.EMU_OP_STRIDE}
    assert {struct.itemsize for struct in d.OLD_EMU_OPS.values()} == {d.OLD_EMU_OP_STRIDE}
    assert 2 * d.EMU_BUFFER.itemsize == d.EMU_BUFFER_STRIDE


# --- against the real firmware -----------------------------------------------------------------------------

# the dumps' words where they are not ours
OURS = {
    "input_width_csc": "in_width_csc", "input_height_csc": "in_height_csc",
    "input_channel_csc": "in_channel_csc",
    "input_width_cmac": "in_width_cmac", "input_height_cmac": "in_height_cmac",
    "conv_stride_x": "stride_x", "conv_stride_y": "stride_y",
    "pad_x_left": "pad_left", "pad_x_right": "pad_right",
    "pad_y_top": "pad_top", "pad_y_bottom": "pad_bottom",
    "x1_op": "x1", "x2_op": "x2", "y_op": "y",
    "input_scale_factor": "in_scale", "output_scale_factor": "out_scale",
}  # fmt: skip
OF_THE_SURFACE = {"offset_u", "in_line_uv_stride"}  # the dumps count them as the operation's


def _same(dumped: Any, ours: Any) -> bool:
    """Whether each dumped field is in our record with the same value."""
    if isinstance(dumped, dict):
        return all(_same(value, ours[OURS.get(name, name)]) for name, value in dumped.items())
    return bool(np.all(np.isclose(dumped, ours, rtol=1e-6, atol=0)))


def _differing(line: dict[str, Any], task: DlaTask | EmuTask) -> list[str]:
    i = line["op"]
    surface: Any
    if isinstance(task, DlaTask):
        surface, extra = task.surfaces[i], {"dma"}  # the resulting bus address is the dump's own
    else:
        surface, extra = dict(zip(("src", "dst"), task.buffers[i], strict=True)), {"dma", "type"}
    fields = [
        (name, value, surface if name in OF_THE_SURFACE else task.ops[i])
        for name, value in line["desc"].items()
    ]
    for name, cube in line["cubes"].items():
        fields.append((name, {key: cube[key] for key in cube.keys() - extra}, surface))
    return [name for name, value, record in fields if not _same({name: value}, record)]


def _loadable_of(run: dict[str, Any], folder: Path) -> Path:
    if folder.parent.name == "lenet-mnist":
        mode = {"int8-pk": "per-kernel", "int8-pf": "per-filter"}[run["mode"].removesuffix("-nchw")]
        suffix = ".nchw" if run["mode"].endswith("-nchw") else ""
        return golden_set("lenet-mnist") / "loadables" / f"lenet.{run['config']}.{mode}{suffix}.nvdla"
    return golden_set("loadables") / folder.parent.name / f"{run['config']}.{run['mode']}.nvdla"


def test_every_field_is_what_the_firmware_read() -> None:
    """Of each run in perop/, each completed operation's descriptor and cubes."""
    compared: dict[str, int] = {}
    for path in sorted(golden_set("perop").glob("**/ops.jsonl")):
        head, *lines = (json.loads(line) for line in path.read_text().splitlines())
        loadable = Loadable.load(_loadable_of(head["run"], path.parent))
        tasks = [read_task(loadable, task) for task in loadable.tasks]
        for line in lines:
            if "op" not in line:
                continue
            differing = _differing(line, tasks[line["task"]])
            assert not differing, f"{path.parent}: task {line['task']} operation {line['op']}"
            compared[line["type"]] = compared.get(line["type"], 0) + 1
    assert compared == {"CONV": 424, "SDP": 470, "PDP": 104, "EMU_SOFTMAX": 44, "EMU_POWER": 4}
