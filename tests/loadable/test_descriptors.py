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

# Literal, so that a slip in a run of fields shows; whole where the dumps below have no such operation.
OFFSETS: dict[str, dict[str, int]] = {
    "NETWORK": {
        "op_list": 0, "surf_list": 2, "dep_graph": 4, "lut_list": 6, "roi_array": 8, "surface": 10,
        "stat_list": 12, "op_head": 16, "num_rois": 28, "num_ops": 30, "num_luts": 32, "num_addresses": 34,
        "input_layer": 36, "dynamic_roi": 38,
    },
    "COMMON_OP": {
        "index": 0, "roi": 2, "op_type": 3, "dependency_count": 4, "consumers": 8, "fused_parent": 32,
    },
    "CONSUMER": {"index": 0, "event": 2},
    "OLD_CUBE": {
        "type": 0, "address": 2, "size": 4, "width": 8, "height": 10, "channel": 12,
        "line_stride": 16, "surf_stride": 20, "plane_stride": 24,
    },
    "CONV_OP": {
        "data_reuse": 1, "skip_data_rls": 3, "pixel_mapping": 9, "batch_stride": 24,
        "mean_ry": 52, "mean_gu": 54, "mean_bv": 56, "mean_ax": 58, "mean_format": 60,
        "pra_truncate": 71, "in_precision": 72, "out_precision": 73, "pad_val": 74,
        "in_cvt": 76, "out_cvt": 84,
    },
    "CONV_SURFACE": {"wmb": 32, "wgs": 64, "offset_u": 160, "in_line_uv_stride": 168},
    "OLD_CONV_SURFACE": {
        "weight": 0, "wmb": 28, "wgs": 56, "src": 84, "dst": 112, "offset_u": 140, "in_line_uv_stride": 148,
    },
    "SDP_SUB_OP": {
        "enable": 0, "alu_type": 1, "type": 2, "mode": 3, "act": 4, "shift_value": 5, "truncate": 6,
        "precision": 7, "alu_operand": 8, "mul_operand": 12, "alu_cvt": 16, "mul_cvt": 24,
    },
    "SDP_OP": {
        "src_precision": 0, "dst_precision": 1, "lut_index": 2, "out_cvt": 4, "conv_mode": 12,
        "batch_num": 13, "batch_stride": 16, "x1": 20, "x2": 52, "y": 84,
    },
    "OLD_SDP_SURFACE": {"src": 0, "x1": 28, "x2": 56, "y": 84, "dst": 112},
    "PDP_OP": {
        "partial_in_width_first": 0, "partial_in_width_mid": 2, "partial_in_width_last": 4,
        "partial_width_first": 6, "partial_width_mid": 8, "partial_width_last": 10, "precision": 22,
    },
    "CDP_OP": {
        "in_precision": 0, "out_precision": 1, "lut_index": 2, "in_cvt": 4, "out_cvt": 12,
        "local_size": 20, "bypass_sqsum": 21, "bypass_out_mul": 22,
    },
    "CDP_SURFACE": {"src": 0, "dst": 32},
    "RUBIK_OP": {"mode": 0, "precision": 1, "stride_x": 2, "stride_y": 3},
    "BDMA_OP": {"num_transfers": 0},
    "BDMA_SURFACE": {"source_type": 0, "destination_type": 1, "num_transfers": 2, "transfers": 4},
    "BDMA_TRANSFER": {
        "src_address": 0, "dst_address": 2, "line_size": 4, "line_repeat": 8, "src_line": 12,
        "dst_line": 16, "surface_repeat": 20, "src_surface": 24, "dst_surface": 28,
    },
    "SLOPE": {"scale": 0, "shifter": 2},
    "LUT": {
        "le": 0, "lo": 130, "le_index": 644, "lo_index": 646,
        "le_start": 648, "le_end": 656, "lo_start": 664, "lo_end": 672,
        "le_underflow": 680, "le_overflow": 684, "lo_underflow": 688, "lo_overflow": 692,
        "hybrid_priority": 696, "underflow_priority": 697, "overflow_priority": 698, "method": 699,
    },
    "EMU_NETWORK": {"op_list": 0, "buffer_list": 2, "num_ops": 4},
    "EMU_POWER": {"type": 0, "in_scale": 4, "out_scale": 8, "power": 12, "scale": 16, "shift": 20},
    "OLD_EMU_BUFFER": {
        "address": 0, "size": 2, "format": 6, "width": 8, "height": 10, "channel": 12,
        "line_stride": 14, "surf_stride": 18,
    },
    "OLD_EMU_POWER": {"type": 0, "power": 1, "scale": 5, "shift": 9},
    "OLD_EMU_SOFTMAX": {"type": 0, "axis": 1},
}  # fmt: skip


def test_sizes() -> None:
    assert {name: getattr(d, name).itemsize for name in SIZES} == SIZES


def test_offsets() -> None:
    ours = {
        struct: {field: getattr(d, struct).fields[field][1] for field in fields}
        for struct, fields in OFFSETS.items()
    }
    assert ours == OFFSETS


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
