"""One operation -> its descriptor and its surface descriptor.

Source: compiler-facts sections 2, 3 and 6.4 ("field values common to all int8 ops").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nvdla_sim.compiler.program import Cdp, Conv, Converter, Cube, DlaOp, Lut, Pads, Pdp, Sdp, Softmax, Stage
from nvdla_sim.compiler.weights import PIXEL
from nvdla_sim.hw.config import Config
from nvdla_sim.hw.formats import feature_extent, round_up
from nvdla_sim.loadable import descriptors
from nvdla_sim.loadable.enums import (
    EmuFormat,
    EmuOpType,
    LutMethod,
    LutPriority,
    MemType,
    PixelFormat,
    Precision,
)

Record = np.void
Bytes = NDArray[np.uint8]
Place = tuple[int, int]  # index of an address list, offset in bytes


class Encoder:
    """``locate`` gives a buffer cube's place, ``constant`` stores bytes and gives theirs."""

    def __init__(
        self, config: Config, locate: Callable[[Cube], Place], constant: Callable[[Bytes], Place]
    ) -> None:
        self.config = config
        self.locate = locate
        self.constant = constant

    def dla(self, op: DlaOp, lut_index: int = -1) -> tuple[Record, Record]:
        """The operation's and the surfaces' records; ``lut_index``: number of its table in the task."""
        match op:
            case Cdp():
                return self._cdp(op, lut_index)
            case Conv():
                return self._conv(op)
            case Sdp():
                return self._sdp(op, lut_index)
            case Pdp():
                return self._pdp(op)

    def cpu(self, op: Softmax) -> tuple[Record, Record, Record]:
        """The operation's record and those of source and destination."""
        record = filled(
            descriptors.EMU_SOFTMAX,
            type=EmuOpType.SOFTMAX,
            in_scale=op.in_scale,
            out_scale=op.out_scale,
            axis=1,
        )
        return record, self._emu_buffer(op.src), self._emu_buffer(op.dst)

    def _conv(self, op: Conv) -> tuple[Record, Record]:
        src, dst = op.src, op.dst
        kernel_height, kernel_width = op.kernel
        # of a picture the pixels of a kernel's row are channels
        width, channels = (1, PIXEL * kernel_width) if op.image else (kernel_width, src.channels)
        record = filled(
            descriptors.CONV_OP,
            weight_reuse=op.reuse_weights,
            skip_weight_rls=op.keep_weights,
            entry_per_slice=op.entries,
            data_format=PixelFormat.A8B8G8R8 if op.image else PixelFormat.FEATURE,
            fetch_grain=1,
            batch=1,
            data_bank=op.data_banks,
            weight_bank=op.weight_banks,
            post_extension=op.extension // 2,
            pixel_override=op.image,  # pixels are signed
            release=src.height,
            in_width_csc=src.width,
            in_height_csc=src.height,
            in_channel_csc=src.channels,
            kernel_width_csc=width,
            kernel_height_csc=kernel_height,
            kernel_channel_csc=channels,
            in_width_cmac=dst.width,
            in_height_cmac=dst.height,
            bytes_per_kernel=width * kernel_height * channels,
            stride_y=op.stride[0],
            stride_x=op.stride[1],
            dilation_y=op.dilation[0],
            dilation_x=op.dilation[1],
            **_pads(op.pads),
            in_cvt=_cvt(Converter()),
            out_cvt=_cvt(Converter()),
        )
        address, offset = self.constant(op.weights)
        weight = filled(
            descriptors.CUBE,
            address=address,
            offset=offset,
            size=op.weights.size,
            width=width,
            height=kernel_height,
            channel=channels,
        )
        surfaces = filled(
            descriptors.CONV_SURFACE, weight=weight, src=self._cube(src, op.image), dst=self._cube(dst)
        )
        return record, surfaces

    def _sdp(self, op: Sdp, lut_index: int) -> tuple[Record, Record]:
        stages, cubes = {}, {}
        for name, stage in op.post.stages.items():
            stages[name] = _stage(stage)
            cube = self._operand(stage)
            if cube is not None:
                cubes[name] = cube
        out = _cvt(op.post.out)
        record = filled(descriptors.SDP_OP, lut_index=lut_index, out_cvt=out, batch_num=1, **stages)
        cubes |= {"src": self._cube(op.src), "dst": self._cube(op.dst)}
        return record, filled(descriptors.SDP_SURFACE, **cubes)

    def _operand(self, stage: Stage) -> Record | None:
        """The cube of a stage's operand in memory, if it has one."""
        operand = stage.operand
        if operand is None or isinstance(operand, int):
            return None
        if isinstance(operand, Cube):
            return self._cube(operand)
        parts = [part for part in (stage.alu, stage.mul) if isinstance(part, np.ndarray)]
        lanes = round_up(operand.shape[0], self.config.atom)
        height, width = operand.shape[1:] if operand.ndim == 3 else (1, 1)
        values = np.zeros((lanes, height, width, len(parts)), "<i2")
        for index, part in enumerate(parts):
            values[: part.shape[0], :, :, index] = part.reshape(-1, height, width)
        atoms = values.reshape(-1, self.config.atom, height, width, len(parts)).transpose(0, 2, 3, 1, 4)
        atom = self.config.atom * 2 * len(parts)
        address, offset = self.constant(np.ascontiguousarray(atoms).reshape(-1).view(np.uint8))
        return filled(
            descriptors.CUBE,
            address=address,
            offset=offset,
            size=values.nbytes,
            width=width,
            height=height,
            channel=operand.shape[0],
            line_stride=width * atom,
            surf_stride=width * height * atom,
        )

    def _pdp(self, op: Pdp) -> tuple[Record, Record]:
        parts = op.parts or ((0, 0),)
        middle = parts[1] if len(parts) > 2 else (0, 0)
        widths: dict[str, int] = {}
        for place, (source, dest) in zip(
            ("first", "mid", "last"), (parts[0], middle, parts[-1]), strict=True
        ):
            widths |= {f"partial_in_width_{place}": source, f"partial_width_{place}": dest}
        record = filled(
            descriptors.PDP_OP,
            **widths,
            split_num=len(parts),
            pool_mode=op.mode,
            pool_width=op.kernel[1] - 1,
            pool_height=op.kernel[0] - 1,
            stride_x=op.stride[1],
            stride_y=op.stride[0],
            **_pads(op.pads),
        )
        return record, filled(descriptors.PDP_SURFACE, src=self._cube(op.src), dst=self._cube(op.dst))

    def _cdp(self, op: Cdp, lut_index: int) -> tuple[Record, Record]:
        record = filled(
            descriptors.CDP_OP,
            lut_index=lut_index,
            in_cvt=_cvt(Converter()),
            out_cvt=_cvt(op.out),
            local_size=op.window or 3,
            bypass_sqsum=op.window is None,
            bypass_out_mul=op.window is None,
        )
        return record, filled(descriptors.CDP_SURFACE, src=self._cube(op.src), dst=self._cube(op.dst))

    def _cube(self, cube: Cube, image: bool = False) -> Record:
        if image:
            size = cube.line * cube.height
        else:
            size = feature_extent(
                cube.channels, cube.height, cube.width, self.config.atom, cube.line, cube.surf
            )
        kind, address, offset = MemType.HW, -1, 0
        if cube.buffer is not None:
            kind, (address, offset) = MemType.MC, self.locate(cube)
        return filled(
            descriptors.CUBE,
            type=kind,
            address=address,
            offset=offset,
            size=size,
            width=cube.width,
            height=cube.height,
            channel=cube.channels,
            line_stride=cube.line,
            surf_stride=cube.surf,
        )

    def _emu_buffer(self, cube: Cube) -> Record:
        address, offset = self.locate(cube)
        return filled(
            descriptors.EMU_BUFFER,
            address=address,
            offset=offset,
            size=cube.surf * -(-cube.channels // self.config.atom),
            format=EmuFormat.INT8_ATOM_8 if self.config.atom == 8 else EmuFormat.INT8_ATOM_32,
            width=cube.width,
            height=cube.height,
            channel=cube.channels,
            line_stride=cube.line,
            surf_stride=cube.surf,
        )


def lut_record(lut: Lut) -> Record:
    """A table's record."""
    return filled(
        descriptors.LUT,
        le=lut.le,
        lo=lut.lo,
        le_index=lut.le_select,
        lo_index=lut.lo_select,
        le_start=lut.le_start,
        le_end=lut.le_start + (64 << lut.le_select),
        lo_start=lut.lo_start,
        lo_end=lut.lo_start + (256 << lut.lo_select),
        hybrid_priority=LutPriority.LO,
        underflow_priority=LutPriority.LO,
        overflow_priority=LutPriority.LE if lut.le_beyond else LutPriority.LO,
        method=LutMethod.LINEAR,
    )


def _stage(stage: Stage) -> Record:
    narrow = isinstance(stage.operand, Cube) or stage.operand is None
    converter = {} if stage.converter is None else {"alu_cvt": _cvt(stage.converter)}
    return filled(
        descriptors.SDP_SUB_OP,
        enable=1,
        alu_type=stage.function,
        type=stage.type,
        mode=stage.mode,
        act=stage.act,
        shift_value=stage.shift,
        truncate=stage.truncate,
        precision=Precision.INT8 if narrow else Precision.INT16,
        alu_operand=stage.alu if isinstance(stage.alu, int) else 0,
        mul_operand=stage.mul if isinstance(stage.mul, int) else 1,
        **converter,
    )


def _cvt(converter: Converter) -> Record:
    return filled(
        descriptors.CVT,
        scale=converter.scale,
        truncate=converter.truncate,
        enable=1,
        offset=converter.offset,
    )


def _pads(pads: Pads) -> dict[str, int]:
    return {f"pad_{side}": getattr(pads, side) for side in ("left", "right", "top", "bottom")}


def filled(kind: np.dtype[np.void], **values: Any) -> Record:
    """A record of this struct; what is not told is 0."""
    record: Record = np.zeros(1, kind)[0]
    for name, value in values.items():
        record[name] = value
    return record
