"""An operation's descriptor as plain values: real sizes, words for numbers, nothing of idle parts.

Pairs are (y, x), pads (top, left, bottom, right), sizes elements unless they say bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nvdla_sim.loadable.enums import (
    AluType,
    ConvMode,
    EmuOpType,
    LutMethod,
    OpType,
    PixelFormat,
    PoolMode,
    RubikMode,
    SdpAct,
    SdpMode,
    SdpOpType,
    WeightFormat,
)
from nvdla_sim.runtime.operation import Operation

Settings = dict[str, Any]

MODES = {SdpMode.PER_LAYER: "layer", SdpMode.PER_KERNEL: "channel", SdpMode.PER_POINT: "element"}


def settings(operation: Operation) -> Settings:
    """What an operation of the chip is asked to do."""
    return _OF_TYPE[operation.type](operation)


def cpu_settings(op: Any) -> Settings:
    """What an operation of the CPU is asked to do; ``op``: its record."""
    names = {
        EmuOpType.SOFTMAX: ("in_scale", "out_scale", "axis"),
        EmuOpType.POWER: ("in_scale", "out_scale", "power", "scale", "shift"),
    }
    return {name: op[name].item() for name in names[EmuOpType(int(op["type"]))]}


def _convolution(operation: Operation) -> Settings:
    op, surface = operation.op, operation.surface
    pixels = op.data_format != PixelFormat.FEATURE
    kernel_width = op.kernel_width_csc
    if pixels:
        # pixels lie side by side in a line: their components are channels, and the kernel is one column
        kernel_width = op.kernel_channel_csc // max(op.in_channel_csc, 1)
    result: Settings = {
        "input": _name(PixelFormat, op.data_format).lower(),
        "kernel": (op.kernel_height_csc, kernel_width),
        "stride": (op.stride_y, op.stride_x),
        "pad": (op.pad_top, op.pad_left, op.pad_bottom, op.pad_right),
        "weight_bytes": surface.weight.size,
        "data_banks": op.data_bank,
        "weight_banks": op.weight_bank,
    }
    optional = {
        "dilation": ((op.dilation_y, op.dilation_x), (1, 1)),
        "pad_value": (op.pad_val, 0),
        "batch": (op.batch, 1),
        "rows_per_step": (1 << op.post_extension, 1),
        "winograd": (op.conv_mode == ConvMode.WINOGRAD, False),
        "compressed": (op.weight_format == WeightFormat.COMPRESSED, False),
        "truncate": (op.out_cvt.truncate, 0),
        "reuse_data": (bool(op.data_reuse), False),
        "reuse_weights": (bool(op.weight_reuse), False),
        "keep_data": (bool(op.skip_data_rls), False),
        "keep_weights": (bool(op.skip_weight_rls), False),
        "mean": ((op.mean_ry, op.mean_gu, op.mean_bv, op.mean_ax) if op.mean_format else None, None),
        "in_converter": (_converter(op.in_cvt) if op.in_cvt.enable else None, None),
    }
    identity = {"offset": 0, "scale": 1, "truncate": 0}
    used = {name: value for name, (value, usual) in optional.items() if value != usual and value != identity}
    return result | used


def _sdp(operation: Operation) -> Settings:
    op = operation.op
    result: Settings = {}
    for name in ("x1", "x2", "y"):
        stage = _stage(getattr(op, name), with_cvt=name == "y")
        if stage:
            result[name] = stage
    result["out_converter"] = _converter(op.out_cvt)
    return result | _table(operation)


def _stage(stage: Any, with_cvt: bool) -> Settings:
    """``alu`` and ``mul``: the operand where it is one number, else what it varies over."""
    if not stage.enable:
        return {}
    varies = MODES.get(stage.mode, str(stage.mode))
    one = stage.mode == SdpMode.PER_LAYER
    result: Settings = {}
    if stage.type in (SdpOpType.ADD, SdpOpType.BOTH):
        result |= {"function": _name(AluType, stage.alu_type).lower()}
        result |= {"alu": stage.alu_operand if one else varies, "alu_shift": stage.shift_value}
        if with_cvt and stage.alu_cvt.enable and not one:
            result["alu_converter"] = _converter(stage.alu_cvt)
    if stage.type in (SdpOpType.MUL, SdpOpType.BOTH):
        result |= {"mul": stage.mul_operand if one else varies}
        if with_cvt and stage.mul_cvt.enable and not one:
            result["mul_converter"] = _converter(stage.mul_cvt)
    if stage.truncate:
        result["truncate"] = stage.truncate
    if stage.act != SdpAct.NONE:
        result["act"] = _name(SdpAct, stage.act).lower()
    return result


def _pooling(operation: Operation) -> Settings:
    op = operation.op
    result: Settings = {
        "method": _name(PoolMode, op.pool_mode).lower(),
        "kernel": (op.pool_height + 1, op.pool_width + 1),
        "stride": (op.stride_y, op.stride_x),
        "pad": (op.pad_top, op.pad_left, op.pad_bottom, op.pad_right),
    }
    if op.split_num > 1:
        names = ("first", "mid", "last")
        result["parts"] = op.split_num
        result["source_widths"] = tuple(getattr(op, f"partial_in_width_{name}") for name in names)
        result["widths"] = tuple(getattr(op, f"partial_width_{name}") for name in names)
    if any(op.padding_value):
        result["pad_values"] = op.padding_value
    return result


def _cdp(operation: Operation) -> Settings:
    op = operation.op
    return {
        "channels_summed": op.local_size,
        "square_sum": not op.bypass_sqsum,
        "multiply": not op.bypass_out_mul,
        "in_converter": _converter(op.in_cvt),
        "out_converter": _converter(op.out_cvt),
        **_table(operation),
    }


def _table(operation: Operation) -> Settings:
    if operation.table is None:
        return {}
    method = _name(LutMethod, operation.table.method).lower()
    return {"table": operation.table_index, "table_method": method}


def _rubik(operation: Operation) -> Settings:
    op = operation.op
    return {"mode": _name(RubikMode, op.mode).lower(), "stride": (op.stride_y, op.stride_x)}


def _copy(operation: Operation) -> Settings:
    names = (
        "line_size",
        "line_repeat",
        "src_line",
        "dst_line",
        "surface_repeat",
        "src_surface",
        "dst_surface",
    )
    transfers = operation.surface.transfers[: operation.op.num_transfers]
    return {"transfers": [{name: getattr(transfer, name) for name in names} for transfer in transfers]}


_OF_TYPE: dict[OpType, Callable[[Operation], Settings]] = {
    OpType.BDMA: _copy,
    OpType.CONV: _convolution,
    OpType.SDP: _sdp,
    OpType.PDP: _pooling,
    OpType.CDP: _cdp,
    OpType.RUBIK: _rubik,
}


def _converter(cvt: Any) -> Settings:
    """``(v - offset) * scale / 2^truncate``."""
    return {"offset": cvt.offset, "scale": cvt.scale, "truncate": cvt.truncate}


def _name(words: Any, number: int) -> str:
    """The word for a number, the number itself where it has none."""
    return words(number).name if number in list(words) else str(number)
